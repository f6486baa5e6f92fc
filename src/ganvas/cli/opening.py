"""Opening data for a command, with a progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.data import Dataset
    from ganvas.run import Run


def open_shown(source: str, settings: Mapping[str, Any], *, title: str = "opening") -> Dataset:
    """`open_data(source, **settings)`, with a progress bar on stderr if that is a terminal."""
    from ganvas.data import open_data

    if not sys.stderr.isatty():
        return open_data(source, **settings)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(f"{title} {source}", total=None)
        return open_data(
            source, progress=lambda done, total: bars.update(task, completed=done, total=total), **settings
        )


def fitting(run: Run) -> dict[str, Any]:
    """Settings to open other data like those of the run: with the run's shape, and without partner images."""
    from ganvas.data.kinds import KINDS

    return KINDS[run.spec.kind].settings_like(run.spec, run.info["data_settings"])


def as_in(run: Run, dataset: Dataset) -> Dataset:
    """The data set, text encoded in the run's vocabulary; DataError if the run was trained on another kind of data."""
    from ganvas.errors import DataError

    if dataset.spec.kind != run.spec.kind:
        raise DataError(f"{run.folder} was trained on {run.spec.kind}, and {dataset.source} holds {dataset.spec.kind}")
    return dataset.coded_like(run.spec)
