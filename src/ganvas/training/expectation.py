"""What a training will take, from a few of its own steps: for `ganvas train --dry-run`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from ganvas.device import synchronize
from ganvas.files import JsonObject
from ganvas.training.engine import peak_memory
from ganvas.training.session import Session
from ganvas.training.time_plan import FEWEST_SAMPLES, MIN_TRAINING_SHARE
from ganvas.training.trainer import Trainer

TIMED_STEPS = (
    8  # that are timed at most, after a first one that prepares kernels: two rounds of what comes every fourth step
)
TIMED_SECONDS = 1.0  # for all of them, about: no further step begins after it
LONG_STEP_SECONDS = 0.5  # seconds: of a training with longer ones no measurement is tried, which would take a minute


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
    session.evaluator.tell = lambda *_: None  # there is no folder that could take what cannot be measured
    per_step, images = _timed(session)

    # What measuring takes, where a trial of it is no matter of minutes.
    wanted, real_seconds = session.evaluator.count, 0.0
    if wanted and per_step < LONG_STEP_SECONDS:
        measured = min(wanted, FEWEST_SAMPLES)
        if session.data.kind.is_image:
            seconds, real_seconds = session.evaluator.seconds_by_a_few(trainer, measured)
        else:
            seconds = session.evaluator.seconds_of(trainer, measured)
        plan.settle_measuring(seconds, measured, wanted, fixed=not session.samples_may_vary)

    # The first limit that is reached ends it.
    limits: list[float] = []
    allowed = plan.allowance(0.0, 0.0)
    if allowed is not None and plan.budget is not None:
        limits.append(max(allowed - real_seconds, MIN_TRAINING_SHARE * plan.budget))
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
        seconds=round(plan.other(0.0) + real_seconds + training + plan.to_come(0.0), 1),
        memory_bytes=memory,
    )


def _timed(session: Session) -> tuple[float, float]:
    """(seconds, images) of a step: the mean over a few of them, without the first where there is time for more."""
    trainer = session.trainer
    began = time.perf_counter()
    taken = _step_seconds(trainer)
    images = float(trainer.images_seen)
    if taken > TIMED_SECONDS:
        return taken, images

    before, steps, taken = trainer.images_seen, 0, 0.0
    while steps < TIMED_STEPS and (not steps or time.perf_counter() - began < TIMED_SECONDS):
        taken += _step_seconds(trainer)
        steps += 1
    return taken / steps, (trainer.images_seen - before) / steps


def _step_seconds(trainer: Trainer) -> float:
    """The time of one step."""
    began = time.perf_counter()
    trainer.step()
    synchronize(trainer.engine.device)
    return time.perf_counter() - began
