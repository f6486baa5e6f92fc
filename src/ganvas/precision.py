"""Which numbers a training multiplies: fp32, or bf16 by autocast where the machine has the instructions and they pay.

Two questions, the cheap one first: are plain convolutions faster in bf16 (`choose_precision`), and is this method's own step
(trial.py)?
"""

from __future__ import annotations

import time

import torch
from torch import nn

from ganvas.errors import UsageError

PRECISIONS = ("auto", "fp32", "bf16")
PAYS = 1.25  # plain convolutions in bf16 must be this much faster before "auto" takes it


def has_bf16(device: torch.device) -> bool:
    """True where the device multiplies bf16 by instructions of its own, not by emulation."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported"):
        supported = getattr(torch.cpu, name, None)  # not every PyTorch has all three
        if supported is not None and supported():
            return True
    return False


def usable_here(precision: str, device: torch.device) -> str:
    """The precision of an older run, perhaps of another machine: fp32 in place of a bf16 that `device` would emulate."""
    if precision == "bf16" and not has_bf16(device):
        return "fp32"
    return precision


def choose_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """("fp32" | "bf16", why). "auto" asks for the instructions first, then times both."""
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)} (got {precision!r})")
    if precision != "auto":
        return precision, "as asked"
    if not has_bf16(device):
        return "fp32", f"this {device.type} has no bf16 instructions"
    ratio = bare_ratio(device)
    if ratio < PAYS:
        return "fp32", f"bf16 is only {ratio:.2f} times as fast here in a timed probe (from {PAYS} on it is used)"
    return "bf16", f"bf16 is {ratio:.1f} times as fast here in a timed probe"


def bare_ratio(device: torch.device) -> float:
    """Time of fp32 over time of bf16 for forward and backward of two 3x3 convolutions on 32 images of 14 x 14 x 64."""
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=forked):  # the probe must not move the training's random state
        network = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(64, 64, 3, padding=1)).to(
            device
        )
        images = torch.randn(32, 64, 14, 14, device=device).contiguous(memory_format=torch.channels_last)

    def seconds(enabled: bool) -> float:
        best = float("inf")
        for _ in range(4):
            start = time.perf_counter()
            for _ in range(4):
                with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
                    loss = network(images).float().square().mean()
                loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(False) / seconds(True)
