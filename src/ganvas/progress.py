"""The progress of `ganvas.train` in Python: a bar on a terminal, a card with samples in a notebook, nothing elsewhere."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ganvas.card import card, progress_bar
from ganvas.data.image_array import ImageArray
from ganvas.training.callbacks import Callback

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from rich.progress import TaskID

    from ganvas.figure import Figure
    from ganvas.training.trainer import Trainer


class Progress(Callback):
    """Shows nothing; the base of those that do. `close` gives the terminal back, however the training ended."""

    def __init__(self) -> None:
        self.row: dict[str, float] = {}
        self.folder: Path | None = None

    def opened(self, trainer: Trainer, folder: Path) -> None:
        self.folder = folder

    def started(self, trainer: Trainer) -> None:
        self.show(trainer)

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        self.row = row
        self.show(trainer)

    def finished(self, trainer: Trainer) -> None:
        self.show(trainer)

    def show(self, trainer: Trainer) -> None:
        """Where the training stands."""

    def close(self) -> None:
        """Called once at the end."""


class Bar(Progress):
    """One line on a terminal, by rich; sentences of the training stand above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bars

        super().__init__()
        self.console = Console(stderr=True, highlight=False, markup=False)
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
            TextColumn("{task.fields[facts]}", markup=False),
        )  # fmt: skip
        self.bars = Bars(*columns, console=self.console)
        self.task: TaskID | None = None

    def show(self, trainer: Trainer) -> None:
        if self.task is None:
            self.bars.start()
            self.task = self.bars.add_task(title(trainer), total=1.0, facts="")
        self.bars.update(self.task, completed=trainer.progress, facts="  ".join(facts(trainer, self.row).values()))

    def said(self, trainer: Trainer, message: str) -> None:
        self.console.print(message)

    def close(self) -> None:
        self.bars.stop()


class NotebookCard(Progress):
    """A card in the output of a notebook's cell, which is replaced as the training goes on; the last one stays."""

    def __init__(self, display: Any) -> None:
        super().__init__()
        self.display, self.handle = display, None
        self.grid: bytes | None = None
        self.messages: list[str] = []

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        if grid is not None:
            self.grid = ImageArray(grid)._repr_png_()
        self.show(trainer)

    def said(self, trainer: Trainer, message: str) -> None:
        self.messages.append(message)

    def show(self, trainer: Trainer) -> None:
        shown: dict[str, object] = dict(facts(trainer, self.row))
        if self.folder is not None:
            shown["run"] = self.folder
        if self.messages:
            shown["said"] = "; ".join(self.messages[-3:])
        page = self.display.HTML(card(title(trainer), shown, self.grid, above=progress_bar(trainer.progress)))
        if self.handle is None:
            self.handle = self.display.display(page, display_id=True)
        else:
            self.handle.update(page)


def make_progress(*, quiet: bool = False) -> Progress:
    """The progress that fits where this process runs."""
    if quiet:
        return Progress()
    display = notebook_display()
    if display is not None:
        return NotebookCard(display)
    return Bar() if sys.stderr.isatty() else Progress()


def notebook_display() -> Any:
    """IPython.display in a notebook, where output can be replaced; else None. A notebook has imported IPython long ago."""
    if "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return importlib.import_module("IPython.display")


def title(trainer: Trainer) -> str:
    """ "r3gan on digits" """
    return f"{trainer.method.name} on {trainer.method.spec.name}"


def facts(trainer: Trainer, row: dict[str, float]) -> dict[str, str]:
    """Where a training stands, in short texts."""
    shown = {"step": f"step {trainer.steps:,}"}
    if row.get("images_per_second"):
        shown["speed"] = f"{row['images_per_second']:,.0f} {trainer.method.spec.unit}/s"
    left = _seconds_left(trainer, row)
    if left is not None:
        shown["left"] = f"{left // 60}:{left % 60:02d} left"
    losses = [f"{name.removesuffix('/loss')} {value:.3g}" for name, value in row.items() if name.endswith("/loss")]
    if losses:
        shown["losses"] = ", ".join(losses)
    best = trainer.best
    if best:
        shown["best"] = f"{best['metric']} {best['value']:.3g}"
    return shown


def _seconds_left(trainer: Trainer, row: dict[str, float]) -> int | None:
    if not 0 < trainer.progress < 1:
        return None
    left = row.get("seconds_left")
    return round(trainer.seconds / trainer.progress * (1 - trainer.progress) if left is None else left)
