"""The page of a comparison: a verdict, tables, curves over time, samples, differences."""

from __future__ import annotations

import math

import numpy as np

import ganvas
from ganvas.figure import is_number, read_figures
from ganvas.report.chart import SERIES_COLOURS, Line, line_chart
from ganvas.report.comparison_groups import (
    Group,
    Member,
    better_side,
    leaders,
    metric_names,
    primary_metric,
    reference_value,
    setting_differences,
    surroundings,
    warning_of,
)  # fmt: skip
from ganvas.report.images import MAX_PAGE_BYTES, frames, image
from ganvas.report.log import Evaluation, Log
from ganvas.report.markup import (
    DASH,
    Content,
    Html,
    Section,
    document,
    duration,
    number,
    plain,
    section,
    table,
    tag,
)  # fmt: skip
from ganvas.report.measured import data_name
from ganvas.report.measures import explanation


def comparison_page(groups: list[Group], notes: list[str]) -> Html:
    """The whole page as text. `notes` say what was measured differently."""
    runs = len(_members(groups))
    data = data_name(groups[0].members[0].run)
    names = ", ".join(group.name for group in groups)
    mark = str(groups[0].info.get("fingerprint"))[:12]
    kinds = "kind" if len(groups) == 1 else "kinds"
    about = f"{names}. {runs} runs in all, the same data (fingerprint {mark})."
    head = tag(
        "header",
        tag("p", "ganvas · comparison", class_="eyebrow"),
        tag("h1", f"{len(groups)} {kinds} of run on {data}"),
        tag("p", about),
        tag("p", _verdict(groups), class_="verdict"),
        _warning(groups),
        *[tag("p", note, class_="warn") for note in notes],
    )
    sections = [
        _measures_section(groups), _curves_section(groups), _samples_section(groups), _differences_section(groups),
        _runs_section(groups),
    ]  # fmt: skip
    foot = tag("footer", f"Written by ganvas {ganvas.__version__}. This file needs no network and no other file.")
    return document(f"{names} on {data} · ganvas", head, [one.html for one in sections], foot)


def _members(groups: list[Group]) -> list[Member]:
    members: list[Member] = []
    for group in groups:
        members += group.members
    return members


def _verdict(groups: list[Group]) -> Content:
    primary = primary_metric(groups)
    if primary in groups[0].unlike:
        return f"No verdict by {primary}: the runs were measured differently ({groups[0].unlike[primary]})."
    best = leaders(groups, primary)
    if best:
        leader = next(group for group in groups if group.name == best[0])
        score = _mean_and_spread(leader, primary)
        if best[1:]:
            score += f", with {' and '.join(best[1:])} within the spread"
        return ["Best by ", primary, ": ", tag("b", best[0]), f" at {score}."]
    if any(len(group.values(primary)) < 2 for group in groups):
        return f"No verdict by {primary}: one seed cannot tell a difference from luck. Train each with three or more."
    return f"No verdict by {primary}: the differences lie within the spread over seeds."


def _warning(groups: list[Group]) -> Html | None:
    differing = surroundings(groups)
    if not differing:
        return tag("p", "Clock, machine, threads, precision and versions were the same for all.", class_="note")
    words = {"ganvas": "ganvas version", "budget": "budget", "versions": "versions of libraries"}
    listed = ", ".join(words.get(key, key) for key in differing)
    return tag(
        "p",
        tag("b", "Not all were run alike. "),
        f"They differ in: {listed}. The table of differences below has the values.",
        class_="warn",
    )


def _measures_section(groups: list[Group]) -> Section:
    head: list[Content] = ["Measure", *(group.name for group in groups), "Reference", "Better"]
    rows: list[list[Content]] = []
    meanings: list[Html] = []
    warnings: list[str] = []
    for name in metric_names(groups):
        best = leaders(groups, name)
        mark = tag("span", "best" if len(best) == 1 else "tied best", class_="tag")
        cells: list[Content] = []
        for group in groups:
            cells.append([_mean_and_spread(group, name), mark if group.name in best else None])
        warning = warning_of(groups, name)
        if warning and warning not in warnings:
            warnings.append(warning)
        title = f"{name} *" if warning else name
        rows.append([title, *cells, number(reference_value(groups, name)), better_side(groups, name) or DASH])
        meaning = explanation(name, groups[0].members[0].figures.get(name))
        if meaning:
            meanings.append(tag("li", tag("b", name), ": ", meaning))
    facts: dict[str, list[Content]] = {
        "Runs": [], "Images per second": [], "Images seen": [], "Time": [], "Parameters": [],
    }  # fmt: skip
    for group in groups:
        facts["Runs"].append(f"{len(group.members)}")
        facts["Images per second"].append(number(group.speed))
        facts["Images seen"].append(number(group.mean_last("images_seen")))
        facts["Time"].append(duration(group.mean_last("seconds")))
        facts["Parameters"].append(number(group.info.get("parameters")))
    for name, cells in facts.items():
        rows.append([name, *cells, "", ""])
    for warning in warnings:
        rows.append(["* Warning", tag("strong", warning), *[""] * (len(head) - 2)])
    lead = "Mean ± standard deviation over seeds. The best is marked where that interval parts it from others."
    measures_table = table(head, rows, caption="Measures by kind of run", numeric=range(1, 2 + len(groups)))
    explained = tag("details", tag("summary", "What they mean"), tag("ul", meanings))
    return section("measures", "Measures", measures_table, explained, lead=lead)


