"""Back to the newest checkpoint: when a run is resumed, and after NaN or inf.

After NaN or inf with other random numbers, a few times; then an error says what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganvas.errors import RunError, TrainingError, shortened
from ganvas.old_names import read_state
from ganvas.training.checkpoint import checkpoints, load_newest
from ganvas.training.trainer import NonFinite, Trainer

MAX_ROLLBACKS = 3  # in a row, before a training gives up
# What a state of other networks, or of wrong values, can end in.
RESTORE_ERRORS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class Recovery:
    """Counts the roll-backs in a row: until a checkpoint beyond the place of failure is saved."""

    def __init__(self, seed: int, say: Callable[[str], None]) -> None:
        self.seed, self.say = seed, say
        self.failures = 0
        self._failed_at = -1

    def roll_back(self, trainer: Trainer, run: Path, broken: NonFinite) -> None:
        """Restores the newest whole checkpoint of the run folder and draws other random numbers from there; TrainingError where
        that did not help, or where there is none. All processes call it at the same step."""
        step = trainer.steps
        self.failures += 1
        self._failed_at = max(step, self._failed_at)
        reason = f"the update {broken} met NaN or inf at step {step}, before any weight moved"
        if self.failures > MAX_ROLLBACKS:
            raise TrainingError(
                f"{reason}; {MAX_ROLLBACKS} roll-backs with new random numbers did not help."
                f" The last good state is saved in {run}."
                " Try a smaller learning rate (--set lr=...), --precision fp32, or look at the data with: ganvas data DATA"
            )
        rollbacks = trainer.rollbacks + 1
        trainer.engine.wait()
        state = load_newest(run / "checkpoints", self.say)
        if state is None:
            raise TrainingError(f"{reason}, and there is no checkpoint to go back to")
        trainer.restore(state)
        trainer.draw_anew(rollbacks, self.seed)
        self.say(
            f"{reason}. Went back to step {trainer.steps} with new random numbers ({self.failures} of {MAX_ROLLBACKS})"
        )

    def saved(self, step: int) -> None:
        """A good checkpoint of this step is on the disk."""
        if step > self._failed_at:
            self.failures = 0


def restore_newest(trainer: Trainer, run: Path, say: Callable[[str], None]) -> bool:
    """Continues from the newest whole checkpoint of a run folder. False where the run was ended before its first one; RunError
    where checkpoints are missing or damaged, or are of other networks."""
    folder = run / "checkpoints"
    state = load_newest(folder, say)
    if state is None:
        if checkpoints(folder):
            raise RunError(f"every checkpoint in {folder} is damaged: start a new run with another --out")
        if (run / "weights.safetensors").exists():
            raise RunError(
                f"{run} holds weights but no checkpoints, so it cannot be trained on: bring back its folder checkpoints,"
                " or start a new run with another --out"
            )
        return False
    try:
        _check_numbers(state)
        trainer.restore(read_state(trainer.method.name, state))  # pyright: ignore[reportArgumentType]
        for optimizer in trainer.optimizers.values():
            _check_optimizer(optimizer)
    except RESTORE_ERRORS as error:
        raise RunError(
            f"the checkpoint in {run} does not fit this version of {trainer.method.name}. Train it on with the ganvas that wrote"
            f" it, or start a new run with another --out ({shortened(error)})"
        ) from error
    return True


def _check_numbers(state: Mapping[str, Any]) -> None:
    """ValueError where a count of a checkpoint is none: the loop would stumble over it later."""
    counters, feed = state["counters"], state["feed"]
    counts = [counters["steps"], counters["rollbacks"], feed["position"], feed["salt"]]
    times = [counters["seconds"], counters.get("other_seconds", 0.0), counters.get("used", 0.0)]
    if not all(type(count) is int and 0 <= count < 2**62 for count in counts):
        raise ValueError(f"steps, roll-backs or its place in the data are no counts ({counts})")
    if not all(isinstance(time, int | float) and 0 <= time < math.inf for time in times):
        raise ValueError(f"its seconds are no times ({times})")
    if not isinstance(state["best"], dict):
        raise ValueError("its best figures are none")


def _check_optimizer(optimizer: Optimizer) -> None:
    """ValueError where an optimiser's state is not of its parameters: the first step would stumble over it."""
    for group in optimizer.param_groups:
        for name, usual in optimizer.defaults.items():
            # JSON has lists in place of tuples, and one kind of number.
            if _kind_of(group[name]) != _kind_of(usual):
                raise ValueError(f"{name} of an optimiser is a {type(group[name]).__name__}")
        for parameter in group["params"]:
            for name, value in optimizer.state.get(parameter, {}).items():
                if not isinstance(value, Tensor) or value.shape not in (parameter.shape, torch.Size()):
                    raise ValueError(f"{name} of an optimiser does not fit its parameter")


def _kind_of(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_kind_of(one) for one in value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__
