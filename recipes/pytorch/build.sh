#!/bin/bash
# From upstream's source, submodules and all.
set -euo pipefail

for wrapper in mpicc mpicxx; do
  if ! command -v "$wrapper" >/dev/null; then
    echo "pytorch needs the host's MPI: no $wrapper on PATH (load its module)" >&2
    exit 1
  fi
done
if [ -z "${MKLROOT:-}" ]; then
  echo "pytorch needs the host's MKL: MKLROOT is not set (load its module)" >&2
  exit 1
fi

export CC=mpicc CXX=mpicxx
export PYTORCH_BUILD_VERSION=$PKG_VERSION PYTORCH_BUILD_NUMBER=0
export CMAKE_PREFIX_PATH=$PREFIX:$MKLROOT
export BLAS=MKL USE_STATIC_MKL=1
export USE_DISTRIBUTED=1 USE_MPI=1 BUILD_TEST=0
# Not the host's business, and not there.
export USE_CUSPARSELT=0 USE_CUDSS=0 USE_CUFILE=0 USE_ROCM=0 USE_XPU=0
export MAX_JOBS=$CPU_COUNT

if [ "$CUDA_VERSION" = None ]; then
  export USE_CUDA=0 USE_NCCL=0
else
  if ! nvcc=$(command -v nvcc) || ! "$nvcc" --version | grep -qF "release $CUDA_VERSION,"; then
    echo "pytorch needs nvcc of CUDA $CUDA_VERSION on PATH: load its module, or change cuda_version" >&2
    exit 1
  fi
  CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
  export CUDA_HOME CUDAHOSTCXX=mpicxx TORCH_CUDA_ARCH_LIST=$CUDA_ARCHITECTURES
  export USE_CUDA=1 USE_CUDNN=1 USE_NCCL=1 USE_SYSTEM_NCCL=1
  export NCCL_ROOT=$PREFIX NCCL_INCLUDE_DIR=$PREFIX/include NCCL_LIB_DIR=$PREFIX/lib
fi

# Upstream asks Open MPI alone whether it takes pointers into a GPU's memory, and believes that no other MPI does.
# MPICH and Cray MPICH do where this variable says so.
file=torch/csrc/distributed/c10d/ProcessGroupMPI.cpp
# shellcheck disable=SC2016  # nothing is meant to be expanded
says='std::getenv("MPICH_GPU_SUPPORT_ENABLED") != nullptr \&\& std::getenv("MPICH_GPU_SUPPORT_ENABLED")[0] == '"'1'"
sed -i '/^#else *\/\/ *!defined(MPIX_CUDA_AWARE_SUPPORT)/,/^#endif/s/return false;/return '"$says"';/' "$file"
sed -i '1i #include <cstdlib>' "$file"
if [ "$(grep -c MPICH_GPU_SUPPORT_ENABLED "$file")" -ne 1 ]; then
  echo "$file has changed: there is no place where an MPI other than Open MPI is said to know no CUDA" >&2
  exit 1
fi

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v
