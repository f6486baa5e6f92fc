"""`ganvas train`: from a config on the command line to a run folder with samples, figures and a report."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli.options import ProgressJsonOption, set_option, with_settings_of
from ganvas.errors import UsageError
from ganvas.training.config import TrainConfig

if TYPE_CHECKING:
    from ganvas.cli.view import View
    from ganvas.method import Method
    from ganvas.run import Run
    from ganvas.training.session import Session


@with_settings_of(TrainConfig, arguments=("method",))
def train(
    *,
    assignments: Annotated[
        list[str] | None, set_option("A setting of the method, or of the data as data.KEY=VALUE.")
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A .toml or .json file of all this, or a run's settings.json. The command line beats it.",
        ),
    ] = None,
    nproc: Annotated[int, typer.Option(help="Processes on this machine that share each batch; on GPUs one each.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show settings, data, networks and device, and write nothing.")
    ] = False,
    json: ProgressJsonOption = False,
    **given: Any,
) -> None:
    """Train a method on data, with live progress; leaves a run folder with weights, samples, figures and a report.

    Ctrl-C saves and stops; `ganvas train --resume RUN` continues, bit for bit as if it had never stopped.
    """
    started = time.perf_counter()
    from ganvas.cli.config import config_of
    from ganvas.cli.dry_run import show
    from ganvas.cli.launch import launch
    from ganvas.cli.opening import open_shown
    from ganvas.cli.view import make_view
    from ganvas.report import ReportWriter
    from ganvas.training.finished import is_finished
    from ganvas.training.prepare import resume, start
    from ganvas.training.run_folder import find_run

    config = config_of(given, assignments or [], config_file)
    old = find_run(config)
    if old is None:
        check_named(config)
    if old is not None and not dry_run and is_finished(old, config):
        say_finished(old, json=json)
        return
    if nproc != 1 and not dry_run:
        raise typer.Exit(launch(config, old, nproc, json=json))
    view = make_view(json=json, quiet=config.quiet)
    config = dataclasses.replace(config, callbacks=[view, ReportWriter()])
    with shown_by(view):
        begin = functools.partial(resume, old) if old else start
        session = begin(config, open_shown, started=started)
    with closing(session, view):
        if dry_run:
            show(session, json=json)
            return
        run = session.run()
    print_outcome(session, run, json=json)


def check_named(config: TrainConfig) -> None:
    """A new training needs data, and a method that exists (the default where none is named); UsageError says what there is."""
    from ganvas.catalog import catalog
    from ganvas.data.builtin_sets import BUILTIN_SETS

    if config.method is not None and config.method not in catalog():
        from ganvas.data.public import PUBLIC_SETS
        from ganvas.registry import find

        named = str(config.method)
        if config.data is None and (named in (*BUILTIN_SETS, *PUBLIC_SETS) or Path(named).exists()):
            raise UsageError(f"{named} is data, not a method: ganvas train --data {shlex.quote(named)}")
        find(named)
    if config.data is None:
        raise UsageError(
            "--data is missing: give a folder of images, of .wav files or of text, a .zip, .npz, .npy, IDX or .txt file,"
            f" or one of {', '.join(BUILTIN_SETS)}"
        )


@contextlib.contextmanager
def shown_by(view: View) -> Iterator[None]:
    """Gives the terminal back where the block fails."""
    try:
        yield
    except BaseException:
        view.close()
        raise


@contextlib.contextmanager
def closing(session: Session, view: View) -> Iterator[None]:
    """Gives the terminal back and leaves the other processes, whatever happens inside."""
    try:
        yield
    finally:
        view.close()
        session.engine.close()


def say_finished(run: Run, *, json: bool) -> None:
    """One line instead of a training that has nothing to do."""
    from ganvas.cli.output import write_json
    from ganvas.training.finished import finished_sentence

    sentence = finished_sentence(run)
    if json:
        write_json({"run": str(run.folder), "finished": True, "message": sentence})
        return
    typer.echo(sentence)


def print_outcome(session: Session, run: Run, *, json: bool) -> None:
    """What a finished training says in the end: figures, doctor, and where everything is. The leading process prints."""
    from ganvas.cli.output import print_diagnosis, print_facts, print_metrics, write_json
    from ganvas.doctor import diagnose
    from ganvas.figure import read_figures

    if not session.engine.leads:
        return
    trainer = session.trainer
    metrics = run.metrics.get("metrics", {})
    diagnosis = diagnose(run)
    if json:
        write_json(
            {
                "run": str(run.folder), "method": session.method.name, "data": session.data.source,
                "steps": trainer.steps, "images_seen": trainer.images_seen, "seconds": round(trainer.seconds, 3),
                "parameters": session.parameters, "device": str(session.engine.device),
                "precision": session.engine.precision, "size": session.info().get("size"),
                "waited": round(session.plan.elapsed(), 1), "phases": session.plan.rounded(),
                "metrics": metrics, "doctor": diagnosis.as_dict(), "next": next_commands(run, session.method),
            }
        )  # fmt: skip
        return
    print_facts({"run": run.folder, "report": run.folder / "report.html", "time": times_in_words(session)})
    print_metrics(read_figures(metrics))
    print_diagnosis(diagnosis)
    typer.echo("next:")
    for command in next_commands(run, session.method):
        typer.echo(f"  {command}")


def times_in_words(session: Session) -> str:
    """ "1:00 all told: training 0:48, measuring 0:05, ..." """
    from ganvas.cli.output import clock_time

    parts = [f"training {clock_time(session.trainer.seconds)}"]
    for name, seconds in session.plan.rounded().items():
        if seconds >= 0.5:
            parts.append(f"{name} {clock_time(seconds)}")
    return f"{clock_time(session.plan.elapsed())} all told: {', '.join(parts)}"


def next_commands(run: Run, method: Method) -> list[str]:
    """What can be done with a run now, by what its method is able to do; ready to be pasted."""
    import shlex

    from ganvas.abilities import Encodes, Restores, Samples, Stylises, Tokenizes, Translates
    from ganvas.data.kinds import KINDS
    from ganvas.metrics.method_metrics import unmeasured

    folder = shlex.quote(str(run.folder))
    kind = KINDS[run.spec.kind]
    is_image = kind.is_image
    commands: list[str] = []
    if isinstance(method, Samples):
        shown = "--grid grid.png" if is_image or kind.is_solid else "--out samples"
        commands.append(f"ganvas sample {folder} --n 16 {shown}")
    if isinstance(method, Translates):
        commands.append(f"ganvas translate {folder} " + ("TEXT" if kind.is_parallel else "IMAGES --out translated"))
    if isinstance(method, Restores):
        commands.append(f"ganvas restore {folder} IMAGES --out restored")
    if isinstance(method, Stylises):
        commands.append(f"ganvas stylise IMAGE --run {folder} --out styled.png")
    if not unmeasured(method.name):
        commands.append(f"ganvas evaluate {folder}")
    if isinstance(method, Samples) and is_image:
        commands.append(f"ganvas edit {folder} --interpolate 0 1 --out interpolated.png")
    if isinstance(method, Encodes | Tokenizes):
        commands.append(f"ganvas encode {folder} {shlex.quote(str(run.info['data']))} --out codes.npz")
    commands.append(f"ganvas doctor {folder}")
    return commands
