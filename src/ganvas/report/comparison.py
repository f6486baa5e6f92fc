"""Several runs on one page: measures with their spread, curves against the clock, samples, what differs.

Only what can be is compared: the same data, the same measures of as many samples. Clocks, machines and
precisions may differ, and are then named.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import ganvas
from ganvas.errors import RunError, UsageError
from ganvas.files import write_text
from ganvas.metrics.abilities import unmeasured
from ganvas.report.chart import COLOURS, Line, line_chart
from ganvas.report.images import MOST_BYTES, frames, image
from ganvas.report.log import Log, read_log
from ganvas.report.markup import (
    DASH,
    Content,
    Html,
    document,
    duration,
    is_number,
    join,
    number,
    plain,
    section,
    table,
    tag,
)
from ganvas.report.measures import entries, explanation, main_metric, reference_of
from ganvas.report.page import data_name, measured_of
from ganvas.run import Run

SURROUNDINGS = (
    "budget",
    "device",
    "machine",
    "processes",
    "threads",
    "precision",
    "compiled",
    "ganvas",
    "versions",
)
IDENTITY = ("network", "n", "n_real", "k", "kind", "level")  # of a measure: equal, or it is another one


@dataclass
class Member:
    """One run with what was measured."""

    run: Run
    log: Log
    metrics: dict[str, dict[str, Any]]


@dataclass
class Group:
    """Runs that differ in nothing but the seed."""

    name: str
    members: list[Member] = field(default_factory=list)

    @property
    def info(self) -> dict[str, Any]:
        """settings.json of the first run."""
        return self.members[0].run.info

    def values(self, metric: str) -> list[float]:
        """The measure of each run that has it."""
        return [float(member.metrics[metric]["value"]) for member in self.members if metric in member.metrics]

    def mean(self, metric: str) -> float | None:
        """None where no run has it."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def std(self, metric: str) -> float | None:
        """The sample standard deviation over seeds; None of fewer than two."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None


def compare(folders: Sequence[Path | str], out: Path | str) -> dict[str, Any]:
    """Writes one page about several runs to `out` and returns its table, ready for JSON.

    Runs of one method, preset, settings and budget form a group; its figures are the mean and the sample standard
    deviation over seeds.
    RunError where the runs were not trained on the same data or not measured alike, and names what differs.
    """
    members = [_open(folder) for folder in _unique(folders)]
    _check_same_data(members)
    _check_same_measures(members)
    groups = grouped(members)
    metrics = list(dict.fromkeys(name for member in members for name in member.metrics))
    write_text(out, str(_page(groups, metrics)))
    return {**summary(groups, metrics), "page": str(out)}


def grouped(members: list[Member]) -> list[Group]:
    """The runs by method, preset, settings and budget, in the order given."""
    found: dict[str, Group] = {}
    for member in members:
        info = member.run.info
        key = json.dumps([info["method"], info.get("preset"), info["settings"], info.get("budget")], sort_keys=True)
        found.setdefault(key, Group(_name(info))).members.append(member)
    groups = list(found.values())
    taken: dict[str, int] = {}
    for group in groups:
        if sum(other.name == group.name for other in groups) > 1:
            taken[group.name] = taken.get(group.name, 0) + 1
    for name, count in taken.items():
        for letter, group in zip(_letters(count), [group for group in groups if group.name == name], strict=True):
            group.name = f"{name} ({letter})"
    return groups


def leaders(groups: list[Group], metric: str) -> list[str]:
    """Groups that no other beats by more than the spread; [] where none stands out or the spread is unknown.

    A group is beaten where its interval mean ± standard deviation lies wholly on the worse side of the best one's.
    """
    better = _better(groups, metric)
    known = [(group.name, mean, group.std(metric)) for group in groups if (mean := group.mean(metric)) is not None]
    if better is None or len(known) < 2 or any(std is None for _, _, std in known):
        return []
    sign = 1 if better == "lower" else -1
    _, best, best_std = min(known, key=lambda entry: sign * entry[1])
    ahead = [name for name, mean, std in known if sign * (mean - best) <= (std or 0) + (best_std or 0)]
    return ahead if len(ahead) < len(known) else []


def summary(groups: list[Group], metrics: list[str]) -> dict[str, Any]:
    """The table of the page as plain values."""
    first = groups[0].info
    return {
        "data": first["data"],
        "fingerprint": first.get("fingerprint"),
        "main": main_metric(dict.fromkeys(metrics)),
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


# --- checks -------------------------------------------------------------------------------------------------


def _unique(folders: Sequence[Path | str]) -> list[Path]:
    found = list({Path(folder).resolve(): Path(folder) for folder in folders}.values())
    if len(found) < 2:
        raise UsageError(
            f"a comparison needs two different runs at least (got {', '.join(map(str, folders)) or 'none'})"
        )
    return found


def _open(folder: Path) -> Member:
    run = Run(folder)
    metrics = entries(measured_of(run).get("metrics"))
    if not metrics:
        if why := unmeasured(str(run.info.get("method"))):
            raise RunError(f"{folder} holds no measures to compare: {why}")
        raise RunError(f"{folder} holds no measures yet. Measure it with: ganvas evaluate {folder}")
    return Member(run, read_log(run), metrics)


def _check_same_data(members: list[Member]) -> None:
    first = members[0].run
    for other in (member.run for member in members[1:]):
        if other.info.get("fingerprint") != first.info.get("fingerprint"):
            why = _data_difference(first.info, other.info)
            raise RunError(
                f"{first.folder} and {other.folder} were trained on different data: {why}. "
                "Only runs on the same data can be compared"
            )


def _data_difference(a: dict[str, Any], b: dict[str, Any]) -> str:
    if a["data"] != b["data"]:
        return f"{a['data']} and {b['data']}"
    mine, theirs = a.get("data_settings") or {}, b.get("data_settings") or {}
    changed = [
        f"data.{key} {plain(mine.get(key))} and {plain(theirs.get(key))}"
        for key in {**mine, **theirs}
        if mine.get(key) != theirs.get(key)
    ]
    if changed:
        return ", ".join(changed)
    marks = " and ".join(str(info.get("fingerprint"))[:12] for info in (a, b))
    return f"{a['data']} with other content (fingerprints {marks})"


def _check_same_measures(members: list[Member]) -> None:
    first = members[0]
    advice = "Measure both alike with: ganvas evaluate RUN --samples N"
    for other in members[1:]:
        where = f"{first.run.folder} and {other.run.folder} were not measured alike"
        mine, theirs = main_metric(first.metrics), main_metric(other.metrics)
        if mine != theirs:
            raise RunError(f"{where}: {mine} and {theirs}. {advice}")
        for name in first.metrics.keys() & other.metrics.keys():
            a, b = first.metrics[name], other.metrics[name]
            for key in IDENTITY:
                if a.get(key) != b.get(key):
                    raise RunError(f"{where}: {name} has {key} {plain(a.get(key))} and {plain(b.get(key))}. {advice}")


# --- the page -----------------------------------------------------------------------------------------------


def _page(groups: list[Group], metrics: list[str]) -> Html:
    runs = sum(len(group.members) for group in groups)
    data = data_name(groups[0].members[0].run)
    names = [group.name for group in groups]
    mark = str(groups[0].info.get("fingerprint"))[:12]
    head = tag(
        "header",
        tag("p", "ganvas · comparison", class_="eyebrow"),
        tag("h1", f"{len(groups)} {'kind' if len(groups) == 1 else 'kinds'} of run on {data}"),
        tag(
            "p",
            f"{', '.join(names)}. {runs} runs in all, the same data (fingerprint {mark}), the same measures.",
        ),
        tag("p", _verdict(groups, metrics), class_="verdict"),
        _warning(groups),
    )
    parts = [
        _table(groups, metrics),
        _curves(groups, metrics),
        _sheets(groups),
        _differences(groups),
        _runs(groups, metrics),
    ]
    foot = tag("footer", f"Written by ganvas {ganvas.__version__}. This file needs no network and no other file.")
    return document(f"{', '.join(names)} on {data} · ganvas", head, parts, foot)


def _verdict(groups: list[Group], metrics: list[str]) -> Content:
    main = main_metric(dict.fromkeys(metrics)) or ""
    best = leaders(groups, main)
    if best:
        which = next(group for group in groups if group.name == best[0])
        tied = f", with {' and '.join(best[1:])} within the spread" if best[1:] else ""
        return ["Best by ", main, ": ", tag("b", best[0]), f" at {_figure(which, main)}{tied}."]
    if any(len(group.values(main)) < 2 for group in groups):
        return f"No verdict by {main}: one seed cannot tell a difference from luck. Train each with three or more."
    return f"No verdict by {main}: the differences lie within the spread over seeds."


def _warning(groups: list[Group]) -> Html | None:
    found = surroundings(groups)
    if not found:
        return tag("p", "Clock, machine, threads, precision and versions were the same for all.", class_="note")
    words = {"ganvas": "ganvas version", "budget": "budget", "versions": "versions of libraries"}
    listed = ", ".join(words.get(key, key) for key in found)
    return tag(
        "p",
        tag("b", "Not all were run alike. "),
        f"They differ in: {listed}. The table of differences below has the values.",
        class_="warn",
    )


def _table(groups: list[Group], metrics: list[str]) -> Html:
    head: list[Content] = ["Measure", *(group.name for group in groups), "Floor", "Better"]
    rows: list[list[Content]] = []
    for name in metrics:
        best = leaders(groups, name)
        cells = [
            [
                _figure(group, name),
                tag("span", "best" if len(best) == 1 else "tied best", class_="tag") if group.name in best else None,
            ]
            for group in groups
        ]
        rows.append([name, *cells, number(_reference(groups, name)), _better(groups, name) or DASH])
    rows.append(["Runs", *(f"{len(group.members)}" for group in groups), "", ""])
    rows.append(["Images per second", *(number(_speed(group)) for group in groups), "", ""])
    rows.append(["Images seen", *(number(_mean_last(group, "images_seen")) for group in groups), "", ""])
    rows.append(["Time", *(duration(_mean_last(group, "seconds")) for group in groups), "", ""])
    rows.append(["Parameters", *(number(group.info.get("parameters")) for group in groups), "", ""])
    lead = "Mean ± standard deviation over seeds. The best is marked where that interval parts it from others."
    meanings = [
        tag("li", tag("b", name), ": ", text)
        for name in metrics
        if (text := explanation(name, groups[0].members[0].metrics.get(name, {})))
    ]
    caption = "Measures by kind of run"
    shown = table(head, rows, caption=caption, numeric=range(1, 2 + len(groups)))
    return section(
        "measures",
        "Measures",
        shown,
        tag("details", tag("summary", "What they mean"), tag("ul", meanings)),
        lead=lead,
    )


def _figure(group: Group, metric: str) -> str:
    mean, std = group.mean(metric), group.std(metric)
    if mean is None or not std:
        return number(mean) if std is None else f"{number(mean)} ± 0"
    places = max(0, 1 - math.floor(math.log10(std)))  # two digits of the deviation, and as many places of the mean
    return f"{mean:,.{places}f} ± {std:,.{places}f}"


def _curves(groups: list[Group], metrics: list[str]) -> Html:
    main = main_metric(dict.fromkeys(metrics)) or ""
    reference = _reference(groups, main)
    charts = [
        line_chart(f"{main} against {what}", _lines(groups, main, key), x_label=what, reference=reference)
        for key, what in (("seconds", "seconds"), ("images_seen", "images seen"))
    ]
    lead = f"One line a run, one colour a kind. {explanation(main, {}) or main}."
    return section("curves", "Over time", tag("div", charts, class_="charts") if any(charts) else None, lead=lead)


def _lines(groups: list[Group], metric: str, against: str) -> list[Line]:
    lines = []
    for colour, group in enumerate(groups):
        for position, member in enumerate(group.members):
            points = [
                (_place(member.log, row, against), entries(row.get("metrics")).get(metric, {}).get("value"))
                for row in member.log.evaluated
            ]
            known = [(x, y) for x, y in points if is_number(x) and is_number(y)]
            x, y = (np.array(values, dtype=np.float64) for values in (zip(*known, strict=True) if known else ((), ())))
            lines.append(
                Line(
                    f"{group.name}, seed {member.run.info['seed']}",
                    x,
                    y,
                    colour % COLOURS,
                    dots=True,
                    legend="" if position else group.name,
                )
            )
    return lines


def _place(log: Log, row: dict[str, Any], against: str) -> float | None:
    """Where on the axis an evaluation stands; from the log's rows where the event does not say it itself."""
    if is_number(row.get(against)):
        return float(row[against])
    steps, values = log.column("step"), log.column(against)
    finite = np.isfinite(values)
    return float(np.interp(row["step"], steps[finite], values[finite])) if finite.any() else None


