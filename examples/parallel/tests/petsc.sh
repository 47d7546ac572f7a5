#!/bin/bash
# Two ranks solve one system of equations, each with half of its rows.
set -euo pipefail

[[ $PETSC_DIR == "$CONDA_PREFIX" ]]

# The host's mpiexec stands behind the environment's bin/ on PATH.
exec mpiexec -n 2 python -c '
from mpi4py import MPI
from petsc4py import PETSc

world = PETSc.COMM_WORLD
rank, ranks = world.getRank(), world.getSize()
assert ranks == 2 == MPI.COMM_WORLD.Get_size(), f"expected 2 ranks, got {ranks}: is this the launcher of that MPI?"

# The Laplacian in one dimension, and the right side for which the solution is all ones.
size = 100
matrix = PETSc.Mat().createAIJ((size, size), nnz=3, comm=world)
first, behind = matrix.getOwnershipRange()
assert 0 < behind - first < size
for row in range(first, behind):
    for column in range(max(row - 1, 0), min(row + 2, size)):
        matrix[row, column] = 2.0 if column == row else -1.0
matrix.assemble()
ones, right, solution = matrix.createVecRight(), matrix.createVecLeft(), matrix.createVecRight()
ones.set(1)
matrix.mult(ones, right)
solver = PETSc.KSP().create(comm=world)
solver.setOperators(matrix)
solver.setType("cg")
solver.setTolerances(rtol=1e-12)
solver.solve(right, solution)
assert solver.is_converged, solver.reason
solution.axpy(-1, ones)
assert solution.norm() < 1e-6, solution.norm()
version = ".".join(map(str, PETSc.Sys.getVersion()))
print(f"rank {rank} of {ranks}: PETSc {version} in {solver.its} steps\n", end="")
'
