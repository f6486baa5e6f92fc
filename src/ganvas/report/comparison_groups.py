"""Runs that differ in nothing but the seed are a group: means and spreads over seeds, who leads, what differs between groups."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from ganvas.figure import Better, Figure, primary_figure
from ganvas.files import JsonObject
from ganvas.report.comparison_conditions import what_differs
from ganvas.report.log import Log
from ganvas.run import Run

Info = JsonObject
"""settings.json of a run."""

SURROUNDINGS = (
    "budget", "device", "machine", "processes", "threads", "precision", "compiled", "ganvas", "versions",
)  # fmt: skip


@dataclass
class Member:
    """One run with what was measured."""

    run: Run
    log: Log
    figures: Mapping[str, Figure]


class MetricSummary(TypedDict):
    """One measure over the seeds of a group. `counts` are the samples behind each of `values`; `n` is their number where it is
    the same for all. Mean and deviation are None where the values of a group were measured differently. `ranked`: whether the
    groups may be ranked by it."""

    mean: float | None
    std: float | None
    seeds: int
    values: list[float]
    counts: list[int | None]
    ranked: bool
    reference: float | None
    n: int | None
    better: Better | None
    warning: str


class GroupSummary(TypedDict):
    """What the runs of a group share, and their measures by name."""

    name: str
    method: str
    preset: str | None
    settings: dict[str, object]
    budget: dict[str, float] | None
    seeds: list[int]
    runs: list[str]
    parameters: int | None
    images_per_second: float | None
    images_seen: float | None
    seconds: float | None
    metrics: dict[str, MetricSummary]


class Summary(TypedDict):
    """The table of a comparison. `surroundings` and `settings` hold what differs, by name, then by run or group."""

    data: str
    fingerprint: str | None
    main: str
    groups: list[GroupSummary]
    best: dict[str, list[str]]
    surroundings: dict[str, dict[str, object]]
    settings: dict[str, dict[str, object]]


@dataclass
class Group:
    """Runs that differ in nothing but the seed."""

    name: str
    members: list[Member] = field(default_factory=list)
    unlike: Mapping[str, str] = field(default_factory=dict)
    """Measures by which no group is ranked, and what differs between the runs; the same for all groups."""

    @property
    def info(self) -> Info:
        """settings.json of the first run."""
        return self.members[0].run.info

    def figures(self, metric: str) -> list[Figure]:
        """The figure of each run that has it."""
        return [member.figures[metric] for member in self.members if metric in member.figures]

    def values(self, metric: str) -> list[float]:
        """Their values."""
        return [float(figure.value) for figure in self.figures(metric)]

    def mean(self, metric: str) -> float | None:
        """None where no run has it, or where its values were measured differently."""
        if what_differs(self.figures(metric)):
            return None
        return _mean(self.values(metric))

    def std(self, metric: str) -> float | None:
        """The sample standard deviation over seeds; None of fewer than two, and where there is no mean."""
        values = self.values(metric)
        if len(values) < 2 or what_differs(self.figures(metric)):
            return None
        return statistics.stdev(values)

    def mean_last(self, key: str) -> float | None:
        """The mean over runs of the newest number under a key of the log."""
        numbers: list[float] = []
        for member in self.members:
            last = member.log.last(key)
            if last is not None:
                numbers.append(last)
        mean = _mean(numbers)
        return None if mean is None else round(mean)

    @property
    def speed(self) -> float | None:
        """Images per second: the mean over runs of the median."""
        medians: list[float] = []
        for member in self.members:
            column = member.log.column("images_per_second")
            if np.isfinite(column).any():
                medians.append(float(np.nanmedian(column)))
        mean = _mean(medians)
        return None if mean is None else round(mean, 1)


def grouped(members: list[Member], unlike: Mapping[str, str]) -> list[Group]:
    """The runs by method, preset, settings and budget, in the order given; `unlike` is what cannot be ranked."""
    by_key: dict[str, Group] = {}
    for member in members:
        info = member.run.info
        key = json.dumps([info["method"], info.get("preset"), info["settings"], info.get("budget")], sort_keys=True)
        by_key.setdefault(key, Group(_name(info), unlike=unlike)).members.append(member)
    groups = list(by_key.values())

    # Groups of one name get a letter.
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(group.name, []).append(group)
    for name, namesakes in by_name.items():
        if len(namesakes) > 1:
            for position, group in enumerate(namesakes):
                group.name = f"{name} ({_letter(position)})"
    return groups


def metric_names(groups: list[Group]) -> list[str]:
    """Every figure that some run has, in the order of the runs."""
    names: dict[str, None] = {}
    for group in groups:
        for member in group.members:
            names |= dict.fromkeys(member.figures)
    return list(names)


def primary_metric(groups: list[Group]) -> str:
    """The primary figure, which is the same in all runs."""
    return primary_figure(groups[0].members[0].figures) or ""


def better_side(groups: list[Group], metric: str) -> Better | None:
    """Which side of a figure is better."""
    figures = _figures(groups, metric)
    return figures[0].better if figures else None


def reference_value(groups: list[Group], metric: str) -> float | None:
    """What held-out real data score, from the first run that says it."""
    for figure in _figures(groups, metric):
        if figure.reference is not None:
            return figure.reference
    return None


def warning_of(groups: list[Group], metric: str) -> str:
    """The figure's warning, from the first run that has one; "" without."""
    for figure in _figures(groups, metric):
        if figure.warning:
            return figure.warning
    return ""


