"""`ganvas train`: from a wish on the command line to a run folder with samples, figures and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.defaults import MEASURED, MINUTES

if TYPE_CHECKING:
    from ganvas.cli.choice import Choice
    from ganvas.cli.config import Wish
    from ganvas.cli.view import View
    from ganvas.run import Run
    from ganvas.training.session import Session


def train(
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="Which method, such as r3gan; `ganvas methods` lists them."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A folder (sub-folders are labels), a .zip, .npz, .npy or IDX file, a text, or a set by name: digits."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run folder to make. Default: runs/METHOD-DATA."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Budget in minutes of training. The first budget reached ends it;"
            f" {MINUTES:g} minutes if none is given."
        ),
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Budget in images, clips or tokens drawn, repeats included.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Budget in steps.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="A preset of the method; `ganvas methods NAME` shows them."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the method, or of the data as data.KEY=VALUE. May be repeated.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .toml or .json file of all this, or a run's settings.json. The command line beats it.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="All random draws follow from it. Default: 0.")] = None,
    device: Annotated[
        str | None,
        typer.Option(help="auto, cpu, cuda, cuda:N or mps. auto: a GPU where there is one."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="auto|fp32|bf16", help="auto: bf16 where the machine is faster by it."),
    ] = None,
    compile: Annotated[str | None, typer.Option(metavar="auto|on|off", help="Compile the networks.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|auto",
            help="continue that run. auto: with --out where it holds this run already, else start it.",
        ),
    ] = None,
    codes: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="code_prior: the run of a vq_vae whose codes it learns; its weights are copied."
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Steps between two checkpoints. Default: one a minute."),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Steps between two measurements. Default: five over the budget."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help=f"Images in a measurement; 0: measure nothing. Default: {MEASURED}.", show_default=False),
    ] = None,
    guard: Annotated[
        bool, typer.Option("--guard", help="Make the doctor's changes while training, where it is sure of them.")
    ] = False,
    nproc: Annotated[int, typer.Option(help="Processes on this machine that share each batch; on GPUs one each.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show settings, data, networks and device, and write nothing.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout at the end; progress goes to stderr.")
    ] = False,
) -> None:
    """Train a method on data, with live progress; leaves a run folder with weights, samples, figures and a report.

    Ctrl-C saves and stops; `ganvas train --resume RUN` continues, bit for bit as if it had never stopped.
    """
    from ganvas.cli.choice import Choice
    from ganvas.cli.config import Wish, read_assignments
    from ganvas.errors import UsageError

    settings, data_settings = read_assignments(assignments or [])
    line = Wish(
        method, data, str(out) if out else None, minutes, images, steps, preset, seed, device, precision, compile,
        checkpoint_every, evaluate_every, codes, resume=resume, settings=settings, data_settings=data_settings,
    )  # fmt: skip
    if guard and nproc != 1:
        raise UsageError("--guard changes a training in one process only: omit --nproc")
    wish = settle(line, config)
    chosen = Choice.of(wish)
    if nproc != 1 and not dry_run:
        from ganvas.cli.launch import launch

        raise typer.Exit(launch(chosen, nproc, samples=samples, json=json))
    run_one(chosen, samples=samples, guard=guard, dry_run=dry_run, json=json)


def settle(line: Wish, config: Path | None) -> Wish:
    """The command line over the config file, checked as far as it can be without data."""
    from ganvas.cli.config import Wish, check_data_settings, check_settings, merge, read_config
    from ganvas.settings import check, settings_of
    from ganvas.training.request import find_old

    known = settings_of(Wish)
    for name in known:
        check(known[name], getattr(line, name))
    file = read_config(config) if config else Wish()
    wish = merge(file, line)
    wish.data_settings = check_data_settings(wish.data_settings)
    if config and not line.preset:
        old = find_old(wish.resume, wish.out)
        method = wish.method or (old.info["method"] if old else None)
        if method:
            check_settings(config, dataclasses.replace(file, preset=wish.preset), method)
    return wish


def run_one(chosen: Choice, *, samples: int | None, guard: bool = False, dry_run: bool, json: bool) -> None:
    """Trains in this process, which may be one of several that torchrun started; only the first of them prints."""
    from ganvas.cli.plan import show
    from ganvas.cli.view import make_view
    from ganvas.report import ReportWriter
    from ganvas.training.session import prepare

    view = make_view(json=json)
    callbacks = [view, ReportWriter()]
    plan = prepare(**chosen.arguments(), measure_samples=samples, guard=guard, callbacks=callbacks)
    if dry_run:
        try:
            show(plan, json=json)
        finally:
            plan.engine.close()
        return
    run_plan(plan, view, json=json)


def run_plan(plan: Session, view: View, *, json: bool) -> None:
    """Trains what is prepared, with `view` among its listeners, and tells the outcome."""
    try:
        run = plan.run()
    finally:
        view.close()
        plan.engine.close()
    if plan.engine.leads:
        _finish(plan, run, json=json)


def _finish(plan: Session, run: Run, *, json: bool) -> None:
    from ganvas.cli.output import print_diagnosis, print_facts, print_metrics, write_json
    from ganvas.doctor import diagnose

    trainer = plan.trainer
    metrics = run.metrics.get("metrics", {})
    diagnosis = diagnose(run)
    if json:
        write_json(
            {
                "run": str(run.folder), "method": plan.method.name, "data": plan.data.source,
                "steps": trainer.steps, "images_seen": trainer.images_seen, "seconds": round(trainer.seconds, 3),
                "parameters": plan.parameters, "device": str(plan.engine.device),
                "precision": plan.engine.precision, "metrics": metrics, "doctor": diagnosis.as_dict(),
            }
        )  # fmt: skip
        return
    print_facts({"run": run.folder, "report": run.folder / "report.html"})
    print_metrics(metrics)
    print_diagnosis(diagnosis)
