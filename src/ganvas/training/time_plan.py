"""A budget in minutes is what one waits: it is shared between training and all else.

    minutes = preparing + training + measuring + saving + report

What is spent besides training is known; what is still to come is estimated from what it took so far. The rest is for training,
and the learning rate and all else that follows the budget go by the share of that. A budget in steps or images is not touched:
nothing that is decided here may change what such a training computes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

MIN_TRAINING_SHARE = 0.25  # of the minutes: however long opening the data took
MEASURING_SHARE = 0.2  # of the minutes, all measurements together
CHECKING_SHARE = 0.05  # of the minutes, all looks of the doctor together
EVALUATION_COUNTS = (5, 4, 2, 1)  # over a budget, the last one at its end: as many of them as that share allows
ENOUGH_SAMPLES, FEWEST_SAMPLES = 256, 64  # fewer measurements rather than fewer samples; fewer samples than these: none
SAMPLE_COUNTS = (1000, 500, 256, 128, 64)  # few different ones, so that two runs are measured alike more often
REPORT_SECONDS = 1.5  # seconds of the report and what follows, beside its search for copies


@dataclass(frozen=True)
class Phase:
    """What a training does when it takes no step."""

    name: str
    """"preparing", "sampling", "measuring", "saving" or "report"."""
    detail: str = ""
    done: int = 0
    of: int = 0
    """0 where nobody knows."""


class TimePlan:
    """Seconds of one session, by what they were spent on. `tell` hears of every phase, and None when it is over."""

    def __init__(self, minutes: float | None, started: float, tell: Callable[[Phase | None], None]) -> None:
        self.budget = None if minutes is None else 60 * minutes
        self.started, self.tell = started, tell
        self.spent: dict[str, float] = {}
        self.newest: dict[str, float] = {}  # seconds that each phase took the last time
        self.evaluations, self.samples = EVALUATION_COUNTS[0], 0
        self._before = self._trained_before = 0.0
        self._phase: Phase | None = None
        self._told = 0.0

    def resume(self, trained: float, other: float) -> None:
        """Seconds of training and of all else that earlier sessions took."""
        self._trained_before, self._before = trained, other

    # --- phases -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def phase(self, name: str, detail: str = "", of: int = 0) -> Iterator[None]:
        """Inside, the training does this. A phase within a phase is a part of it."""
        if self._phase is not None:
            yield
            return
        began = time.perf_counter()
        self._show(Phase(name, detail, 0, of))
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            self.spent[name] = self.spent.get(name, 0.0) + taken
            self.newest[name] = taken
            self._show(None)

    def progress(self, detail: str, done: int, of: int) -> None:
        """How far the present phase is."""
        if self._phase is None:
            return
        phase = replace(self._phase, detail=detail, done=done, of=of)
        if phase.detail != self._phase.detail or done >= of or time.perf_counter() - self._told > 0.1:
            self._show(phase)

    def _show(self, phase: Phase | None) -> None:
        self._phase, self._told = phase, time.perf_counter()
        self.tell(phase)

    def rounded(self) -> dict[str, float]:
        """Seconds of each phase so far, for JSON."""
        return {name: round(seconds, 2) for name, seconds in self.spent.items()}

    # --- the budget ---------------------------------------------------------------------------------------------------

    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.perf_counter() - self.started

    def other(self, trained: float) -> float:
        """Seconds besides training, over all sessions; `trained` are those of training."""
        return self._before + max(0.0, self.elapsed() - (trained - self._trained_before))

    def allowance(self, trained: float, progress: float) -> float | None:
        """Seconds of training that the budget leaves, over all sessions; None for a budget in steps or images."""
        if self.budget is None:
            return None
        rest = self.budget - self.other(trained) - self.to_come(progress)
        return max(rest, MIN_TRAINING_SHARE * self.budget)

    def to_come(self, progress: float) -> float:
        """Seconds that the measurements, saves and the report still take."""
        left = self.evaluations - min(self.evaluations - 1, int(progress * self.evaluations))
        saving = self.newest.get("saving", 0.1)
        return left * self.newest.get("measuring", 0.0) + saving + self.newest.get("report", REPORT_SECONDS)

    def affordable(self, name: str, share: float, *, reserved: int = 0) -> bool:
        """Whether this phase may come once more: with `reserved` later times of it, all take that share of the minutes at most.
        On a busy machine it may take longer than it did when it was tried."""
        if self.budget is None:
            return True
        return self.spent.get(name, 0.0) + (1 + reserved) * self.newest.get(name, 0.0) <= share * self.budget

    def seconds_left(self, trained: float, progress: float) -> float | None:
        """Until the command ends; None before the first step."""
        if progress <= 0:
            return None
        if self.budget is not None:
            earlier = self._before + self._trained_before
            allowed = self.allowance(trained, progress) or 0.0
            training = max(0.0, allowed * (1 - progress))
            return max(training + self.to_come(progress), self.budget - earlier - self.elapsed())
        return trained / progress * (1 - progress) + self.to_come(progress)

    def settle_measuring(self, seconds: float, measured: int, wanted: int, *, fixed: bool) -> None:
        """How often and by how many samples is measured, where `measured` samples take `seconds`: at most `wanted`, and all
        measurements together a share of the budget. `fixed`: `wanted` was asked for, so only their number can be less."""
        self.samples = wanted
        if self.budget is not None:
            each = max(seconds, 1e-6) / measured
            allowed = MEASURING_SHARE * self.budget
            least = wanted if fixed else min(wanted, ENOUGH_SAMPLES)
            affordable = [times for times in EVALUATION_COUNTS if times * each * least <= allowed]
            self.evaluations = affordable[0] if affordable else EVALUATION_COUNTS[-1]
            if not fixed:
                self.samples = self._affordable_samples(each, allowed, wanted)
        self.newest["measuring"] = seconds / measured * self.samples

    def _affordable_samples(self, each: float, allowed: float, wanted: int) -> int:
        """0 where even the fewest take longer than all measurements may."""
        count = int(allowed / self.evaluations / each)
        if count >= wanted:
            return wanted
        return next((one for one in SAMPLE_COUNTS if one <= count), 0)
