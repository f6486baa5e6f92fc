"""The callback that leaves a report in a run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.report.page import write_report
from ganvas.training.callbacks import Callback

if TYPE_CHECKING:
    from ganvas.training.trainer import Trainer


class ReportWriter(Callback):
    """Writes report.html when a training ends; without the search for copies of training images where it was interrupted."""

    def opened(self, trainer: Trainer, folder: Path) -> None:
        self.folder = folder

    def stopped(self, trainer: Trainer) -> None:
        write_report(self.folder, audit=False)

    def finished(self, trainer: Trainer) -> None:
        write_report(self.folder)