def _mean_and_spread(group: Group, metric: str) -> str:
    """ "2.0 ± 1.0"; where runs were measured differently the values, each with its number of samples."""
    if metric in group.unlike:
        each = [f"{number(figure.value)} (n {number(figure.n)})" for figure in group.figures(metric)]
        return ", ".join(each) or DASH
    mean, std = group.mean(metric), group.std(metric)
    if std is None:
        return number(mean)
    if mean is None or std == 0:
        return f"{number(mean)} ± 0"
    places = max(0, 1 - math.floor(math.log10(std)))  # two digits of the deviation, and as many places of the mean
    return f"{mean:,.{places}f} ± {std:,.{places}f}"


def _curves_section(groups: list[Group]) -> Section:
    primary = primary_metric(groups)
    reference = reference_value(groups, primary)
    charts: list[Html] = []
    counts = _counts_over_time(groups, primary)
    for key, what in (("seconds", "seconds"), ("images_seen", "images seen")):
        title = f"{primary} against {what}"
        charts.append(line_chart(title, _lines(groups, primary, key), x_label=what, reference=reference))
    lead = f"One line per run, one colour per kind. {explanation(primary, None) or primary}."
    if len(counts) > 1:
        listed = " and ".join(number(count) for count in counts)
        lead += f" During training the runs were measured by {listed} samples, so their lines are not at one level."
    return section("curves", "Over time", tag("div", charts, class_="charts") if any(charts) else None, lead=lead)


def _counts_over_time(groups: list[Group], metric: str) -> list[int]:
    """The numbers of samples by which a figure was measured during the trainings, from few to many."""
    counts: set[int] = set()
    for member in _members(groups):
        for row in member.log.evaluated:
            figure = read_figures(row.get("metrics")).get(metric)
            if figure is not None and figure.n is not None:
                counts.add(figure.n)
    return sorted(counts)


def _lines(groups: list[Group], metric: str, against: str) -> list[Line]:
    lines: list[Line] = []
    for colour, group in enumerate(groups):
        for position, member in enumerate(group.members):
            x, y = _points(member, metric, against)
            name = f"{group.name}, seed {member.run.info['seed']}"
            legend = "" if position else group.name
            lines.append(Line(name, x, y, colour % SERIES_COLOURS, dots=True, legend=legend))
    return lines


def _points(member: Member, metric: str, against: str) -> tuple[np.ndarray, np.ndarray]:
    """Of every evaluation of a run, where it stands on the axis and its value: (n,) each."""
    places: list[float] = []
    values: list[float] = []
    for row in member.log.evaluated:
        place = _place(member.log, row, against)
        figure = read_figures(row.get("metrics")).get(metric)
        if place is not None and figure is not None:
            places.append(place)
            values.append(float(figure.value))
    return np.array(places, dtype=np.float64), np.array(values, dtype=np.float64)


def _place(log: Log, row: Evaluation, against: str) -> float | None:
    """Where on the axis an evaluation stands; from the log's rows where the event does not say it itself."""
    place = row.get(against)
    if is_number(place):
        return float(place)
    steps, values = log.column("step"), log.column(against)
    finite = np.isfinite(values)
    if not finite.any():
        return None
    return float(np.interp(row["step"], steps[finite], values[finite]))


def _samples_section(groups: list[Group]) -> Section:
    most_bytes = MAX_PAGE_BYTES // len(groups)
    figures: list[Html] = []
    for group in groups:
        run = group.members[0].run
        grids = frames(run.folder / "samples", 1, most_bytes)
        if grids:
            last = grids[-1]
            caption = f"{group.name}, seed {run.info['seed']}, step {number(last.step)}"
            grid = image(last.file, f"Grid of samples of {caption}", last.width, last.height)
            figures.append(tag("figure", tag("h3", group.name), grid, tag("figcaption", caption), class_="grid"))
    shown = tag("div", figures, class_="grids") if figures else None
    lead = "The newest grid of the first run of each kind, from the same seeds."
    return section("samples", "Samples", shown, lead=lead)


def _differences_section(groups: list[Group]) -> Section:
    setting_rows: list[list[Content]] = []
    for name, values in setting_differences(groups).items():
        row: list[Content] = [tag("code", name)]
        for group in groups:
            row.append(plain(values[group.name]) if group.name in values else DASH)
        setting_rows.append(row)
    runs = [member.run for member in _members(groups)]
    around_rows: list[list[Content]] = []
    for key, values in surroundings(groups).items():
        around_rows.append([key, *(_short(values[str(run.folder)]) for run in runs)])
    tables: list[Html] = []
    if setting_rows:
        head = ["Setting", *(group.name for group in groups)]
        tables.append(table(head, setting_rows, caption="Settings that differ"))
    if around_rows:
        head = ["Around the run", *(run.name for run in runs)]
        tables.append(table(head, around_rows, caption="Clock, machine and versions where they differ"))
    return section("differences", "What differs", tables)


def _runs_section(groups: list[Group]) -> Section:
    metrics = metric_names(groups)
    rows: list[list[Content]] = []
    for group in groups:
        for member in group.members:
            run = member.run
            row: list[Content] = [run.name, group.name, str(run.info["seed"]), number(member.log.last("step"))]
            for name in metrics:
                row.append(number(member.figures[name].value) if name in member.figures else DASH)
            rows.append(row)
    head: list[Content] = ["Run", "Kind", "Seed", "Steps", *metrics]
    runs_table = table(head, rows, caption="The measures of every run", numeric=range(2, len(head)))
    return section("runs", "Every run", runs_table)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items() if part is not None)
    return plain(value)
