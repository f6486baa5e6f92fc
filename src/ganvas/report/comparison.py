"""Several runs on one page: measures with their spread, curves against the clock, samples, what differs.

Runs are compared only where they can be: the same data, the same primary figure. Figures that were measured differently are
brought to equal counts or left unranked (comparison_conditions.py). Clocks, machines and precisions may differ, and are then
named. comparison_groups.py has the numbers, comparison_page.py the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganvas.errors import RunError, UsageError
from ganvas.figure import primary_figure
from ganvas.files import JsonObject, write_text
from ganvas.metrics.method_metrics import unmeasured
from ganvas.report.comparison_conditions import bring_together
from ganvas.report.comparison_groups import Info, Member, grouped, summary
from ganvas.report.comparison_page import comparison_page
from ganvas.report.log import read_log
from ganvas.report.markup import plain
from ganvas.report.measured import newest
from ganvas.run import Run


def compare(folders: Sequence[Path | str], out: Path | str) -> JsonObject:
    """Writes one page about several runs to `out` and returns its table, ready for JSON.

    Runs of one method, preset, settings and budget form a group; its figures are the mean and the sample standard deviation
    over seeds. What was measured by different numbers of samples is compared at equal ones where the runs hold such values, else
    shown and not ranked; "notes" says which, and how to measure alike. RunError where the runs were not trained on the same data
    or have no primary figure in common, and names what differs.
    """
    members = [_open(folder) for folder in _unique(folders)]
    _check_same_data(members)
    _check_same_measure(members)
    together = bring_together([member.run.folder for member in members], [member.figures for member in members])
    compared: list[Member] = []
    for member, figures in zip(members, together.figures, strict=True):
        compared.append(replace(member, figures=figures))
    groups = grouped(compared, together.unlike)
    write_text(out, str(comparison_page(groups, together.notes)))
    return {**summary(groups), "notes": together.notes, "page": str(out)}


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


def _check_same_measure(members: list[Member]) -> None:
    """RunError where the primary figures have different names."""
    first = members[0]
    mine = primary_figure(first.figures) or ""
    for other in members[1:]:
        theirs = primary_figure(other.figures) or ""
        if mine == theirs:
            continue
        where = f"{first.run.folder} and {other.run.folder} were not measured alike: {mine} and {theirs}."
        if mine.partition("[")[0] == theirs.partition("[")[0]:
            # The same measure by another feature extractor: the one that is the default now serves both.
            again = [f"ganvas evaluate {shlex.quote(str(member.run.folder))}" for member in (first, other)]
            raise RunError(f"{where} Measure both again: {'; '.join(again)}")
        raise RunError(f"{where} Only runs whose methods are measured by the same figure can be compared")
