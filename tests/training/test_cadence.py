"""When samples and metrics are due."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ganvas.training.cadence import Cadence


def at(progress: float) -> Any:
    """A training that is there."""
    return SimpleNamespace(progress=progress, seconds=100 * progress, steps=int(1000 * progress))


def test_progress_that_falls_measures_nothing_again() -> None:
    """A measurement that took less than expected leaves more time to train in, so that progress falls."""
    cadence = Cadence(None, None)
    due = [cadence.evaluation_due(at(progress)) for progress in (0.1, 0.39, 0.41, 0.395, 0.405, 0.42, 0.61)]
    assert due == ["samples", "metrics", "metrics", None, None, None, "metrics"]
