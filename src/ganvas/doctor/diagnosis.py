"""From a log to a diagnosis."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ganvas.doctor.advice import advise
from ganvas.doctor.findings import Diagnosis, Finding, Plot
from ganvas.doctor.rules import SURE, Opinion, opinions
from ganvas.doctor.signals import Signals, read

LOOKS = 4  # health rows after the start that a verdict takes
ROWS = 20  # rows of numbers, where a log has no health rows
STEPS = 100  # before that every GAN looks ill


def diagnose(run: Any) -> Diagnosis:
    """What is wrong with a training: `run` is a Run, its folder, or any folder (or file) with a log in this form.

    `healthy` is None where the log is too short to tell; findings that need no more than the data come even then.
    RunError where there is no log.
    """
    signals = read(Path(getattr(run, "folder", run)))
    found = tuple(
        Finding(name, opinion.confidence, _finite(opinion.evidence), advise(name, signals), _plot(signals, opinion))
        for name, opinion in opinions(signals).items()
        if opinion.confidence >= SURE
    )
    note = missing(signals)
    if note:
        certain = ("bad_data_range", "label_leak", *(("divergence",) if signals.non_finite else ()))
        found = tuple(finding for finding in found if finding.name in certain)
        return Diagnosis(False if found else None, found, signals.steps, note)
    return Diagnosis(not found, found, signals.steps)


def missing(signals: Signals) -> str:
    """What the log lacks for a verdict, in words; "" where it is enough."""
    if signals.steps < STEPS:
        return f"the log ends at step {signals.steps}, and a verdict takes {STEPS}"
    if signals.health:
        short = LOOKS - signals.looks
        return f"the log has {signals.looks} health rows, and a verdict takes {LOOKS}" if short > 0 else ""
    if len(signals.rows) < ROWS:
        return f"the log has {len(signals.rows)} rows and no health rows, and a verdict takes {ROWS}"
    if signals.disc_update is None:
        return "the log says nothing about a discriminator"
    return ""


def _finite(evidence: dict[str, float]) -> dict[str, float]:
    return {key: float(f"{value:.4g}") for key, value in evidence.items() if math.isfinite(value)}


def _plot(signals: Signals, opinion: Opinion) -> Plot | None:
    lines = tuple((key.replace("_", " "), *signals.curve(key)) for key in opinion.curves if len(signals.curve(key)[1]))
    return Plot(lines[0][0].rpartition("/")[2].capitalize(), lines) if lines else None
