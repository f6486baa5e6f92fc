"""Several runs on one page: measures with their spread, curves against the clock, samples, what differs.

Runs are compared only where they can be: the same data, the same measures of the same number of samples. Clocks, machines and
precisions may differ, and are then named. comparison_groups.py has the numbers, comparison_page.py the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.errors import RunError, UsageError
from ganvas.figure import Figure, primary_figure
from ganvas.files import write_text
from ganvas.metrics.method_metrics import unmeasured
from ganvas.report.comparison_groups import Info, Member, grouped, summary
from ganvas.report.comparison_page import comparison_page
from ganvas.report.log import read_log
from ganvas.report.markup import plain
from ganvas.report.measured import newest
from ganvas.run import Run

CONDITIONS = ("network", "n", "n_real", "k", "kind", "level")  # of a measure: equal, or it is another one


def compare(folders: Sequence[Path | str], out: Path | str) -> dict[str, Any]:
    """Writes one page about several runs to `out` and returns its table, ready for JSON.

    Runs of one method, preset, settings and budget form a group; its figures are the mean and the sample standard deviation
    over seeds. RunError where the runs were not trained on the same data or not measured alike, and names what differs.
    """
    members = [_open(folder) for folder in _unique(folders)]
    _check_same_data(members)
    _check_same_measures(members)
    groups = grouped(members)
    write_text(out, str(comparison_page(groups)))
    return {**summary(groups), "page": str(out)}


def _unique(folders: Sequence[Path | str]) -> list[Path]:
    by_place = {Path(folder).resolve(): Path(folder) for folder in folders}
    if len(by_place) < 2:
        given = ", ".join(map(str, folders)) or "none"
        raise UsageError(f"a comparison needs two different runs at least (got {given})")
    return list(by_place.values())


def _open(folder: Path) -> Member:
    run = Run(folder)
    figures = newest(run).figures
    if not figures:
        if why := unmeasured(str(run.info.get("method"))):
            raise RunError(f"{folder} holds no measures to compare: {why}")
        raise RunError(f"{folder} holds no measures yet. Measure it with: ganvas evaluate {folder}")
    return Member(run, read_log(run), figures)


def _check_same_data(members: list[Member]) -> None:
    first = members[0].run
    for member in members[1:]:
        other = member.run
        if other.info.get("fingerprint") != first.info.get("fingerprint"):
            why = _data_difference(first.info, other.info)
            raise RunError(
                f"{first.folder} and {other.folder} were trained on different data: {why}. "
                "Only runs on the same data can be compared"
            )


def _data_difference(a: Info, b: Info) -> str:
    if a["data"] != b["data"]:
        return f"{a['data']} and {b['data']}"
    mine, theirs = a.get("data_settings") or {}, b.get("data_settings") or {}
    changed: list[str] = []
    for key in mine | theirs:
        if mine.get(key) != theirs.get(key):
            changed.append(f"data.{key} {plain(mine.get(key))} and {plain(theirs.get(key))}")
    if changed:
        return ", ".join(changed)
    mark_a, mark_b = str(a.get("fingerprint"))[:12], str(b.get("fingerprint"))[:12]
    return f"{a['data']} with other content (fingerprints {mark_a} and {mark_b})"


def _check_same_measures(members: list[Member]) -> None:
    first = members[0]
    advice = "Measure both alike with: ganvas evaluate RUN --samples N"
    for other in members[1:]:
        where = f"{first.run.folder} and {other.run.folder} were not measured alike"
        mine, theirs = primary_figure(first.figures), primary_figure(other.figures)
        if mine != theirs:
            raise RunError(f"{where}: {mine} and {theirs}. {advice}")
        for name in first.figures.keys() & other.figures.keys():
            a, b = _conditions(first.figures[name]), _conditions(other.figures[name])
            for key in CONDITIONS:
                if a.get(key) != b.get(key):
                    raise RunError(f"{where}: {name} has {key} {plain(a.get(key))} and {plain(b.get(key))}. {advice}")


def _conditions(figure: Figure) -> Mapping[str, object]:
    """What must be equal where two figures are compared."""
    values = figure.as_dict()
    return {key: values.get(key) for key in CONDITIONS}
