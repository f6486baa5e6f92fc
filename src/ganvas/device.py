"""The device of a training or a task, by name; and what PyTorch calls by another name on each accelerator.

CUDA (and ROCm), Intel's XPU, Apple's MPS: the rest of the package asks here, so that a new accelerator, or an older PyTorch
without parts of torch.accelerator, concerns this file alone. A CPU has no queue: what waits for an accelerator does nothing
there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import UsageError

DEVICES = "auto, cpu, cuda, cuda:N, xpu, xpu:N or mps"
ACCELERATORS = ("cuda", "xpu", "mps")  # in the order in which "auto" looks for them

_KINDS = {"cuda": "CUDA GPU", "xpu": "Intel GPU", "mps": "Apple GPU (it needs Apple silicon)"}


def choose_device(device: str, local_rank: int = 0) -> torch.device:
    """ "auto": CUDA, else Intel's XPU, else Apple's MPS, else the CPU. UsageError where the one asked for is missing.

    fp32 is fp32 from here on: PyTorch would multiply convolutions on CUDA in TF32 unless told otherwise (see ganvas.precision).
    """
    if device == "auto":
        device = next(filter(available, ACCELERATORS), "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = torch.device("meta")
    if chosen.type not in ("cpu", *ACCELERATORS):
        raise UsageError(f"device must be {DEVICES} (got {device!r})")
    if chosen.type == "cpu":
        return chosen
    if not available(chosen.type):
        raise UsageError(
            f"device {device} is not usable here: this PyTorch ({torch.__version__}) sees no {_KINDS[chosen.type]}."
            " Use --device auto"
        )
    if chosen.type == "mps":
        return chosen
    index = local_rank if chosen.index is None else chosen.index
    if index >= count(chosen.type):
        raise UsageError(
            f"device {chosen.type}:{index} does not exist: this machine has {count(chosen.type)} {_KINDS[chosen.type]}(s)"
        )
    chosen = torch.device(chosen.type, index)
    select(chosen)
    forbid_tf32()
    return chosen


def is_accelerator(device: torch.device) -> bool:
    """True where work is queued for another processor, so that asking for a value waits for the whole queue."""
    return device.type != "cpu"


def available(kind: str) -> bool:
    """Whether this PyTorch finds a device of that kind: "cuda", "xpu" or "mps"."""
    module = getattr(torch.backends if kind == "mps" else torch, kind, None)
    return module is not None and module.is_available()


def count(kind: str) -> int:
    """How many devices of a kind this machine has."""
    if kind == "mps":
        return int(available(kind))
    return _module(kind).device_count() if available(kind) else 0


def select(device: torch.device) -> None:
    """Makes a device the one that new tensors of its kind go to."""
    if device.type in ("cuda", "xpu"):
        _module(device.type).set_device(device)


def name_of(device: torch.device) -> str:
    """ "NVIDIA H200"; "" where PyTorch knows no name."""
    if device.type in ("cuda", "xpu"):
        return _module(device.type).get_device_name(device)
    return "Apple GPU" if device.type == "mps" else ""


def forbid_tf32() -> None:
    """fp32 numbers are multiplied as fp32 numbers, in convolutions too. What a metric says does not depend on the GPU then."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def synchronize(device: torch.device) -> None:
    """Waits until the device has finished, so that a clock may be read."""
    if device.type in ACCELERATORS:
        _module(device.type).synchronize()


def free_memory(device: torch.device) -> int | None:
    """Bytes of an accelerator that nobody holds; None where PyTorch cannot tell, and for a CPU."""
    if device.type in ("cuda", "xpu"):
        ask = getattr(_module(device.type), "mem_get_info", None) or getattr(_accelerator(), "get_memory_info", None)
        with contextlib.suppress(RuntimeError):  # a driver may refuse to tell
            return None if ask is None else int(ask(device)[0])
    if device.type == "mps":
        recommended = getattr(torch.mps, "recommended_max_memory", None)  # not in every PyTorch
        if recommended is not None:
            return max(0, int(recommended()) - torch.mps.driver_allocated_memory())
    return None


def peak_memory(device: torch.device) -> int | None:
    """Most bytes of an accelerator that tensors held at once; None where PyTorch cannot tell, and for a CPU."""
    if device.type in ("cuda", "xpu"):
        return _module(device.type).max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return None


def release_memory(device: torch.device) -> None:
    """Gives cached memory back, and counts the peak anew."""
    if device.type in ACCELERATORS:
        _module(device.type).empty_cache()
    if device.type in ("cuda", "xpu"):
        _module(device.type).reset_peak_memory_stats(device)


def random_state(device: torch.device) -> Tensor | None:
    """The state of the accelerator's own generator; None for a CPU."""
    if device.type in ("cuda", "xpu"):
        return _module(device.type).get_rng_state(device)
    if device.type == "mps":
        return torch.mps.get_rng_state()
    return None


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Puts back what `random_state` gave."""
    if device.type in ("cuda", "xpu"):
        _module(device.type).set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)


@contextlib.contextmanager
def same_random_state(device: torch.device) -> Iterator[None]:
    """Afterwards the generators of the CPU and of the device are as they were."""
    with torch.random.fork_rng(devices=[]):
        state = random_state(device)
        try:
            yield
        finally:
            if state is not None:
                set_random_state(device, state)


# --- from the host to the device ----------------------------------------------------------------------------------------


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on `device`, without waiting: a copy from pageable memory would wait for all queued work."""
    if device.type in ("cuda", "xpu"):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def scalar(value: Tensor | float, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor as it is, or a number of Python as a tensor () that the device fills: torch.tensor(value, device=...) would
    copy it from the host, and wait."""
    if isinstance(value, Tensor):
        return value.to(device, dtype)
    return torch.full((), value, dtype=dtype, device=device)


Sent = tuple[list[Tensor], object]
"""Tensors on their way to a device, and the event that ends their copy; None where they pass through."""


class CopyStream:
    """Copies to a device beside what it computes: on a stream of its own, from page-locked memory.

    `send` may be called in another thread than `receive`. On a CPU, and on Apple's GPU, which shares the host's memory, tensors
    pass through.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream: Any = None
        if device.type in ("cuda", "xpu"):
            self._stream = _module(device.type).Stream(device)

    def send(self, tensors: Sequence[Tensor]) -> Sent:
        """Begins to copy; what `receive` takes."""
        if self._stream is None:
            return [tensor.to(self.device) for tensor in tensors], None
        select(self.device)  # each thread has its own current device
        pinned = [tensor.pin_memory() for tensor in tensors]
        with _module(self.device.type).stream(self._stream):
            copies = [tensor.to(self.device, non_blocking=True) for tensor in pinned]
            return copies, self._stream.record_event()

    def receive(self, sent: Sent) -> list[Tensor]:
        """The tensors on the device. What is queued from here on waits for the copy; the host does not."""
        copies, event = sent
        if self._stream is None:
            return copies
        current = _module(self.device.type).current_stream(self.device)
        current.wait_event(event)
        for tensor in copies:
            tensor.record_stream(current)  # their memory is in use there, whoever allocated it
        return copies


def _module(kind: str) -> ModuleType:
    return getattr(torch, kind)


def _accelerator() -> Any:
    return getattr(torch, "accelerator", None)


def channels_last(network: nn.Module) -> nn.Module:
    """The network, with the weights of 2-D convolutions laid out as `channels_last`, which is faster. Those of 3-D ones stay.

    By `to`, as Module.to does: `contiguous` leaves the strides of a single channel, which chooses other kernels."""
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.ndim == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)
    return network
