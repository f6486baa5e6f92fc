"""Back to the newest checkpoint: when a run is resumed, and after NaN or inf.

After NaN or inf with other random numbers, a few times; then an error says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganvas.errors import RunError, TrainingError
from ganvas.old_names import read_state
from ganvas.training.checkpoint import checkpoints, load_newest
from ganvas.training.trainer import NonFinite, Trainer

MAX_ROLLBACKS = 3  # in a row, before a training gives up


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
        trainer.restore(read_state(trainer.method.name, state))  # pyright: ignore[reportArgumentType]
    except (KeyError, RuntimeError, ValueError) as error:
        raise RunError(
            f"the checkpoint in {run} does not fit this version of {trainer.method.name}: {error}"
        ) from error
    return True
