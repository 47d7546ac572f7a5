#!/bin/bash
set -euo pipefail

if ! MPI4JAX_BUILD_MPICC=$(command -v mpicc); then
  echo "mpi4jax needs the host's MPI: no mpicc on PATH (load its module, or install its compiler wrappers)" >&2
  exit 1
fi
export MPI4JAX_BUILD_MPICC CFLAGS="-g0 -O2"

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v

# It takes CUDA wherever it finds one, so what came out is held against what was asked for.
found=None
for bridge in "$SP_DIR"/mpi4jax/_src/xla_bridge/mpi_xla_bridge_cuda*.so; do
  [ ! -e "$bridge" ] || found=CUDA
done
case $CUDA_VERSION:$found in
  None:None) ;;
  None:CUDA)
    echo "CUDA was found although cuda_version is None: unload its module" >&2
    exit 1
    ;;
  *:None)
    echo "no CUDA was found although cuda_version is $CUDA_VERSION: load its module (nvcc on PATH)" >&2
    exit 1
    ;;
  *)
    nvcc --version | grep -qF "release $CUDA_VERSION," || {
      echo "$(command -v nvcc) is not of CUDA $CUDA_VERSION: load another module, or change cuda_version" >&2
      exit 1
    }
    install -D -m 644 "$RECIPE_DIR/activation.json" "$PREFIX/etc/conda/env_vars.d/mpi4jax.json"
    ;;
esac
