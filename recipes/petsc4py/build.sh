#!/bin/bash
set -euo pipefail

export PETSC_DIR=$PREFIX
unset PETSC_ARCH
# One generated C file is the whole of petsc4py, as with mpi4py.
export CFLAGS="-g0 -O1"

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v
