#!/bin/bash
# Two ranks add up an array inside of a compiled function, and agree on the sum.
set -euo pipefail

export JAX_PLATFORMS=cpu
# The host's mpiexec stands behind the environment's bin/ on PATH.
exec mpiexec -n 2 python -c '
import jax
import jax.numpy as jnp
import mpi4jax
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, ranks = world.Get_rank(), world.Get_size()
assert ranks == 2, f"expected 2 ranks, got {ranks}: is this the launcher of the MPI that mpi4py was built with?"


@jax.jit
def add_up(mine):
    total, _ = mpi4jax.allreduce(mine * 2, op=MPI.SUM, comm=world)
    return total + 1


total = add_up(jnp.arange(1000.0) + rank)
expected = 2 * (ranks * jnp.arange(1000.0) + ranks * (ranks - 1) / 2) + 1
assert jnp.array_equal(total, expected), "the sum is wrong"
print(f"rank {rank} of {ranks}: mpi4jax {mpi4jax.__version__} with jax {jax.__version__}\n", end="")
'
