"""What a log says, in numbers that rules can ask for: no rule reads a row by itself.

A log is a file of JSON lines with a "step" each: rows of numbers "UPDATE/loss", "UPDATE/gradient_norm", "UPDATE/real",
"UPDATE/fake", "UPDATE/accuracy", and events "health" (ganvas.training.health), "evaluated", "said". Whatever is missing is NaN,
and a rule that needs it keeps silent. settings.json and data.json beside it are used where they are there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganvas import old_names
from ganvas.errors import RunError
from ganvas.figure import is_number, read_figures
from ganvas.files import JsonObject, parse_json

LATE_SHARE = 1 / 3  # of the health rows, the last ones: what "now" means
FADING_SHARE = 0.9  # of the budget; learning rates that fall to zero are near it by then
UPDATE_UNDONE = "met NaN or inf"  # in a sentence of the log: an update was undone

Row = JsonObject
"""One JSON object of a log or of a data card."""


@dataclass
class Signals:
    """Rows in the order of their steps, without those that a resume or a roll-back took back."""

    folder: Path
    rows: list[Row] = field(default_factory=list)
    health: list[Row] = field(default_factory=list)
    evaluated: list[Row] = field(default_factory=list)
    non_finite: int = 0
    info: Row = field(default_factory=dict)
    data_card: Row = field(default_factory=dict)

    # --- curves -----------------------------------------------------------------------------------------------------------

    def curve(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values (n,) under a key, from the health rows where they have it, else from the rows of numbers."""
        rows = self.health if any(key in row for row in self.health) else self.rows
        steps: list[float] = []
        values: list[float] = []
        for row in rows:
            if is_number(row.get(key)):
                steps.append(row["step"])
                values.append(row[key])
        return np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)

    def late(self, key: str) -> float:
        """The median of the last third of a curve, without its first value; NaN where there is none."""
        values = self.curve(key)[1][1:]
        if not len(values):
            return math.nan
        count = max(1, round(len(values) * LATE_SHARE))
        return float(np.median(values[-count:]))

    def first(self, key: str) -> float:
        """The first value of a curve."""
        values = self.curve(key)[1]
        return float(values[0]) if len(values) else math.nan

    def last(self, key: str) -> float:
        """The newest value of a curve."""
        values = self.curve(key)[1]
        return float(values[-1]) if len(values) else math.nan

    def middle(self, key: str) -> float:
        """The median of a curve between its first tenth and the last tenth of the budget, where learning rates may fade."""
        steps, values = self.curve(key)
        inner = (steps > 0.1 * self.steps) & (steps <= FADING_SHARE * self.steps)
        if not inner.any():
            return self.late(key)
        return float(np.median(values[inner]))

    # --- facts ------------------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """The last step in the log."""
        return int(max((row["step"] for row in (*self.rows[-1:], *self.health[-1:])), default=0))

    @property
    def health_rows(self) -> int:
        """Health rows after the start."""
        return sum(row["step"] > 0 for row in self.health)

    @property
    def images(self) -> float:
        """Training images; NaN where nothing says it."""
        logged = self.last("images")
        images = self.count("train") if math.isnan(logged) else logged
        return images if images >= 1 else math.nan

    @property
    def different_images(self) -> float:
        """Training images that are not bit-equal to an earlier one; NaN where nothing says it."""
        duplicates = self.data_card.get("duplicates")
        repeated = duplicates.get("within_train") if isinstance(duplicates, dict) else None
        return max(1.0, self.images - repeated) if is_number(repeated) else self.images

    @property
    def all_images(self) -> float:
        """Images of all splits by the data card; NaN where it does not say."""
        held_out = self.count("test")
        return self.count("train") + (0.0 if math.isnan(held_out) else held_out)

    def odd_images(self, kind: str) -> float:
        """How many images of all splits the data card counts as "one_colour" or "other_range"."""
        odd = self.data_card.get(kind)
        count = odd.get("images") if isinstance(odd, dict) else None
        return float(count) if is_number(count) else 0.0

    def names_of_odd_images(self, kind: str) -> list[str]:
        """Where some of them are from."""
        odd = self.data_card.get(kind)
        names = odd.get("such_as") if isinstance(odd, dict) else None
        return [str(name) for name in names] if isinstance(names, list) else []

    def fact(self, name: str) -> float:
        """A number of the data card; NaN where it does not say."""
        value = self.data_card.get(name)
        return float(value) if is_number(value) else math.nan

    @property
    def epochs(self) -> float:
        """How often each different training image was seen."""
        return self.last("images_seen") / self.different_images

    @property
    def coverage(self) -> float:
        """The coverage that the last evaluation measured, over that of as many held-out images; NaN where there is none."""
        figure = read_figures(self.evaluated[-1].get("metrics")).get("coverage") if self.evaluated else None
        if figure is None or not figure.reference:
            return math.nan
        value = figure.value if figure.value_at_reference_n is None else figure.value_at_reference_n
        return float(value) / figure.reference

    def count(self, split: str) -> float:
        """Images of a split by the data card; NaN where it does not say."""
        counts = self.data_card.get("counts")
        count = counts.get(split) if isinstance(counts, dict) else None
        return float(count) if is_number(count) else math.nan

    @property
    def channels(self) -> list[Row]:
        """What the data card says of each channel's bytes."""
        channels = self.data_card.get("channels")
        if not isinstance(channels, list):
            return []
        rows: list[Row] = []
        for row in channels:
            if (
                isinstance(row, dict)
                and is_number(row.get("min"))
                and is_number(row.get("max"))
                and is_number(row.get("std"))
            ):
                rows.append(row)
        return rows

    @functools.cached_property
    def _updates(self) -> dict[str, set[str]]:
        """What each update reports, by its name."""
        names_by_update: dict[str, set[str]] = {}
        for row in (*self.rows[:100], *self.rows[-100:]):
            for key in row:
                update, slash, name = key.rpartition("/")
                if slash:
                    names_by_update.setdefault(update, set()).add(name)
        return names_by_update

    @property
    def disc_update(self) -> str | None:
        """The update that reports logits of real and fake images."""
        return min((update for update, names in self._updates.items() if {"real", "fake"} <= names), default=None)

    @property
    def gen_update(self) -> str | None:
        """The update that trains the generator: of those that train something else than the disc_update one."""
        last, disc_update = self.newest_health, self.disc_update
        trained_by_disc = last.get(f"{disc_update}/trains")
        others: list[str] = []
        for update, names in self._updates.items():
            if "loss" not in names or update == disc_update:
                continue
            if trained_by_disc is None or last.get(f"{update}/trains") != trained_by_disc:
                others.append(update)
        # Several: the one whose name says that it generates.
        return min(others, key=lambda update: ("gen" not in update, update), default=None)

    @property
    def newest_health(self) -> Row:
        """The last health row; empty where there is none."""
        return self.health[-1] if self.health else {}

    def ratio(self, late: str, reference: str) -> float:
        """A late value over what real images score."""
        return self.late(late) / max(1e-9, self.last(reference))


