"""What a training will take, from a few of its own steps: for `ganvas train --dry-run`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import torch

from ganvas.files import JsonObject
from ganvas.training.engine import peak_memory
from ganvas.training.session import Session
from ganvas.training.time_plan import FEWEST_SAMPLES

WARM_UP, STEPS = 2, 16  # the first ones prepare kernels; so many at most are timed, ...
SECONDS = 2.0  # ... in about this time


@dataclass(frozen=True)
class Expectation:
    """`seconds` are all told, `training_seconds` a part of them; `memory_bytes` at most."""

    images_per_second: float
    images: int
    steps: int
    training_seconds: float
    seconds: float
    memory_bytes: int

    def as_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return asdict(self)


def expect(session: Session) -> Expectation:
    """Times steps of the session's own trainer, which has moved afterwards: the session is to be thrown away."""
    trainer, plan, config = session.trainer, session.plan, session.config
    per_step, images = _timed(session)

    # What measuring takes, where a trial of it is no matter of minutes.
    wanted = session.evaluator.count
    if wanted and per_step < SECONDS / 4:
        measured = min(wanted, FEWEST_SAMPLES)
        seconds = session.evaluator.seconds_of(trainer, measured)
        plan.settle_measuring(seconds, measured, wanted, fixed=not session.samples_may_vary)

    # The first limit that is reached ends it.
    limits: list[float] = []
    allowed = plan.allowance(0.0, 0.0)
    if allowed is not None:
        limits.append(allowed)
    if config.steps is not None:
        limits.append(config.steps * per_step)
    if config.images is not None:
        limits.append(config.images / images * per_step)
    training = min(limits)
    memory = peak_memory(trainer.engine.device)
    if session.memory is not None:
        memory = max(memory, session.memory.total)
    steps = max(1, round(training / per_step))
    return Expectation(
        images_per_second=round(images / per_step, 1),
        images=round(steps * images),
        steps=steps,
        training_seconds=round(training, 1),
        seconds=round(plan.other(0.0) + training + plan.to_come(0.0), 1),
        memory_bytes=memory,
    )


def _timed(session: Session) -> tuple[float, float]:
    """(seconds, images) of a step, the mean over a few of them."""
    trainer = session.trainer
    taken = steps = 0.0
    first = trainer.images_seen
    for number in range(WARM_UP + STEPS):
        if number == WARM_UP:
            taken = steps = 0.0
            first = trainer.images_seen
        began = time.perf_counter()
        trainer.step()
        if trainer.engine.device.type == "cuda":
            torch.cuda.synchronize(trainer.engine.device)
        taken += time.perf_counter() - began
        steps += 1
        if taken > SECONDS:
            break
    return taken / steps, (trainer.images_seen - first) / steps
