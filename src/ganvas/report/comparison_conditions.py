"""Figures of several runs that were measured differently: at equal counts where the runs hold such values, else unranked.

A distance or an overlap depends on how many samples it was computed from, so a value of 128 samples must not be ranked beside one
of 2,000. Where held-out data are few, both runs hold the value of as many samples as the reference has (`value_at_reference_n`),
and these are compared. What has no such value is shown with its counts, and a note names the command that measures alike.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganvas.figure import Figure
from ganvas.report.markup import plain

CONDITIONS = ("network", "n", "n_real", "k", "kind", "level")
"""What must be equal where two figures of one name are ranked."""
MEASURED_AGAIN = ("network", "n", "n_real", "k")
"""Those that `ganvas evaluate RUN --samples N` makes equal."""

Figures = dict[str, Figure]


@dataclass
class Together:
    """The figures of each run as they are compared. `unlike`: what cannot be ranked, by name, and in which condition the runs
    differ. `notes`: sentences for the reader."""

    figures: list[Figures]
    unlike: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def bring_together(folders: Sequence[Path], measured: Sequence[Mapping[str, Figure]]) -> Together:
    """`measured` holds the figures of each run, in the order of `folders`."""
    together = Together([dict(figures) for figures in measured])
    names: dict[str, None] = {}
    for figures in together.figures:
        names |= dict.fromkeys(figures)

    reduced: dict[str, list[str]] = {}  # names of figures by what is said of them
    for name in names:
        found = [figures[name] for figures in together.figures if name in figures]
        difference = what_differs(found)
        if not difference:
            continue
        at_reference = [_at_reference_n(figure) for figure in found]
        equal = [figure for figure in at_reference if figure is not None]
        if len(equal) == len(found) and not what_differs(equal):
            reduced.setdefault(f"{plain(equal[0].n)} samples of each run ({difference} were measured)", []).append(name)
            values = iter(equal)
            for figures in together.figures:
                if name in figures:
                    figures[name] = next(values)
        else:
            together.unlike[name] = difference

    for how, compared in reduced.items():
        together.notes.append(f"{', '.join(compared)}: compared by {how}, as many as there are held-out images.")
    together.notes += _unranked_notes(folders, together)
    return together


def what_differs(figures: Sequence[Figure]) -> str:
    """The first condition in which figures of one name differ, such as "n 128 and 2,000"; "" where they may be ranked."""
    for key in CONDITIONS:
        values: list[str] = []
        for figure in figures:
            content = figure.as_dict().get(key)
            value = "unknown" if content is None else plain(content)
            if value not in values:
                values.append(value)
        if len(values) > 1:
            return f"{key} {' and '.join(values)}"
    return ""


def _at_reference_n(figure: Figure) -> Figure | None:
    """The same figure of as many samples as its reference has; None where that was not measured."""
    if figure.n is None or figure.reference_n is None:
        return None
    if figure.reference_n == figure.n:
        return figure
    if figure.value_at_reference_n is None:
        return None
    details = dict(figure.details)
    if details.get("n_real") == figure.n:  # an overlap takes as many real images as samples
        details["n_real"] = figure.reference_n
    return figure.replace(
        value=figure.value_at_reference_n, n=figure.reference_n, value_at_reference_n=None, details=details
    )


def _unranked_notes(folders: Sequence[Path], together: Together) -> list[str]:
    """One sentence for all figures that differ in the same, with the commands that measure alike."""
    by_difference: dict[str, list[str]] = {}
    for name, difference in together.unlike.items():
        by_difference.setdefault(difference, []).append(name)
    notes: list[str] = []
    for difference, names in by_difference.items():
        notes.append(f"{', '.join(names)}: not ranked, because the runs were measured differently ({difference}).")
    commands = _commands(folders, together)
    if commands:
        notes.append(f"To rank them: {'; '.join(commands)}")
    return notes


def _commands(folders: Sequence[Path], together: Together) -> list[str]:
    """`ganvas evaluate` of each run that has fewer samples than another; of all where they differ in more than that."""
    counts: list[int] = []
    only_counts = True
    for figures in together.figures:
        largest = 0
        for name, difference in together.unlike.items():
            key = difference.split()[0]
            if name in figures and key in MEASURED_AGAIN:
                largest = max(largest, figures[name].n or 0)
                only_counts = only_counts and key != "network"
        counts.append(largest)
    wanted = max(counts, default=0)
    commands: list[str] = []
    for folder, count in zip(folders, counts, strict=True):
        if 0 < count < wanted or (count and not only_counts):
            commands.append(f"ganvas evaluate {shlex.quote(str(folder))} --samples {wanted}")
    return commands
