"""How much memory a training takes, estimated before anything large is built; and what fits where it is too much."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ganvas.chunks import CHUNK
from ganvas.data import Dataset
from ganvas.data.kinds import KINDS
from ganvas.data.kinds.feeds import RESIDENT_BYTES
from ganvas.data.spec import DataSpec
from ganvas.errors import TrainingError
from ganvas.method import Method
from ganvas.training.engine import Engine
from ganvas.training.step_cost import StepCost, meta_parameters, step_cost, works

PROGRAM_BYTES = 450_000_000  # Python, PyTorch and what measuring loads
WORKSPACE_FACTOR = 1.6  # what a step takes in all over what it keeps for its gradients: temporaries, reordered copies
SAMPLING_VALUES = 24  # values a place and channel that generating without gradients holds at a time
SMALL_BATCH_PIXELS = 2**15  # places in a batch below which nobody has to ask
MEMORY_SHARE = 0.9  # of the free memory that a training may take
MIN_SIDE = 16


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes, by what needs them."""

    program: int
    data: int
    weights: int
    step: int
    sampling: int

    @property
    def total(self) -> int:
        """The largest sum at any time: a step and a sampling do not meet."""
        return self.program + self.data + self.weights + max(self.step, self.sampling)

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return {
            "program": self.program, "data": self.data, "weights": self.weights, "step": self.step,
            "sampling": self.sampling, "total": self.total,
        }  # fmt: skip


def estimate(method: Method, spec: DataSpec, data_bytes: int, batch_size: int) -> MemoryEstimate | None:
    """For one process with `batch_size` examples of its own; None where a step cannot be counted (codes)."""
    cost = step_cost(method, spec)
    if cost is None:
        return None
    places = KINDS[spec.kind].places(spec, method.window)
    batch_bytes = 4 * spec.channels * places * batch_size
    return MemoryEstimate(
        program=PROGRAM_BYTES,
        data=min(data_bytes, RESIDENT_BYTES),
        weights=_weights(method, spec, cost),
        step=int(WORKSPACE_FACTOR * cost.activations * places * batch_size) + 3 * batch_bytes,
        sampling=4 * SAMPLING_VALUES * places * CHUNK * spec.channels,
    )


def _weights(method: Method, spec: DataSpec, cost: StepCost) -> int:
    """In proportion to the parameters for examples of this size, else to their pixels."""
    small = replace(spec, height=cost.counted_on.height, width=cost.counted_on.width)
    large_count, small_count = meta_parameters(method, spec), meta_parameters(method, small)
    if large_count and small_count:
        return int(cost.weights * large_count / small_count)
    return int(cost.weights * spec.height * spec.width / (small.height * small.width))


def data_bytes(data: Dataset) -> int:
    """Of the split that is trained on, with its partners."""
    total = data.examples.nbytes
    if data.partners is not None:
        total += data.partners.nbytes
    return total


def check_memory(method: Method, data: Dataset, engine: Engine, free: int | None = None) -> MemoryEstimate | None:
    """TrainingError where the training cannot fit into the free memory, with the largest batch and size that do. None where that
    is not estimated."""
    spec, kind = data.spec, data.kind
    if method.batch_size * kind.places(spec, method.window) <= SMALL_BATCH_PIXELS:
        return None
    share = max(1, method.batch_size // engine.ranks)
    needed = estimate(method, spec, data_bytes(data), share)
    if free is None:
        free = free_memory(engine.device)
    if needed is None or free is None or needed.total <= MEMORY_SHARE * free:
        return needed
    cures = _smaller_batch(method, data, engine, free)
    cures += _smaller_size(method, data, engine, free) if kind.is_image else [kind.less]
    advice = "train on a machine with more memory"
    if cures:
        advice = "choose " + ", or ".join(cures)
    raise TrainingError(
        f"{method.name} on {kind.examples_in_words(spec)} with batches of {method.batch_size} takes about"
        f" {in_words(needed.total)} of memory (a step {in_words(needed.step)}, weights {in_words(needed.weights)}, data"
        f" {in_words(needed.data)}), and {in_words(free)} are free: {advice}"
    )


def _smaller_batch(method: Method, data: Dataset, engine: Engine, free: int) -> list[str]:
    """The largest batch that fits and that the method takes, if there is one."""
    batch_size = method.batch_size - 1
    while batch_size >= 1:
        needed = estimate(method, data.spec, data_bytes(data), max(1, batch_size // engine.ranks))
        fits = needed is not None and needed.total <= MEMORY_SHARE * free
        if fits and works(method, batch_size, engine.ranks, data.spec):
            return [f"--set batch_size={batch_size}"]
        batch_size = batch_size - 1 if fits else batch_size * 7 // 8
    return []


def _smaller_size(method: Method, data: Dataset, engine: Engine, free: int) -> list[str]:
    """The largest size of these proportions that fits, sides being multiples of 8."""
    spec = data.spec
    longest = max(spec.height, spec.width)
    side = (longest - 1) // 8 * 8
    while side >= MIN_SIDE:
        height, width = (max(8, 8 * round(one * side / longest / 8)) for one in (spec.height, spec.width))
        scale = height * width / (spec.height * spec.width)
        smaller = replace(spec, height=height, width=width)
        bytes_then = int(data_bytes(data) * scale)
        needed = estimate(method, smaller, bytes_then, max(1, method.batch_size // engine.ranks))
        if needed is not None and needed.total <= MEMORY_SHARE * free and meta_parameters(method, smaller) is not None:
            return [f"--set data.size={height}x{width}"]
        side = min(side - 8, side * 7 // 8 // 8 * 8)
    return []


def in_words(count: float) -> str:
    """ "1.3 GB", "420 MB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{max(1, round(count / 1e6))} MB"


# --- what is free -----------------------------------------------------------------------------------------------------


def free_memory(device: torch.device) -> int | None:
    """Bytes that a training could still take: of the GPU, or of this machine and its control group; None where nobody knows."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limits = [one for one in (_available(), _left_in_group()) if one is not None]
    return min(limits, default=None)


def _available() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    return None


def _left_in_group() -> int | None:
    """Of a container's control group, versions 2 and 1."""
    root = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):
            allowed = (root / limit).read_text().strip()
            if allowed != "max" and int(allowed) < 2**60:
                return max(0, int(allowed) - int((root / used).read_text()))
    return None
