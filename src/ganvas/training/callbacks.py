"""What a training calls as it goes: the run's log, the terminal view, a logger of your own. Callbacks never change a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from ganvas.data import DataSpec
    from ganvas.doctor import Diagnosis, Finding
    from ganvas.figure import Figure
    from ganvas.training.time_plan import Phase
    from ganvas.training.trainer import Trainer


class Callback:
    """All methods do nothing; override those you need. They run in the leading process only."""

    def phase(self, phase: Phase | None) -> None:
        """What the training does while it takes no step, and how far that is; None: it trains. Comes before `opened` too."""

    def opened(self, trainer: Trainer, folder: Path) -> None:
        """The run's folder is settled; before anything else."""

    def started(self, trainer: Trainer) -> None:
        """Networks are built, the loop is about to run (also after a resume)."""

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        """A row of numbers: step, images_seen, seconds, images_per_second, seconds_left, and "update/key" for each loss."""

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        """Figures of this step by name ({} where they are not computed) and the grid of fixed seeds, uint8 (H, W, C)."""

    def sampled(self, trainer: Trainer, samples: np.ndarray | list[str], spec: DataSpec) -> None:
        """Samples of fixed seeds that are no images: clips int16 (n, L), or texts. Before `evaluated`."""

    def checked(self, trainer: Trainer, numbers: dict[str, float | str]) -> None:
        """Numbers of the training's health at this step (ganvas.training.health)."""

    def diagnosed(self, trainer: Trainer, diagnosis: Diagnosis) -> None:
        """What the doctor says, after each `checked`."""

    def changed(self, trainer: Trainer, finding: Finding) -> None:
        """The training made a finding's change by itself (--guard); `trainer` is the one that continues."""

    def saved(self, trainer: Trainer) -> None:
        """A checkpoint of this step is on the disk."""

    def said(self, trainer: Trainer, message: str) -> None:
        """A sentence for the user: a roll-back, a damaged checkpoint passed over."""

    def stopped(self, trainer: Trainer) -> None:
        """A signal ends the training before its budget is used up; everything is saved."""

    def finished(self, trainer: Trainer) -> None:
        """The budget is used up and everything is saved."""
