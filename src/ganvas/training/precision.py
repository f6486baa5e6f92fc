"""Which numbers a training multiplies: fp32, or bf16 by autocast where the machine has the instructions and they pay.

Two questions, the cheap one first: are plain convolutions faster in bf16 (`choose_precision`), and is this method's own step
(`step_ratio`)? Small matrix products, and networks of many small operations, can lose by it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ganvas.errors import UsageError

if TYPE_CHECKING:
    from ganvas.training.trainer import Trainer

PRECISIONS = ("auto", "fp32", "bf16")
PAYS = 1.25  # plain convolutions in bf16 must be this much faster before "auto" takes it
STEPS = 16  # at most, in each precision
STRIDE = 5  # from one to the next, so that few of them already lie all over the budget
SECONDS = 2.0  # about so long for all of them; one longer step alone, and it is not asked


def has_bf16(device: torch.device) -> bool:
    """True where the device multiplies bf16 by instructions of its own, not by emulation."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(getattr(torch.cpu, ask)() for ask in asks if hasattr(torch.cpu, ask))


def usable_here(precision: str, device: torch.device) -> str:
    """The precision of an older run, perhaps of another machine: fp32 in place of a bf16 that `device` would emulate."""
    return "fp32" if precision == "bf16" and not has_bf16(device) else precision


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
            _finish(device)
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(False) / seconds(True)


def step_ratio(trainer: Trainer) -> float | None:
    """Time of this trainer's own steps in fp32 over that in bf16; None where a step takes too long to be tried.

    The trainer's budget is STEPS steps, of which both precisions take the same ones, from all over it: so that phases, and what
    comes only every so often, count for both as they will in training. The trainer has moved afterwards: it is for nothing else.
    """
    engine, spent = trainer.engine, {"fp32": 0.0, "bf16": 0.0}
    warm = 1 if len({update.span for update in trainer.updates}) == 1 else STRIDE
    began = 0.0
    for turn in range(warm + STEPS):
        if turn == warm:  # the steps before this one prepare kernels
            began = time.perf_counter()
        for precision in spent:
            place = (turn if turn < warm else turn - warm) * STRIDE % STEPS
            trainer.engine, trainer.steps = replace(engine, precision=precision), place
            start = time.perf_counter()
            trainer.step()
            _finish(engine.device)
            took = time.perf_counter() - start
            if turn >= warm:
                spent[precision] += took
            elif took > SECONDS:
                return None
        if turn >= 2 * warm - 1 and time.perf_counter() - began > SECONDS:
            break
    return spent["fp32"] / spent["bf16"]


def _finish(device: torch.device) -> None:
    """Waits until the device has done what it was told, so that the clock may be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
