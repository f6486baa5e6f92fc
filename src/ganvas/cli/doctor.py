"""`ganvas doctor`: diagnoses a training and advises a change; with --apply, trains with the change."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli import completion
from ganvas.cli.options import JsonOption

if TYPE_CHECKING:
    from ganvas.doctor import Diagnosis, Finding
    from ganvas.run import Run
    from ganvas.training.session import Session


def doctor(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", autocompletion=completion.runs, help="A run folder, or any folder with a log.jsonl."
        ),
    ],
    json: JsonOption = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Train again with the first change, in a new run, from the last good checkpoint where that is worth keeping.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="With --apply: the run folder to make. Default: runs/METHOD-DATA."),
    ] = None,
) -> None:
    """Diagnose a training: the problem, the evidence, and one change to make. The training may still be running.

    What is unusual and does no harm that can be seen is a note, not a problem.

    Exit code 0 whatever was found: `healthy` of --json is true (though there may be notes), false, or null where the log is too
    short to tell.
    """
    from ganvas.cli.output import print_diagnosis, write_json
    from ganvas.doctor import diagnose
    from ganvas.errors import UsageError

    if out is not None and not apply:
        raise UsageError("--out is the run that --apply makes: give both, or none")
    diagnosis = diagnose(run)
    if apply:
        train_changed(run, diagnosis, out, json=json)
    elif json:
        write_json({"run": str(run), **diagnosis.as_dict()})
    else:
        print_diagnosis(diagnosis)


def train_changed(folder: Path, diagnosis: Diagnosis, out: Path | None, *, json: bool) -> None:
    """A new run under the first change that settings can make, with the old run's data, seed and budget."""
    from ganvas.cli.opening import open_shown
    from ganvas.cli.train import closing, print_outcome
    from ganvas.cli.view import make_view
    from ganvas.device import choose_device
    from ganvas.errors import RunError
    from ganvas.precision import usable_here
    from ganvas.registry import create
    from ganvas.report import ReportWriter
    from ganvas.run import Run
    from ganvas.training.prepare import recorded_config, reopen, start

    for finding in diagnosis.findings:
        if finding.change.settings:
            break
    else:
        raise RunError(f"there is no setting to change in {folder}: {diagnosis.line}")
    old = Run(folder)
    recorded = recorded_config(old)
    view = make_view(json=json)
    config = dataclasses.replace(
        recorded,
        method=create(old.info["method"], None, {**recorded.settings, **finding.change.settings}),
        settings={},
        data=reopen(old, None, open_shown),
        out=out,
        precision=usable_here(recorded.precision, choose_device("auto")),
        callbacks=[view, ReportWriter()],
    )
    session = start(config)
    with closing(session, view):
        typer.echo(f"{finding.name}: {finding.change.line}; {_begin(session, old, finding)}", err=json)
        run = session.run()
    print_outcome(session, run, json=json)


def _begin(session: Session, old: Run, finding: Finding) -> str:
    """Where the new run begins, in words."""
    if finding.change.restart:
        return "what was learned so far is not worth keeping: the networks start again from random weights"
    if session.begin_from(old):
        return f"from the last checkpoint of {old.folder}"
    return (
        f"the networks of {old.folder} have other shapes, or it has no checkpoint: they start again from random weights"
    )
