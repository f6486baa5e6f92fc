"""What a training shows while it runs. On a terminal that is a live display.

Elsewhere, and with --json (then on stderr), it is plain lines that scripts may follow:

    run runs/r3gan-digits
    started r3gan on digits: cpu, fp32 (this cpu has no bf16 instructions), 1234567 parameters
    resumed step 120
    step 120 progress 4.0% images_per_second 5321.0 generator/loss 0.6931 discriminator/loss 1.386
    measuring step 120
    step 120 FD[digits] 3.21 (reference 0.15) coverage 0.8 (reference 0.96)
    doctor step 120: discriminator_too_strong (85%), try --set balance=0.25
    saved step 120
    said step 120: the update discriminator met NaN or inf ...
    report
    finished step 3000

Each line is flushed as it comes. `doctor step N` comes when what it says changes. `step N progress` comes at most once a
second in the first minute, then every 10 seconds, and once at the end; its pairs after images_per_second are the losses
of the method's updates.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganvas.cli.blocks import Image, can_show, crop, half_blocks
from ganvas.cli.output import clock_time, metrics_line, short_number
from ganvas.data.kinds import KINDS
from ganvas.preview import tile_size
from ganvas.training.callbacks import Callback

if TYPE_CHECKING:
    import numpy as np

    from ganvas.data import DataSpec
    from ganvas.doctor import Diagnosis
    from ganvas.figure import Figure
    from ganvas.training.time_plan import Phase
    from ganvas.training.trainer import Trainer

OFTEN, SELDOM = 1.0, 10.0  # seconds between two lines, in the first minute and after it
SAMPLE_LINES = 12  # of a sampled text
TOLD_PHASES = ("measuring", "report")  # as lines; what else there is takes no time or has a line of its own
REFRESHES_PER_SECOND = 4  # of the screen, a second, whatever the training does
MIN_COLUMNS = 40  # columns; below that, and on a terminal that cannot move its cursor, lines are shown
BUDGET_USED_UP = (
    "the budget is used up already: give a larger one by --minutes, --images or --steps, counted from the start"
)


class View(Callback):
    """A callback that shows something, and can be closed whatever happened."""

    def close(self) -> None:
        """Gives the terminal back."""


def make_view(*, json: bool, quiet: bool = False) -> View:
    """The screen on a terminal, else lines; on stderr where stdout is kept for the JSON object. Nothing where `quiet`."""
    if quiet:
        return View()
    stream = sys.stderr if json else sys.stdout
    console = Console(file=stream, highlight=False, markup=False)
    fit = console.is_terminal and not console.is_dumb_terminal and console.width >= MIN_COLUMNS
    if fit and not json:
        return Screen(console)
    return Lines(stream)


class Lines(View):
    """Plain lines; see the top of this file for their exact form."""

    def __init__(self, stream: TextIO) -> None:
        self.stream: TextIO | None = stream
        self._shown_at = float("-inf")
        self._last_finding: tuple[str, str] | None = None  # name and level
        self._phase = ""

    def phase(self, phase: Phase | None) -> None:
        name = "" if phase is None else phase.name
        if phase is not None and name != self._phase and name in TOLD_PHASES:
            self._print(f"{name} {phase.detail}".strip())
        self._phase = name

    def opened(self, trainer: Trainer, folder: Path) -> None:
        self._print(f"run {folder}")

    def started(self, trainer: Trainer) -> None:
        self._print(f"started {describe(trainer)}")
        if trainer.steps:
            self._print(f"resumed step {trainer.steps}")
        if trainer.progress >= 1:
            self.said(trainer, BUDGET_USED_UP)

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        pause = OFTEN if row["seconds"] <= 60 else SELDOM
        # A row comes a little later than its second: 0.9 keeps each one of the first minute.
        if row["seconds"] - self._shown_at < 0.9 * pause and row["progress"] < 1:
            return
        self._shown_at = row["seconds"]
        line = f"step {row['step']} progress {row['progress']:.1%} images_per_second {row['images_per_second']}"
        for name, value in row.items():
            if name.endswith("/loss"):
                line += f" {name} {value:.4g}"
        self._print(line)

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        if metrics:
            self._print(f"step {trainer.steps} {metrics_line(metrics)}")

    def diagnosed(self, trainer: Trainer, diagnosis: Diagnosis) -> None:
        finding = (diagnosis.findings[0].name, diagnosis.findings[0].level) if diagnosis.findings else None
        if finding != self._last_finding:
            self._print(f"doctor step {trainer.steps}: {diagnosis.line}")
        self._last_finding = finding

    def saved(self, trainer: Trainer) -> None:
        self._print(f"saved step {trainer.steps}")

    def said(self, trainer: Trainer, message: str) -> None:
        self._print(f"said step {trainer.steps}: {message}")

    def finished(self, trainer: Trainer) -> None:
        self._print(f"finished step {trainer.steps}")

    def _print(self, line: str) -> None:
        if self.stream is None:
            return
        try:
            print(line, file=self.stream, flush=True)
        except BrokenPipeError:  # nobody reads any more; the training is worth more than its lines
            self.stream = None


class Screen(View):
    """A live display: where it stands, the losses, the newest grid of samples, the best metric so far.

    A thread of its own draws it anew several times a second, so that the clock and the present phase move whatever the training
    computes. What that thread reads is replaced as a whole by the training, never changed.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._page: tuple[RenderableType, ...] = ()
        self._phase: tuple[Phase, float] | None = None  # and when it began
        self._left: tuple[float, float] | None = None  # seconds left, and when that was said
        self._begun = False
        self.folder: Path | None = None
        self.row: dict[str, float] = {}
        self.metrics: dict[str, Figure] = {}
        self.grid: np.ndarray | None = None
        self.text: str | None = None
        self.saved_step: int | None = None
        self.diagnosis: Diagnosis | None = None
        self._image_key: tuple[int, int, int] | None = None
        self._image: Image | None = None
        self.live = Live(
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            vertical_overflow="crop",
            get_renderable=self._renderable,
        )

    def opened(self, trainer: Trainer, folder: Path) -> None:
        self.folder = folder

    def phase(self, phase: Phase | None) -> None:
        if phase is None:
            self._phase = None
            return
        began = time.monotonic()
        if self._phase is not None and self._phase[0].name == phase.name:
            began = self._phase[1]
        self._phase = phase, began
        if not self.live.is_started:
            self.live.start(refresh=True)

    def started(self, trainer: Trainer) -> None:
        self._begun = True
        if not self.live.is_started:
            self.live.start(refresh=True)
        if trainer.steps:
            self._above(f"resumed step {trainer.steps}")
        if trainer.progress >= 1:
            self._above(BUDGET_USED_UP)
        self._show(trainer)

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        self.row = row
        if "seconds_left" in row:
            self._left = row["seconds_left"], time.monotonic()
        self._show(trainer)

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        self.metrics = metrics or self.metrics
        if grid is not None:
            self.grid = grid
        self._show(trainer)

    def sampled(self, trainer: Trainer, samples: np.ndarray | list[str], spec: DataSpec) -> None:
        self.text = KINDS[spec.kind].text(samples)

    def diagnosed(self, trainer: Trainer, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self._show(trainer)

    def saved(self, trainer: Trainer) -> None:
        self.saved_step = trainer.steps
        self._show(trainer)

    def said(self, trainer: Trainer, message: str) -> None:
        self._above(message)

    def finished(self, trainer: Trainer) -> None:
        self._left = None
        self._show(trainer)

    def close(self) -> None:
        self._phase = None
        if not self._begun:  # nothing to leave on the terminal
            self.live.transient = True
        self.live.stop()

    def _above(self, message: str) -> None:
        self.console.print(Text(message, style="yellow"))

    def _show(self, trainer: Trainer) -> None:
        self._page = self._parts(trainer)
        if self.live.is_started:
            self.live.refresh()

    def _renderable(self) -> RenderableType:
        """The page of the last message, with the present phase and the time left in its third line."""
        if not self._page:
            return self._phase_line()
        return Group(*self._page[:2], self._phase_line(), *self._page[2:])

    def _phase_line(self) -> RenderableType:
        if self._phase is None:
            return Text(self._time_left(), style="dim")
        phase, began = self._phase
        words = [phase.name, phase.detail, f"{time.monotonic() - began:.0f} s"]
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        shown = Text("  ".join(filter(None, words)), style="cyan")
        if not phase.of:
            line.add_row(shown, Text(self._time_left(), style="dim"))
            return line
        width = max(10, min(40, self.console.width // 3))
        counted = f"{phase.done:,} of {phase.of:,}  {self._time_left()}"
        line.add_row(ProgressBar(total=phase.of, completed=phase.done, width=width), shown + Text(f"  {counted}"))
        return line

    def _time_left(self) -> str:
        """What is left of the command, all told, counted down since it was last said."""
        if self._left is None:
            return ""
        seconds, said = self._left
        return clock_time(max(0.0, seconds - (time.monotonic() - said))) + " left"

    def _parts(self, trainer: Trainer) -> tuple[RenderableType, ...]:
        width = self.console.width
        head = Text(describe(trainer), style="bold", no_wrap=True, overflow="ellipsis")
        parts: list[RenderableType] = [head, self._where(trainer), _losses(self.row), self._quality(trainer)]
        if self.diagnosis:
            parts.append(_doctor(self.diagnosis))
        # The sample takes the lines that are left.
        left = self.console.height - 3  # a line for the phase, and the cursor's
        for part in parts:
            left -= len(self.console.render_lines(part, pad=False))
        sample = _lines(self.text, width, left) if self.text else self._sample_image(trainer, width, left)
        if sample:
            parts.append(sample)
        return tuple(parts)

    def _where(self, trainer: Trainer) -> RenderableType:
        """A progress bar with the facts beside it, and below them the folder."""
        bar = ProgressBar(total=1.0, completed=trainer.progress, width=max(10, min(40, self.console.width // 3)))
        facts = [f"{trainer.progress:.0%}", f"step {trainer.steps:,}"]
        rate = self.row.get("images_per_second")
        if rate:
            facts.append(f"{rate:,.0f} {trainer.method.spec.unit}/s")
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row(bar, Text("  ".join(filter(None, facts))))

        place = []
        if self.folder:
            place.append(f"run {self.folder}")
        if self.saved_step is not None:
            place.append(f"saved step {self.saved_step:,}")
        return Group(line, Text("  ".join(place), style="dim", no_wrap=True, overflow="ellipsis"))

    def _quality(self, trainer: Trainer) -> RenderableType:
        best = trainer.best
        if not best:
            return Text(metrics_line(self.metrics))
        now = self.metrics.get(best["metric"])
        beside = ""
        if now is not None and now.reference is not None:
            beside = f" (reference {short_number(now.reference)})"
        first = Text(
            f"best {best['metric']} {short_number(best['value'])}{beside} at step {best['step']:,}", style="green"
        )
        if not self.metrics:
            return first
        return Group(first, Text(f"now {metrics_line(self.metrics)}", style="dim"))

    def _sample_image(self, trainer: Trainer, columns: int, lines: int) -> Image | None:
        if self.grid is None or lines < 3 or not can_show(self.console):
            return None
        key = (id(self.grid), columns, lines)
        if self._image_key != key:  # drawn once for each grid, not once a second
            cropped = crop(self.grid, *tile_size(trainer.method), columns, 2 * lines)
            self._image_key, self._image = key, half_blocks(cropped, columns, 2 * lines)
        return self._image


def describe(trainer: Trainer) -> str:
    """ "r3gan on digits: cpu, fp32 (why), 1234567 parameters" """
    method, engine = trainer.method, trainer.engine
    count = sum(parameter.numel() for parameter in method.parameters())
    several = f", {engine.ranks} processes" if engine.ranks > 1 else ""
    where = f"{engine.device}{several}, {engine.precision} ({engine.why})"
    return f"{method.name} on {method.spec.name}: {where}, {count} parameters"


def _doctor(diagnosis: Diagnosis) -> RenderableType:
    style = {None: "dim", True: "green", False: "yellow"}[diagnosis.healthy]
    return Text(f"doctor: {diagnosis.line}", style=style, no_wrap=True, overflow="ellipsis")


def _lines(text: str, columns: int, lines: int) -> Text | None:
    """The first lines of a text, folded at the width; signs that would move the cursor are left out."""
    clean = "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
    folded = []
    for line in clean.split("\n"):
        for start in range(0, max(1, len(line)), columns):
            folded.append(line[start : start + columns])
    folded = folded[: min(lines, SAMPLE_LINES)]
    if not folded:
        return None
    return Text("\n".join(folded), no_wrap=True, overflow="crop")


def _losses(row: dict[str, float]) -> RenderableType:
    """One line an update: its loss, its gradient norm, and what else it reports."""
    # {"generator": {"loss": 0.7, ...}} of {"generator/loss": 0.7, ...}
    reports: dict[str, dict[str, float]] = {}
    for name, value in row.items():
        update, slash, key = name.partition("/")
        if slash:
            reports.setdefault(update, {})[key] = value
    if not reports:
        return Text("")

    table = Table.grid(padding=(0, 2))
    for update, report in reports.items():
        loss = short_number(report.pop("loss", None))
        norm = short_number(report.pop("gradient_norm", None))
        rest = "  ".join(f"{key} {short_number(value)}" for key, value in report.items())
        table.add_row(
            Text(update, style="cyan"),
            f"loss {loss}",
            f"gradient {norm}",
            Text(rest, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return table
