#!/bin/bash
set -euo pipefail

if ! command -v mpicc >/dev/null; then
  echo "petsc needs the host's MPI: no mpicc on PATH (load its module, or install its compiler wrappers)" >&2
  exit 1
fi

options=(
  --prefix="$PREFIX"
  --with-cc=mpicc --with-fc=0
  --with-shared-libraries=1 --with-debugging=0
  # Only what is named here: what else a machine happens to have is not looked for.
  --with-x=0 --with-ssl=0 --with-hwloc=0 --with-valgrind=0 --with-petsc4py=0
)

case $BLAS in
  mkl)
    if [ -z "${MKLROOT:-}" ]; then
      echo "petsc_blas is mkl, and MKLROOT is not set: load MKL's module" >&2
      exit 1
    fi
    # PETSc adds the run path of the folder that it finds MKL in.
    options+=(--with-blaslapack-dir="$MKLROOT")
    level=-O3
    ;;
  generic)
    options+=(--with-blaslapack-lib="-llapack -lblas")
    # The smallest configuration, whose time goes into the reference BLAS anyway: it is there in two minutes.
    level=-O1
    ;;
  *)
    echo "petsc_blas is $BLAS; it can be mkl (the host's module) or generic (the host's libblas and liblapack)" >&2
    exit 1
    ;;
esac

if [ "$CUDA_VERSION" = None ]; then
  options+=(--with-cuda=0 --with-cxx=0)
else
  if ! nvcc=$(command -v nvcc) || ! "$nvcc" --version | grep -qF "release $CUDA_VERSION,"; then
    echo "petsc needs nvcc of CUDA $CUDA_VERSION on PATH: load its module, or change cuda_version" >&2
    exit 1
  fi
  cuda=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
  # 8.0;9.0 is 80,90 here.
  architectures=${CUDA_ARCHITECTURES//./}
  options+=(
    # Without GPUs all of it is C.
    --with-cxx=mpicxx --CXXOPTFLAGS="-g0 $level"
    --with-cuda=1 --with-cuda-dir="$cuda" --with-cudac="$nvcc" --with-cuda-arch="${architectures//;/,}"
    --CUDAOPTFLAGS="$level"
  )
fi
options+=(--COPTFLAGS="-g0 $level")

export PETSC_DIR=$SRC_DIR PETSC_ARCH=conda
# A module's flags and compilers would be asked for again; the wrappers know them.
unset CC CXX FC F77 F90 CPP CFLAGS CXXFLAGS FFLAGS FCFLAGS CPPFLAGS LDFLAGS

python ./configure "${options[@]}"
# It does not always end with a status when it has failed.
[ -e "$PETSC_ARCH/lib/petsc/conf/petscvariables" ]
make -j"$CPU_COUNT" MAKE_NP="$CPU_COUNT" all
make install

# What only rebuilding PETSc would need holds the places of this build.
rm -f "$PREFIX"/lib/petsc/conf/{configure-hash,*.log,.petsc*} "$PREFIX"/lib/petsc/conf/*.py
rm -rf "$PREFIX/share/petsc/examples" "$PREFIX/share/petsc/datafiles"

mkdir -p "$PREFIX/etc/conda/env_vars.d"
printf '{"PETSC_DIR": "%s"}\n' "$PREFIX" >"$PREFIX/etc/conda/env_vars.d/petsc.json"
