"""The device of a training or a task, by name."""

from __future__ import annotations

import torch

from ganvas.errors import UsageError


def choose_device(device: str, local_rank: int = 0) -> torch.device:
    """ "auto": CUDA, else Apple's MPS, else the CPU. UsageError where the one asked for is missing."""
    if device == "auto":
        device = _best_device()
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UsageError(f"device must be auto, cpu, cuda, cuda:N or mps (got {device!r})") from None
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(
                f"device {device} is not usable here: this PyTorch ({torch.__version__}) sees no CUDA GPU. Use --device auto"
            )
        index = local_rank if chosen.index is None else chosen.index
        if index >= torch.cuda.device_count():
            raise UsageError(f"device cuda:{index} does not exist: this machine has {torch.cuda.device_count()} GPU(s)")
        torch.cuda.set_device(index)
        return torch.device("cuda", index)
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(
            "device mps is not usable here: it needs Apple silicon and a PyTorch built for it. Use --device auto"
        )
    if chosen.type not in ("cpu", "mps"):
        raise UsageError(f"device must be auto, cpu, cuda, cuda:N or mps (got {device!r})")
    return chosen


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
