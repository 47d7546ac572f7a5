#!/bin/bash
set -euo pipefail

if ! MPICC=$(command -v mpicc); then
  echo "mpi4py needs the host's MPI: no mpicc on PATH (load its module, or install its compiler wrappers)" >&2
  exit 1
fi
# The same compiler for both series: 3.x reads MPICC, 4.x reads MPI4PY_BUILD_MPICC.
export MPICC MPI4PY_BUILD_MPICC="$MPICC"

# One generated C file is the whole of mpi4py. At -O3 with debug information it takes a compiler many minutes and
# gigabytes, and gains nothing: each function only calls into MPI.
export CFLAGS="-g0 -O1"

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v