def _sheets(groups: list[Group]) -> Html:
    share = MOST_BYTES // len(groups)
    figures = []
    for group in groups:
        run = group.members[0].run
        shown = frames(run.folder / "samples", 1, share)
        if shown:
            last = shown[-1]
            caption = f"{group.name}, seed {run.info['seed']}, step {number(last.step)}"
            grid = image(last.png, f"Grid of samples of {caption}", last.width, last.height)
            figures.append(tag("figure", tag("h3", group.name), grid, tag("figcaption", caption), class_="sheet"))
    return section(
        "samples",
        "Samples",
        tag("div", figures, class_="sheets") if figures else None,
        lead="The newest grid of the first run of each kind, from the same seeds.",
    )


def _differences(groups: list[Group]) -> Html:
    settings = setting_differences(groups)
    rows: list[list[Content]] = [
        [tag("code", name), *(plain(values[group.name]) if group.name in values else DASH for group in groups)]
        for name, values in settings.items()
    ]
    shown = (
        table(["Setting", *(group.name for group in groups)], rows, caption="Settings that differ") if rows else Html()
    )
    around = surroundings(groups)
    runs = [member.run for group in groups for member in group.members]
    lines: list[list[Content]] = [
        [key, *(_short(values[str(run.folder)]) for run in runs)] for key, values in around.items()
    ]
    other = (
        table(
            ["Around the run", *(run.name for run in runs)],
            lines,
            caption="Clock, machine and versions where they differ",
        )
        if lines
        else Html()
    )
    return section("differences", "What differs", join(shown, other))


