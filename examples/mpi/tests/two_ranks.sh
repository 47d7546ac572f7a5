#!/bin/bash
# Two ranks under the host's launcher add up a vector and agree on the sum.
set -euo pipefail

# The host's mpiexec stands behind the environment's bin/ on PATH.
exec mpiexec -n 2 python -c '
import sys

import mpi4py
import numpy
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, ranks = world.Get_rank(), world.Get_size()
assert ranks == 2, f"expected 2 ranks, got {ranks}: is this the launcher of the MPI that mpi4py was built with?"

mine = numpy.arange(1000, dtype="d") + rank
total = numpy.empty_like(mine)
world.Allreduce(mine, total, op=MPI.SUM)
expected = ranks * numpy.arange(1000) + ranks * (ranks - 1) / 2
assert numpy.array_equal(total, expected), "the sum is wrong"

library = MPI.Get_library_version().splitlines()[0]
print(f"rank {rank} of {ranks}: Python {sys.version.split()[0]}, mpi4py {mpi4py.__version__}, {library}")
'
