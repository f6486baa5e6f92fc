"""`ganvas.train`: a training in one call, with a report at its end."""

from __future__ import annotations

import dataclasses
from typing import Any

from ganvas.progress import make_progress
from ganvas.report import ReportWriter
from ganvas.run import Run
from ganvas.training.config import TrainConfig, takes_fields_of
from ganvas.training.finished import is_finished
from ganvas.training.prepare import prepare, with_objects_opened
from ganvas.training.run_folder import find_run


@takes_fields_of(TrainConfig)
def train(*args: Any, **options: Any) -> Run:
    """Trains a method on data (mgan on digits, where none is named) and returns the run.

    The arguments are the fields of `TrainConfig`. The budget is the first reached of `minutes`, `images` (real images drawn)
    and `steps`; five minutes where none is given. Minutes are all that you wait: preparing, training, measuring, saving and the
    report. `resume` is a run folder, or "auto": continue where `out` already holds this run, else start; a run that is finished
    is returned as it is. Method, data, settings and, where none is given,
    budget of a resumed run come from its folder; giving other settings is an error. With `guard` the training makes the
    doctor's changes by itself, where it is sure of them. Progress is shown on a terminal and in a notebook, unless `quiet`.
    Raises GanvasError for whatever a user can fix, and Interrupted after SIGINT or SIGTERM once all is saved.
    """
    config = TrainConfig(*args, **options)
    old = find_run(config)
    config = with_objects_opened(config, old)
    if old is not None and is_finished(old, config):
        return old
    progress = make_progress(quiet=config.quiet)
    session = prepare(dataclasses.replace(config, callbacks=[progress, *config.callbacks, ReportWriter()]))
    try:
        return session.run()
    finally:
        progress.close()
        session.engine.close()
