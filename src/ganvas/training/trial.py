"""Whether bf16 pays for a method's own step: timed on a copy of the training, which is thrown away.

Plain convolutions may gain by bf16 (see precision.py) where small matrix products, and networks of many small operations, lose.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from ganvas.device import release_memory, synchronize
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.precision import plain_precision
from ganvas.training.engine import Engine
from ganvas.training.trainer import Budget, NonFinite, Trainer

MAX_STEPS = 16  # at most, in each precision
STRIDE = 5  # from one to the next, so that few of them already lie all over the budget
TRIAL_SECONDS = 2.0  # about so long for all of them; one longer step alone, and it is not asked

BuildTrainer = Callable[[Method, Budget, Engine], Trainer]


def settle_precision(method: Method, engine: Engine, build: BuildTrainer) -> Engine:
    """The engine with fp32 (or tf32) where bf16 makes this method's own step slower, else as it is. The leading process tries,
    on its own share of a batch, and all follow it."""
    if engine.precision != "bf16":
        return engine
    ratio = 0.0  # not known
    if engine.leads:
        ratio = _ratio_of(method, engine, build) or 0.0
    (ratio,) = engine.agree(ratio)
    if not ratio:
        return engine
    plain = plain_precision(engine.device)
    why = f"bf16 is {ratio:.2f} times as fast as {plain} in this method's own step, timed here"
    return replace(engine, precision="bf16" if ratio > 1 else plain, why=why)


def _ratio_of(method: Method, engine: Engine, build: BuildTrainer) -> float | None:
    """Time of fp32 over time of bf16; None where that cannot be tried."""
    try:
        own = method.with_settings({"batch_size": method.batch_size // engine.ranks})
        return step_ratio(build(own, Budget(steps=MAX_STEPS), replace(engine, ranks=1)))
    except UsageError:  # a share may be smaller than a whole batch must be
        return None
    except (NonFinite, torch.OutOfMemoryError):  # the training itself may do without fp32, or will say so
        return None
    finally:
        release_memory(engine.device)


def step_ratio(trainer: Trainer) -> float | None:
    """Time of this trainer's own steps in fp32 (or tf32) over that in bf16; None where a step takes too long to be tried.

    The trainer's budget is MAX_STEPS steps, of which both precisions take the same ones, from all over it: so that phases,
    and what comes only every so often, count for both as they will in training. The trainer has moved afterwards and is
    for nothing else.
    """
    plain = plain_precision(trainer.engine.device)
    spent = {plain: 0.0, "bf16": 0.0}
    phases = {update.span for update in trainer.updates}
    warmup = 1 if len(phases) == 1 else STRIDE  # steps that only prepare kernels
    began = 0.0
    for turn in range(warmup + MAX_STEPS):
        if turn == warmup:
            began = time.perf_counter()
        counts = turn >= warmup
        number = turn - warmup if counts else turn
        for precision in spent:
            start = time.perf_counter()
            trainer.trial_step(number * STRIDE % MAX_STEPS, precision)
            synchronize(trainer.engine.device)
            took = time.perf_counter() - start
            if counts:
                spent[precision] += took
            elif took > TRIAL_SECONDS:
                return None
        every_phase_met = turn >= 2 * warmup - 1
        if every_phase_met and time.perf_counter() - began > TRIAL_SECONDS:
            break
    return spent[plain] / spent["bf16"]
