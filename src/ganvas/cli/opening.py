"""Opening data for a command, with a progress bar on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.data import Dataset


def open_shown(source: str, settings: Mapping[str, Any], *, title: str = "opening") -> Dataset:
    """`open_data(source, **settings)`, with a progress bar on stderr if that is a terminal."""
    from ganvas.data import open_data

    with progress_of(source, title=title) as progress:
        return open_data(source, progress=progress, **settings)


@contextlib.contextmanager
def progress_of(source: str, *, title: str = "opening") -> Iterator[Callable[[int, int], None] | None]:
    """`progress` for `open_data`: a progress bar on stderr if that is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
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
        yield lambda done, total: bars.update(task, completed=done, total=total)
