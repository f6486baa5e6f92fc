"""When a training logs, samples, evaluates and saves. Decided by steps, progress and seconds that all processes agree on."""

from __future__ import annotations

from typing import Literal

from ganvas.training.trainer import Trainer

LOG_SECONDS = 1.0  # between two rows of the log; steps shorter than that share one
EVALUATIONS_PER_BUDGET = 5  # over a budget, where --evaluate-every is not given and time allows it
GRIDS_PER_BUDGET = 20  # samples to look at: likewise, ...
SAMPLING_SHARE = 0.1  # ... but only with an evaluation once sampling took this share of the training's time
SAVE_SECONDS = 60.0  # between two checkpoints, where --checkpoint-every is not given


class Cadence:
    """Remembers when each thing happened last.

    `checkpoint_every` and `evaluate_every` are steps; None gives the intervals above.
    """

    def __init__(self, checkpoint_every: int | None, evaluate_every: int | None) -> None:
        self.checkpoint_every, self.evaluate_every = checkpoint_every, evaluate_every
        self.sampling_seconds = 0.0
        """Time that went into samples to look at, agreed on by all processes."""
        self.evaluations = EVALUATIONS_PER_BUDGET  # a divisor of GRIDS_PER_BUDGET
        self._logged_at = self._saved_at = self._asked_at = 0.0
        self._logged_images = 0
        self._grids = self._evaluations = 0

    def skip_past(self, trainer: Trainer) -> None:
        """What was due before this moment (before a resume, a roll-back) is not due again."""
        self._logged_at = self._saved_at = self._asked_at = trainer.seconds
        self._logged_images = trainer.images_seen
        self._grids = int(trainer.progress * GRIDS_PER_BUDGET)
        self._evaluations = int(trainer.progress * self.evaluations)

    def row_due(self, trainer: Trainer, *, force: bool = False) -> dict[str, float] | None:
        """The next row of the log without its losses, where one is due. `force`: also before a second has passed."""
        taken = trainer.seconds - self._logged_at
        if taken <= 0 or not (force or taken >= LOG_SECONDS):
            return None
        rate = (trainer.images_seen - self._logged_images) / taken
        self._logged_at, self._logged_images = trainer.seconds, trainer.images_seen
        return {
            "step": trainer.steps,
            "images_seen": trainer.images_seen,
            "seconds": round(trainer.seconds, 3),
            "images_per_second": round(rate, 1),
            "progress": trainer.progress,
        }

    def finite_due(self, trainer: Trainer) -> bool:
        """Whether to ask the device if an update met NaN or inf: as seldom as it is asked for the log's numbers, since the answer
        waits for all queued work. Asking counts."""
        if trainer.seconds - self._asked_at < LOG_SECONDS:
            return False
        self._asked_at = trainer.seconds
        return True

    def evaluation_due(self, trainer: Trainer) -> Literal["samples", "metrics"] | None:
        """What to make now: samples to look at, or those and metrics. None at the end, which is always evaluated."""
        if self.evaluate_every is not None:
            if trainer.steps % self.evaluate_every == 0 and trainer.progress < 1:
                return "metrics"
            return None
        grids, evaluations = int(trainer.progress * GRIDS_PER_BUDGET), int(trainer.progress * self.evaluations)
        samples_due, metrics_due = grids > self._grids, evaluations > self._evaluations
        # Progress may fall where a slow evaluation leaves fewer of them, and so more time to train in.
        self._grids, self._evaluations = max(grids, self._grids), max(evaluations, self._evaluations)
        if not samples_due or trainer.progress >= 1:
            return None
        if metrics_due:
            return "metrics"
        if self.sampling_seconds <= SAMPLING_SHARE * (trainer.seconds + 1):
            return "samples"
        return None

    def save_due(self, trainer: Trainer) -> bool:
        """Not at the end: there the last evaluation comes first, so that the state knows the best of all."""
        if trainer.progress >= 1:
            return False
        if self.checkpoint_every is not None:
            return trainer.steps % self.checkpoint_every == 0
        return trainer.seconds - self._saved_at >= SAVE_SECONDS

    def saved(self, trainer: Trainer) -> None:
        """A checkpoint of this moment is on the disk."""
        self._saved_at = trainer.seconds