def _runs(groups: list[Group], metrics: list[str]) -> Html:
    rows: list[list[Content]] = [
        [
            member.run.name,
            group.name,
            str(member.run.info["seed"]),
            number(member.log.last("step")),
            *(number(member.metrics.get(name, {}).get("value")) for name in metrics),
        ]
        for group in groups
        for member in group.members
    ]
    head: list[Content] = ["Run", "Kind", "Seed", "Steps", *metrics]
    return section(
        "runs", "Every run", table(head, rows, caption="The measures of every run", numeric=range(2, len(head)))
    )


# --- facts --------------------------------------------------------------------------------------------------


def _name(info: dict[str, Any]) -> str:
    return f"{info['method']} {info['preset']}" if info.get("preset") else str(info["method"])


def _letters(count: int) -> list[str]:
    return [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(count)]


def _better(groups: list[Group], metric: str) -> str | None:
    """ "lower", "higher" or None."""
    told = [
        member.metrics[metric].get("better") for group in groups for member in group.members if metric in member.metrics
    ]
    return told[0] if told and told[0] in ("lower", "higher") else None


def _reference(groups: list[Group], metric: str) -> float | None:
    references = [
        reference_of(member.metrics[metric]) for group in groups for member in group.members if metric in member.metrics
    ]
    return next((reference for reference in references if reference is not None), None)


def _speed(group: Group) -> float | None:
    speeds = [
        float(np.nanmedian(column))
        for member in group.members
        if np.isfinite(column := member.log.column("images_per_second")).any()
    ]
    return round(statistics.fmean(speeds), 1) if speeds else None


def _mean_last(group: Group, key: str) -> float | None:
    found = [last for member in group.members if (last := member.log.last(key)) is not None]
    return round(statistics.fmean(found)) if found else None


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items() if part is not None)
    return plain(value)


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
        "images_per_second": _speed(group),
        "images_seen": _mean_last(group, "images_seen"),
        "seconds": _mean_last(group, "seconds"),
        "metrics": {name: _metric_summary(group, name) for name in metrics if group.values(name)},
    }


def _metric_summary(group: Group, metric: str) -> dict[str, Any]:
    entry = next(member.metrics[metric] for member in group.members if metric in member.metrics)
    told = {key: entry.get(key) for key in ("reference", "n", "better")}
    return {
        "mean": group.mean(metric),
        "std": group.std(metric),
        "seeds": len(group.values(metric)),
        "values": group.values(metric),
        **told,
    }
