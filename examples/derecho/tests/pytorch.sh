#!/bin/bash
# Two ranks add up a tensor by MPI, and by NCCL where each of them has a GPU.
set -euo pipefail

# The host's mpiexec stands behind the environment's bin/ on PATH.
exec mpiexec -n 2 python -c '
import os
import socket

import torch
import torch.distributed as distributed
import torchvision
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, ranks = world.Get_rank(), world.Get_size()
assert ranks == 2, f"expected 2 ranks, got {ranks}: is this the launcher of the MPI that torch was built with?"


def add_up(device):
    tensor = torch.arange(1000, dtype=torch.float64, device=device) + rank
    distributed.all_reduce(tensor)
    expected = ranks * torch.arange(1000, dtype=torch.float64) + ranks * (ranks - 1) / 2
    assert torch.equal(tensor.cpu(), expected), "the sum is wrong"
    distributed.destroy_process_group()


distributed.init_process_group("mpi")
add_up("cpu")
said = "MPI"
if min(world.allgather(torch.cuda.device_count())) >= ranks:
    torch.cuda.set_device(rank)
    host, port = world.bcast((socket.gethostname(), 29500 + os.getpid() % 1000) if rank == 0 else None)
    distributed.init_process_group("nccl", init_method=f"tcp://{host}:{port}", rank=rank, world_size=ranks)
    add_up("cuda")
    said = "MPI and NCCL"
model = torchvision.models.resnet18(weights=None)
assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
print(f"rank {rank} of {ranks}: torch {torch.__version__} over {said}\n", end="")
'
