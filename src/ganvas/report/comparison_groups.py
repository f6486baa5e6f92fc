"""Runs that differ in nothing but the seed are a group: means and spreads over seeds, who leads, what differs between groups."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganvas.figure import Better, Figure, primary_figure
from ganvas.report.log import Log
from ganvas.run import Run

SURROUNDINGS = (
    "budget", "device", "machine", "processes", "threads", "precision", "compiled", "ganvas", "versions",
)  # fmt: skip


@dataclass
class Member:
    """One run with what was measured."""

    run: Run
    log: Log
    figures: Mapping[str, Figure]


@dataclass
class Group:
    """Runs that differ in nothing but the seed."""

    name: str
    members: list[Member] = field(default_factory=list)

    @property
    def info(self) -> dict[str, Any]:
        """settings.json of the first run."""
        return self.members[0].run.info

    def figures(self, metric: str) -> list[Figure]:
        """The figure of each run that has it."""
        return [member.figures[metric] for member in self.members if metric in member.figures]

    def values(self, metric: str) -> list[float]:
        """Their values."""
        return [float(figure.value) for figure in self.figures(metric)]

    def mean(self, metric: str) -> float | None:
        """None where no run has it."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def std(self, metric: str) -> float | None:
        """The sample standard deviation over seeds; None of fewer than two."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def mean_last(self, key: str) -> float | None:
        """The mean over runs of the newest number under a key of the log."""
        numbers = [last for member in self.members if (last := member.log.last(key)) is not None]
        return round(statistics.fmean(numbers)) if numbers else None

    @property
    def speed(self) -> float | None:
        """Images per second: the mean over runs of the median."""
        columns = [member.log.column("images_per_second") for member in self.members]
        medians = [float(np.nanmedian(column)) for column in columns if np.isfinite(column).any()]
        return round(statistics.fmean(medians), 1) if medians else None


def grouped(members: list[Member]) -> list[Group]:
    """The runs by method, preset, settings and budget, in the order given."""
    by_key: dict[str, Group] = {}
    for member in members:
        info = member.run.info
        key = json.dumps([info["method"], info.get("preset"), info["settings"], info.get("budget")], sort_keys=True)
        by_key.setdefault(key, Group(_name(info))).members.append(member)
    groups = list(by_key.values())
    taken: dict[str, int] = {}
    for group in groups:
        if sum(other.name == group.name for other in groups) > 1:
            taken[group.name] = taken.get(group.name, 0) + 1
    for name, count in taken.items():
        for letter, group in zip(_letters(count), [group for group in groups if group.name == name], strict=True):
            group.name = f"{name} ({letter})"
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
    figures = [figure for group in groups for figure in group.figures(metric)]
    return figures[0].better if figures else None


def reference_value(groups: list[Group], metric: str) -> float | None:
    """What held-out real data score, from the first run that says it."""
    references = [figure.reference for group in groups for figure in group.figures(metric)]
    return next((reference for reference in references if reference is not None), None)


def leaders(groups: list[Group], metric: str) -> list[str]:
    """Groups that no other beats by more than the spread; [] where none stands out or the spread is unknown.

    A group is beaten where its interval mean ± standard deviation lies wholly on the worse side of the best one's.
    """
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


def summary(groups: list[Group]) -> dict[str, Any]:
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


def surroundings(groups: list[Group]) -> dict[str, dict[str, Any]]:
    """What differs around the runs, as {"threads": {run: value}}: clock, machine, versions."""
    members = [member for group in groups for member in group.members]
    found = {key: {str(member.run.folder): member.run.info.get(key) for member in members} for key in SURROUNDINGS}
    return {
        key: values
        for key, values in found.items()
        if len({json.dumps(value, sort_keys=True) for value in values.values()}) > 1
    }


def setting_differences(groups: list[Group]) -> dict[str, dict[str, Any]]:
    """{"lr": {group: value}} for each setting that differs; a method that lacks it is left out."""
    names = list(dict.fromkeys(name for group in groups for name in group.info["settings"]))
    found = {
        name: {group.name: group.info["settings"][name] for group in groups if name in group.info["settings"]}
        for name in names
    }
    return {
        name: values
        for name, values in found.items()
        if len(values) < len(groups) or len({json.dumps(value) for value in values.values()}) > 1
    }


def _name(info: dict[str, Any]) -> str:
    return f"{info['method']} {info['preset']}" if info.get("preset") else str(info["method"])


def _letters(count: int) -> list[str]:
    return [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(count)]


def _group_summary(group: Group, metrics: list[str]) -> dict[str, Any]:
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


def _metric_summary(group: Group, metric: str) -> dict[str, Any]:
    figure = group.figures(metric)[0]
    return {
        "mean": group.mean(metric),
        "std": group.std(metric),
        "seeds": len(group.values(metric)),
        "values": group.values(metric),
        "reference": figure.reference,
        "n": figure.n,
        "better": figure.better,
    }
