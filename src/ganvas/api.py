"""`ganvas.train`: a training in one call, with a report at its end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from ganvas.report import ReportWriter
from ganvas.run import Run
from ganvas.training.session import Session, prepare

P = ParamSpec("P")


def _running(prepare: Callable[P, Session]) -> Callable[P, Run]:
    """`train` takes what `prepare` takes; one signature is enough to keep right."""

    @functools.wraps(prepare)
    def train(*args: Any, callbacks: Any = (), **kwargs: Any) -> Run:
        session: Session = prepare(*args, callbacks=[*callbacks, ReportWriter()], **kwargs)  # pyright: ignore
        try:
            return session.run()
        finally:
            session.engine.close()

    return train  # pyright: ignore[reportReturnType]


train = _running(prepare)
train.__name__ = train.__qualname__ = "train"
train.__doc__ = """Trains a method on data (r3gan on digits, where none is named) and returns the run.

The budget is the first reached of `minutes`, `images` (real images drawn) and `steps`; five minutes where none is given.
Time spent on grids, metrics and saving does not count. `resume` is a run folder, or "auto": continue where `out` already
holds this run, else start. Method, data, settings and, where none is given, budget of a resumed run come from its folder;
giving other settings is an error. With `guard` the training makes the doctor's changes by itself, where it is sure of them.
Raises GanvasError for whatever a user can fix, and Interrupted after SIGINT or SIGTERM once all is saved.
"""