def leaders(groups: list[Group], metric: str) -> list[str]:
    """Groups that no other beats by more than the spread; [] where none stands out or the spread is unknown.

    A group is beaten where its interval mean ± standard deviation lies wholly on the worse side of the best one's.
    """
    if metric in groups[0].unlike:
        return []
    better = better_side(groups, metric)
    measured = [group for group in groups if group.values(metric)]
    if better is None or len(measured) < 2 or any(group.std(metric) is None for group in measured):
        return []
    sign = 1 if better == "lower" else -1

    def penalty(group: Group) -> float:
        """The mean, with a sign such that less is better."""
        return sign * (group.mean(metric) or 0.0)

    best = min(measured, key=penalty)
    ahead: list[str] = []
    for group in measured:
        spread = (group.std(metric) or 0.0) + (best.std(metric) or 0.0)
        if penalty(group) - penalty(best) <= spread:
            ahead.append(group.name)
    return ahead if len(ahead) < len(measured) else []


def summary(groups: list[Group]) -> Summary:
    """The table of the page as plain values."""
    metrics = metric_names(groups)
    first = groups[0].info
    return {
        "data": first["data"],
        "fingerprint": first.get("fingerprint"),
        "main": primary_metric(groups),
        "groups": [_group_summary(group, metrics) for group in groups],
        "best": {name: leaders(groups, name) for name in metrics},
        "surroundings": surroundings(groups),
        "settings": setting_differences(groups),
    }


def surroundings(groups: list[Group]) -> dict[str, dict[str, object]]:
    """What differs around the runs, as {"threads": {run: value}}: clock, machine, versions."""
    differing: dict[str, dict[str, object]] = {}
    for key in SURROUNDINGS:
        values: dict[str, object] = {}
        for group in groups:
            for member in group.members:
                values[str(member.run.folder)] = member.run.info.get(key)
        if _differ(values):
            differing[key] = values
    return differing


def setting_differences(groups: list[Group]) -> dict[str, dict[str, object]]:
    """{"lr": {group: value}} for each setting that differs; a method that lacks it is left out."""
    by_setting: dict[str, dict[str, object]] = {}
    for group in groups:
        for name, value in group.info["settings"].items():
            by_setting.setdefault(name, {})[group.name] = value

    differing: dict[str, dict[str, object]] = {}
    for name, values in by_setting.items():
        if len(values) < len(groups) or _differ(values):
            differing[name] = values
    return differing


def _differ(values: Mapping[str, object]) -> bool:
    """Whether not all values are equal, as JSON."""
    return len({json.dumps(value, sort_keys=True) for value in values.values()}) > 1


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _figures(groups: list[Group], metric: str) -> list[Figure]:
    """The figure of every run that has it."""
    figures: list[Figure] = []
    for group in groups:
        figures += group.figures(metric)
    return figures


def _name(info: Info) -> str:
    if info.get("preset"):
        return f"{info['method']} {info['preset']}"
    return str(info["method"])


def _letter(position: int) -> str:
    """a to z, then 27, 28, ..."""
    return chr(ord("a") + position) if position < 26 else str(position + 1)


def _group_summary(group: Group, metrics: list[str]) -> GroupSummary:
    info = group.info
    return {
        "name": group.name,
        "method": info["method"],
        "preset": info.get("preset"),
        "settings": info["settings"],
        "budget": info.get("budget"),
        "seeds": [member.run.info["seed"] for member in group.members],
        "runs": [str(member.run.folder) for member in group.members],
        "parameters": info.get("parameters"),
        "images_per_second": group.speed,
        "images_seen": group.mean_last("images_seen"),
        "seconds": group.mean_last("seconds"),
        "metrics": {name: _metric_summary(group, name) for name in metrics if group.values(name)},
    }


def _metric_summary(group: Group, metric: str) -> MetricSummary:
    figures = group.figures(metric)
    figure = figures[0]
    counts = [one.n for one in figures]
    return {
        "mean": group.mean(metric),
        "std": group.std(metric),
        "seeds": len(group.values(metric)),
        "values": group.values(metric),
        "counts": counts,
        "ranked": metric not in group.unlike,
        "reference": figure.reference,
        "n": counts[0] if len(set(counts)) == 1 else None,
        "better": figure.better,
        "warning": figure.warning,
    }
