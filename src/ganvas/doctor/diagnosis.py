"""From a log to a diagnosis."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from ganvas.doctor.advice import advise
from ganvas.doctor.findings import Diagnosis, Finding, Level, Plot
from ganvas.doctor.rules import OF_THE_DATA, REPORTED_CONFIDENCE, Opinion, opinions
from ganvas.doctor.signals import Signals, read

MIN_HEALTH_ROWS = 4  # health rows after the start that a diagnosis needs
MIN_NUMBER_ROWS = 20  # rows of numbers, where a log has no health rows
MIN_STEPS = 100  # earlier, every GAN looks unhealthy


class HasFolder(Protocol):
    """A Run, or whatever else keeps its log in a folder."""

    @property
    def folder(self) -> Path: ...


def diagnose(run: HasFolder | Path | str) -> Diagnosis:
    """What is wrong with a training, and what is unusual in it: `run` is a Run, its folder, or any folder (or file) with a log in
    this form.

    `healthy` is None where the log is too short to tell; findings that need no more than the data come even then.
    RunError where there is no log.
    """
    signals = read(run if isinstance(run, str | Path) else run.folder)
    note = missing(signals)
    # Of a log that is too short, only what is certain all the same.
    certain = set(OF_THE_DATA)
    if signals.non_finite:
        certain.add("divergence")

    findings: list[Finding] = []
    for name, opinion in opinions(signals).items():
        if opinion.confidence < REPORTED_CONFIDENCE or (note and name not in certain):
            continue
        evidence, change = _finite(opinion.evidence), advise(name, signals)
        level: Level = "fault" if opinion.harm_seen else "note"
        findings.append(Finding(name, opinion.confidence, evidence, change, _plot(signals, opinion), level))

    findings.sort(key=lambda finding: finding.level == "note")
    healthy = all(finding.level == "note" for finding in findings)
    if note and healthy:
        return Diagnosis(None, (), signals.steps, note)
    return Diagnosis(healthy, tuple(findings), signals.steps, note)


def missing(signals: Signals) -> str:
    """What the log lacks for a verdict, in words; "" where it is enough."""
    if signals.steps < MIN_STEPS:
        return f"the log ends at step {signals.steps}, and a diagnosis needs {MIN_STEPS}"
    if signals.health:
        if signals.health_rows < MIN_HEALTH_ROWS:
            return f"the log has {signals.health_rows} health rows, and a diagnosis needs {MIN_HEALTH_ROWS}"
        return ""
    if len(signals.rows) < MIN_NUMBER_ROWS:
        return f"the log has {len(signals.rows)} rows and no health rows, and a diagnosis needs {MIN_NUMBER_ROWS}"
    if signals.disc_update is None:
        return "the log says nothing about a discriminator"
    return ""


def _finite(evidence: dict[str, float]) -> dict[str, float]:
    rounded: dict[str, float] = {}
    for key, value in evidence.items():
        if math.isfinite(value):
            rounded[key] = float(f"{value:.4g}")
    return rounded


def _plot(signals: Signals, opinion: Opinion) -> Plot | None:
    lines: list[tuple[str, np.ndarray, np.ndarray]] = []
    for key in opinion.curves:
        steps, values = signals.curve(key)
        if len(values):
            lines.append((key.replace("_", " "), steps, values))
    if not lines:
        return None
    title = lines[0][0].rpartition("/")[2].capitalize()
    return Plot(title, tuple(lines))
