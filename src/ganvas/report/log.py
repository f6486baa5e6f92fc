"""A run's log as curves and events, in bounded memory: numbers go to arrays, not to one dict a row."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict, cast

import numpy as np

from ganvas.figure import is_number
from ganvas.run import Run

MAX_EVENTS = 20_000


class Event(TypedDict):
    """What most events of a log have; each kind has more keys of its own."""

    event: str
    message: object
    """None where it has none."""
    step: NotRequired[float]
    seconds: NotRequired[object]


class Evaluation(TypedDict):
    """An event with the figures of a step."""

    event: str
    step: float
    seconds: NotRequired[object]
    metrics: NotRequired[object]


@dataclass
class Log:
    """`columns[key][i]` is the i-th row's number, NaN where it was absent or not finite. Steps rise.

    What a resume or a roll-back took back is left out: rows from the step on where the training went on anew.
    """

    columns: dict[str, array[float]] = field(default_factory=lambda: {"step": array("d")})
    evaluated: list[Evaluation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns["step"])

    def column(self, key: str) -> np.ndarray:
        """(rows,) float64, NaN where there is no number."""
        return np.asarray(self.columns.get(key, array("d", [math.nan]) * len(self)), dtype=np.float64)

    def last(self, key: str) -> float | None:
        """The newest number under a key."""
        values = self._numbers(key)
        return float(values[-1]) if len(values) else None

    @property
    def seconds(self) -> float | None:
        """Seconds of training so far."""
        seconds: list[float] = []
        for event in self.of("finished"):
            end = event.get("seconds")
            if is_number(end):
                seconds.append(float(end))
        logged = self.last("seconds")
        if logged is not None:
            seconds.append(logged)
        return max(seconds, default=None)

    def median(self, key: str) -> float | None:
        """The median of the numbers under a key, with one decimal."""
        values = self._numbers(key)
        return round(float(np.median(values)), 1) if len(values) else None

    def _numbers(self, key: str) -> np.ndarray:
        """The finite ones of a column."""
        values = self.column(key)
        return values[np.isfinite(values)]

    def curves(self) -> list[str]:
        """Keys of the form update/name, in the order in which they first appeared."""
        return [key for key in self.columns if "/" in key and np.isfinite(self.column(key)).any()]

    def of(self, kind: str) -> list[Event]:
        """All events of one kind."""
        return [event for event in self.events if event["event"] == kind]


def read_log(run: Run) -> Log:
    """The log of a run; rows that hold no step are passed over."""
    log = Log()
    for row in run.log():
        if "event" in row:
            _add_event(log, row)
        elif is_number(row.get("step")):
            _add_row(log, row, float(row["step"]))
    return log


def _add_event(log: Log, row: Mapping[str, object]) -> None:
    kind, step = str(row["event"]), row.get("step")
    event = {"message": None, **row, "event": kind}
    if kind == "evaluated" and is_number(step):
        # What a resume took back goes.
        log.evaluated = [old for old in log.evaluated if old["step"] < step]
        log.evaluated.append(cast(Evaluation, event))
    elif kind not in ("evaluated", "health") and len(log.events) < MAX_EVENTS:
        log.events.append(cast(Event, event))


def _add_row(log: Log, row: Mapping[str, object], step: float) -> None:
    steps = log.columns["step"]
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
