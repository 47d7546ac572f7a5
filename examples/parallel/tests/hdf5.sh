#!/bin/bash
# Two ranks write one file together, and each reads what the other wrote.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The host's mpiexec stands behind the environment's bin/ on PATH.
mpiexec -n 2 python -c '
import sys

import h5py
import numpy
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, ranks = world.Get_rank(), world.Get_size()
assert ranks == 2, f"expected 2 ranks, got {ranks}: is this the launcher of the MPI that mpi4py was built with?"

name = sys.argv[1] + "/together.h5"
with h5py.File(name, "w", driver="mpio", comm=world) as file:
    rows = file.create_dataset("rows", (ranks, 1000), dtype="f8")
    with rows.collective:
        rows[rank] = numpy.arange(1000) + rank
world.Barrier()
other = (rank + 1) % ranks
with h5py.File(name, "r", driver="mpio", comm=world) as file:
    assert numpy.array_equal(file["rows"][other], numpy.arange(1000) + other), "the other rank wrote something else"
print(f"rank {rank} of {ranks}: h5py {h5py.__version__} with HDF5 {h5py.version.hdf5_version}\n", end="")
' "$folder"
