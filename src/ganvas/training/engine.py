"""Where a training runs: device, precision, threads, and the processes it shares the work with.

The only file that knows torch.distributed. Gradients are averaged flat, one message an update; no wrapper around the networks,
which would skip every call but `forward`.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import platform
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.rendezvous import rendezvous

from ganvas.device import choose_device, is_accelerator, name_of
from ganvas.device import peak_memory as device_peak
from ganvas.errors import UsageError
from ganvas.precision import PRECISIONS, choose_precision, tf32_allowed
from ganvas.training.environment import Environment, environment

BACKENDS = {"cuda": "cpu:gloo,cuda:nccl", "xpu": "cpu:gloo,xpu:xccl"}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BYTES, LARGEST_KEPT = 2**30, 2**28  # of freed memory, and of a tensor in it

_joined = itertools.count()  # groups that this process was in; equal on all ranks


@dataclass(frozen=True)
class Engine:
    """One process of a training. Make it with `start_engine`."""

    device: torch.device
    precision: str
    why: str
    """Why this precision, in words."""
    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """True in the one process that writes and prints."""
        return self.rank == 0

    def autocast(self) -> torch.autocast:
        """The context in which losses are computed."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def arithmetic(self) -> AbstractContextManager[None]:
        """The context of a whole update, its backward pass too: where fp32 numbers may be multiplied in TF32."""
        if self.precision != "tf32":
            return contextlib.nullcontext()
        return tf32_allowed()

    def average(self, tensors: list[Tensor]) -> None:
        """Replaces tensors by their mean over the ranks: one flat message."""
        if self.ranks == 1 or not tensors:  # a method without buffers has none to average
            return
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.ranks
        start = 0
        for tensor in tensors:
            tensor.detach().copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def average_buffers(self, module: nn.Module, but: tuple[str, ...] = ()) -> None:
        """Running statistics, which each rank gathers on its own examples; all but those named."""
        buffers = []
        for name, buffer in module.named_buffers():
            if buffer.is_floating_point() and name not in but:
                buffers.append(buffer)
        self.average(buffers)

    def gather_rows(self, tensor: Tensor) -> None:
        """Fills a tensor with one row for each of the global batch, of which each rank has its own share right."""
        if self.ranks == 1:
            return
        share = len(tensor) // self.ranks
        own_rows = slice(self.rank * share, (self.rank + 1) * share)
        rows = torch.zeros_like(tensor)
        rows[own_rows] = tensor[own_rows]
        dist.all_reduce(rows)
        tensor.copy_(rows)

    def agree(self, *values: float) -> tuple[float, ...]:
        """The largest value over all ranks, for each: so that all stop, save and schedule at the same step."""
        if self.ranks == 1:
            return values
        together = torch.tensor(values, dtype=torch.float64)  # on the host, by gloo: no device has to finish its queue
        dist.all_reduce(together, dist.ReduceOp.MAX)
        return tuple(together.tolist())

    def copy_from_lead(self, module: nn.Module) -> None:
        """All ranks start from rank 0's parameters and buffers."""
        if self.ranks > 1:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.detach(), 0)

    def wait(self) -> None:
        """Until every rank is here."""
        if self.ranks > 1:
            dist.all_reduce(torch.zeros(1))  # a barrier between hosts; dist.barrier() would stop the devices

    def close(self) -> None:
        """Leaves the group of processes."""
        if self.ranks > 1 and dist.is_initialized():
            dist.destroy_process_group()


def start_engine(device: str = "auto", precision: str = "auto") -> Engine:
    """Joins the other processes where torchrun started several, and settles device, precision and threads."""
    process = environment()
    where = choose_device(device, process.local_rank)
    if process.ranks > 1 and not dist.is_initialized():
        _share_threads(process)
        _join(where, process)
    if where.type == "cpu":
        _keep_freed_memory()
    if where.type == "cuda":
        torch.backends.cudnn.benchmark = True
    chosen, why = choose_precision(precision, where)
    if process.ranks > 1:  # near the border two ranks could choose differently
        lead = torch.tensor(PRECISIONS.index(chosen))
        dist.broadcast(lead, 0)
        chosen = PRECISIONS[int(lead)]
    return Engine(where, chosen, why, process.rank, process.ranks)


def _keep_freed_memory() -> None:
    """glibc gives large tensors back to the system when they are freed, and takes each page anew for the next. Where sizes change
    from step to step that takes a third of the time (docs/experiments/machine_translation.md)."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)


def machine_name(device: torch.device) -> str:
    """What the device is, in words: "NVIDIA H200", or the processor's own name and its number of cores."""
    if is_accelerator(device):
        return name_of(device) or device.type
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as facts:
        for line in facts:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def peak_memory(device: torch.device) -> int:
    """Most memory used so far, in bytes: the GPU's where there is one, else this process's largest resident size."""
    of_device = device_peak(device)
    if of_device is not None:
        return of_device
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def compile_networks(networks: Iterable[nn.Module]) -> None:
    """Compiles in place; names and checkpoints stay as they are."""
    for network in networks:
        network.compile(dynamic=False)


def _share_threads(process: Environment) -> None:
    # Each rank taking all cores would leave every one of them waiting for the others.
    if "OMP_NUM_THREADS" not in os.environ or process.by_torchrun:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // process.local_ranks))


def _join(device: torch.device, process: Environment) -> None:
    if not dist.is_available():
        raise UsageError("this PyTorch was built without torch.distributed: train in one process")
    # After a restart by torchrun, and after an earlier training of this process, old keys still lie in its store: a prefix
    # of its own keeps each try apart.
    store, rank, ranks = next(iter(rendezvous("env://", process.rank, process.ranks, timeout=timedelta(minutes=10))))
    # Gradients go from device to device; what decides about stopping and saving goes from host to host.
    backend = BACKENDS.get(device.type, "gloo")
    prefix = f"ganvas-{process.restarts}-{next(_joined)}"
    dist.init_process_group(backend, store=PrefixStore(prefix, store), rank=rank, world_size=ranks)