def read(folder: Path | str) -> Signals:
    """The signals of a run folder, or of any folder with a log.jsonl. RunError where there is no log."""
    folder = Path(folder)
    path = folder / "log.jsonl" if folder.is_dir() else folder
    if not path.is_file():
        raise RunError(f"there is no log at {folder}: `ganvas doctor` reads the log.jsonl that a training writes")
    signals = Signals(
        path.parent, info=_json(path.parent / "settings.json"), data_card=_json(path.parent / "data.json")
    )
    with open(path, encoding="utf-8", errors="replace") as lines:
        for row in _objects(lines):
            _add(signals, old_names.read_row(row))
    return signals


def _add(signals: Signals, row: Row) -> None:
    event = row.get("event")
    if not isinstance(event, str | None):  # a log of somebody else's
        return
    if event == "said" and UPDATE_UNDONE in str(row.get("message")):
        signals.non_finite += 1
    if not is_number(row.get("step")):
        return
    if event == "changed":  # by the guard: what was before says nothing of what is now, but for where it all began
        signals.rows.clear()
        signals.health = [one for one in signals.health if one["step"] == 0]
        signals.non_finite = 0

    rows_by_event = {"health": signals.health, "evaluated": signals.evaluated, None: signals.rows}
    rows = rows_by_event.get(event)
    if rows is None:
        return
    # A resume or a roll-back takes back what came after its step.
    while rows and rows[-1]["step"] >= row["step"]:
        rows.pop()
    rows.append(row)
    if event is None:
        signals.non_finite += any(key.endswith("/loss") and row[key] is None for key in row)


def _objects(lines: Iterable[str]) -> Iterable[Row]:
    for line in lines:
        try:
            row = parse_json(line)
        except ValueError:  # the last line of a process that was killed
            continue
        if isinstance(row, dict):
            yield row


def _json(path: Path) -> Row:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
