"""Which numbers a training multiplies: fp32; tf32, fp32 whose products are rounded to 10 bits of mantissa (NVIDIA GPUs from
Ampere on); or bf16 by autocast where the machine has the instructions and they pay.

`auto` takes TF32 wherever the GPU has it: weights, sums and everything but products stay fp32. Whether bf16 pays is two
questions, the cheap one first: are plain convolutions faster in bf16 (`choose_precision`), and is this method's own step
(trial.py)?
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch
from torch import nn

from ganvas.device import same_random_state, synchronize
from ganvas.errors import UsageError

PRECISIONS = ("auto", "fp32", "tf32", "bf16")
PAYS = 1.25  # plain convolutions in bf16 must be this much faster before "auto" takes it


def has_bf16(device: torch.device) -> bool:
    """True where the device multiplies bf16 by instructions of its own, not by emulation."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "xpu":
        return torch.xpu.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported"):
        supported = getattr(torch.cpu, name, None)  # not every PyTorch has all three
        if supported is not None and supported():
            return True
    return False


def has_tf32(device: torch.device) -> bool:
    """True on NVIDIA GPUs of compute capability 8.0 or newer."""
    if device.type != "cuda" or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def plain_precision(device: torch.device) -> str:
    """What `auto` takes where bf16 does not pay: "tf32" where the GPU has it, else "fp32"."""
    return "tf32" if has_tf32(device) else "fp32"


@contextlib.contextmanager
def tf32_allowed() -> Iterator[None]:
    """Inside, products and convolutions of fp32 numbers on CUDA may be computed in TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def usable_here(precision: str, device: torch.device) -> str:
    """The precision of an older run, perhaps of another machine: fp32 in place of what `device` has no instructions for."""
    if precision == "bf16" and not has_bf16(device):
        return "fp32"
    if precision == "tf32" and not has_tf32(device):
        return "fp32"
    return precision


def choose_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """("fp32" | "tf32" | "bf16", why). "auto" asks for the instructions first, then times bf16."""
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)} (got {precision!r})")
    if precision == "tf32" and not has_tf32(device):
        raise UsageError(
            f"precision tf32 is not usable here: this {device.type} has no TF32, which NVIDIA GPUs have from Ampere (2020) on."
            " Use --precision auto"
        )
    if precision != "auto":
        return precision, "as asked"
    plain = plain_precision(device)
    also = ", and TF32 keeps weights and sums in fp32" if plain == "tf32" else ""
    if not has_bf16(device):
        return plain, f"this {device.type} has no bf16 instructions{also}"
    ratio = bare_ratio(device)
    if ratio < PAYS:
        why = f"bf16 is only {ratio:.2f} times as fast here in a timed probe (from {PAYS} on it is used){also}"
        return plain, why
    return "bf16", f"bf16 is {ratio:.1f} times as fast here in a timed probe"


def bare_ratio(device: torch.device) -> float:
    """Time of fp32 (TF32 where the GPU has it) over time of bf16 for forward and backward of two 3x3 convolutions on 32 images
    of 14 x 14 x 64."""
    with same_random_state(device):  # the probe must not move the training's random state
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
            synchronize(device)
            best = min(best, time.perf_counter() - start)
        return best

    with tf32_allowed() if has_tf32(device) else contextlib.nullcontext():
        return seconds(False) / seconds(True)
