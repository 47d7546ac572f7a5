#!/bin/bash
set -euo pipefail

for wrapper in mpicc h5pcc; do
  if ! command -v "$wrapper" >/dev/null; then
    echo "h5py needs the host's MPI and a parallel HDF5 made with it: no $wrapper on PATH (load their modules)" >&2
    exit 1
  fi
done

# Where HDF5 lies, as its own wrapper says: the first folder of headers and the first of libraries.
shown=$(h5pcc -show)
folder_of() {
  local flag=$1 word
  for word in $shown; do
    case $word in
      "$flag"?*) printf '%s\n' "${word#"$flag"}" && return ;;
    esac
  done
}
HDF5_INCLUDEDIR=$(folder_of -I)
HDF5_LIBDIR=$(folder_of -L)
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v h5pcc)")")")
# A wrapper that names no folder of its own lies in HDF5's own bin/.
export HDF5_INCLUDEDIR=${HDF5_INCLUDEDIR:-$prefix/include}
export HDF5_LIBDIR=${HDF5_LIBDIR:-$prefix/lib}
[ -e "$HDF5_INCLUDEDIR/hdf5.h" ] || { echo "$HDF5_INCLUDEDIR has no hdf5.h: h5pcc -show says: $shown" >&2 && exit 1; }
[ -e "$HDF5_LIBDIR/libhdf5.so" ] || { echo "$HDF5_LIBDIR has no libhdf5.so: h5pcc -show says: $shown" >&2 && exit 1; }

export CC=mpicc HDF5_MPI=ON
# Its old way to ask the network for build requirements. They are here.
export H5PY_SETUP_REQUIRES=0
# The C is generated, and only calls into HDF5: a higher level costs minutes and gains nothing.
export CFLAGS="-g0 -O1"

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v
