"""A run's log as curves and events, in bounded memory: numbers go to arrays, not to one dict a row."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganvas.figure import is_number
from ganvas.run import Run

MOST_EVENTS = 20_000


@dataclass
class Log:
    """`columns[key][i]` is the i-th row's number, NaN where it was absent or not finite. Steps rise.

    What a resume or a roll-back took back is left out: rows from the step on where the training went on anew.
    """

    columns: dict[str, array[float]] = field(default_factory=lambda: {"step": array("d")})
    evaluated: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns["step"])

    def column(self, key: str) -> np.ndarray:
        """(rows,) float64, NaN where there is no number."""
        return np.asarray(self.columns.get(key, array("d", [math.nan]) * len(self)), dtype=np.float64)

    def last(self, key: str) -> float | None:
        """The newest number under a key."""
        found = self.column(key)
        found = found[np.isfinite(found)]
        return float(found[-1]) if len(found) else None

    @property
    def seconds(self) -> float | None:
        """Seconds of training so far."""
        ends = [event.get("seconds") for event in self.of("finished")] + [self.last("seconds")]
        return max((float(end) for end in ends if is_number(end)), default=None)

    def median(self, key: str) -> float | None:
        """The median of the numbers under a key, with one decimal."""
        values = self.column(key)
        values = values[np.isfinite(values)]
        return round(float(np.median(values)), 1) if len(values) else None

    def curves(self) -> list[str]:
        """Keys of the form update/name, in the order in which they first appeared."""
        return [key for key in self.columns if "/" in key and np.isfinite(self.column(key)).any()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """All events of one kind."""
        return [found for found in self.events if found["event"] == event]


def read_log(run: Run) -> Log:
    """The log of a run; rows that hold no step are passed over."""
    log = Log()
    for row in run.log():
        if "event" in row:
            _add_event(log, row)
        elif is_number(row.get("step")):
            _add_row(log, row)
    return log


def _add_event(log: Log, row: dict[str, Any]) -> None:
    row = {**row, "event": str(row["event"])}
    if row["event"] == "evaluated" and is_number(row.get("step")):
        log.evaluated = [old for old in log.evaluated if old["step"] < row["step"]] + [row]
    elif row["event"] not in ("evaluated", "health") and len(log.events) < MOST_EVENTS:
        log.events.append(row)


def _add_row(log: Log, row: dict[str, Any]) -> None:
    steps, step = log.columns["step"], float(row["step"])
    if len(steps) and steps[-1] == step:  # the last step is logged once more at the end, over no time at all
        return
    keep = bisect_left(steps, step)
    for column in log.columns.values():
        del column[keep:]
    before = len(steps)
    for key in row:
        if key not in log.columns:
            log.columns[key] = array("d", [math.nan]) * before
    for key, column in log.columns.items():
        value = row.get(key)
        column.append(float(value) if is_number(value) else math.nan)
