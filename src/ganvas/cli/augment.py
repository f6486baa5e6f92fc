"""`ganvas augment`: labelled images for a classifier from a class-conditional generator, and whether they help."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli import completion
from ganvas.cli.options import BestOption, DeviceOption, JsonOption, set_option
from ganvas.defaults import MEASURED_SEED
from ganvas.errors import UsageError

if TYPE_CHECKING:
    from ganvas.data import Dataset
    from ganvas.method import Method
    from ganvas.tasks.augment import Augmented
    from ganvas.tasks.augmentation import Evaluation

GENERATOR, PRESET, STEPS = "vae", "few", 1200  # what is trained where nothing is named


def augment(
    data: Annotated[
        str, typer.Argument(metavar="DATA", autocompletion=completion.data, help="Labelled images, as for `ganvas train`.")
    ],
    generator: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="RUN|METHOD", autocompletion=completion.methods,
            help=f"A class-conditional run, or a method to train on the training images. Default: {GENERATOR}.",
        ),
    ] = None,
    per_class: Annotated[int, typer.Option(metavar="N", help="Images of each class.")] = 100,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A new folder for the images, CLASS/seed000042.png. With --evaluate: keeps what is done.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first image of each class.")] = MEASURED_SEED,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Keep an image only where a classifier sees the class that was asked for.")
    ] = True,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Measure whether generated images help a small classifier, and write no images.")
    ] = False,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="K,...",
            help="--evaluate: labelled images of each class. Default: 5,10,50,all; of a rare class: 10.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="--evaluate: seeds, each with other labelled images.")] = 5,
    rare: Annotated[
        str | None, typer.Option(metavar="CLASS", help="--evaluate: a class with few images, whose recall is measured.")
    ] = None,
    others: Annotated[int, typer.Option(metavar="N", help="--rare: labelled images of each other class.")] = 100,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="--evaluate: two more rows that use the other images without their labels.")
    ] = False,
    preset: Annotated[
        str | None, typer.Option(autocompletion=completion.presets, help="A preset of the method of --with.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of each training of that method.")] = STEPS,
    assignments: Annotated[
        list[str] | None, set_option("A setting of the method of --with, or of the data as data.KEY=VALUE.")
    ] = None,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Generate labelled images for a classifier, or measure whether they would help it.

    An image is kept where a small classifier, trained on the real training images, predicts the class that was asked for.
    Test images are never used for generating. A method that --with names is trained on the training images, every class
    equally often, and where they are few on changed copies of each. A page, OUT.html, shows some of the images; the counts
    go into RUN/augment.json, and the run's report has them.

    --evaluate trains small classifiers with nothing else, with standard augmentation, with generated images and with both,
    each for several seeds. The generator of a seed sees only the labelled images that its classifiers see. The tables have
    the paired differences with their 95 % intervals.
    """
    from ganvas.cli.config import check_data_settings, read_assignments
    from ganvas.cli.opening import open_shown
    from ganvas.run import is_run
    from ganvas.tasks.augment import check_free

    settings, data_settings = read_assignments(assignments or [])
    asked = _sizes(sizes or ("5,10,50,all" if rare is None else "10"))
    if rare is not None and not evaluate:
        raise UsageError("--rare is a question of --evaluate: give both")
    if unlabelled and not evaluate:
        raise UsageError("--unlabelled is a part of --evaluate: give both")
    if steps < 1:
        raise UsageError(f"--steps must be at least 1 (got {steps})")
    is_folder = generator is not None and is_run(generator)  # a folder named vae is no reason to take it unasked
    generator = generator or GENERATOR
    if is_folder and (preset is not None or settings):
        raise UsageError(
            f"{generator} is trained already: --preset and --set KEY=VALUE are for a method (data.KEY is possible)"
        )
    if generator == GENERATOR and preset is None:
        preset = PRESET
    if best and not is_folder:
        raise UsageError("--best is about a RUN: --with names a method here")
    if not is_folder:
        _check_method(generator, preset, settings)
    opened = open_shown(data, check_data_settings(data_settings))
    if evaluate:
        if is_folder:
            raise UsageError(
                "--evaluate trains a generator on the labelled images of each seed, which a finished run has not seen alone:"
                " --with takes a METHOD here"
            )
        make = _trained(generator, preset, settings, steps, device)
        _evaluate(
            opened, make, out, json, generator=_described(generator, preset, settings, steps), sizes=asked, seeds=seeds,
            per_class=per_class, check=check, rare=rare, others=others, unlabelled=unlabelled,
        )  # fmt: skip
        return
    if out is None:
        raise UsageError("--out DIR is missing: a new folder for the images")
    check_free(out)
    if is_folder:
        method, result = _of_run(generator, opened, per_class, seed, check, best, device)
    else:
        method, result = _of_method(
            opened, _trained(generator, preset, settings, steps, device), out, per_class, seed, check
        )
    _write(result, method, out, opened, generator, json)


def _sizes(text: str) -> list[int | None]:
    """[5, 10, None] of "5,10,all"."""
    sizes: list[int | None] = []
    for word in text.replace(" ", "").split(","):
        if word == "all":
            sizes.append(None)
        elif word.isdecimal() and int(word) > 0:
            sizes.append(int(word))
        else:
            raise UsageError(f"--sizes takes numbers and all, such as 5,10,all (got {text})")
    return sizes


def _check_method(name: str, preset: str | None, settings: dict[str, str]) -> None:
    """Whatever can be refused before the data are opened."""
    from ganvas.registry import create, find
    from ganvas.tasks.augment import class_conditional_methods

    find(name)
    can = class_conditional_methods()
    if name not in can:
        raise UsageError(f"{name} generates no images of a class that is asked for; these do: {', '.join(can)}")
    create(name, preset, dict(settings))


def _described(name: str, preset: str | None, settings: dict[str, str], steps: int) -> str:
    """The generator in words, which are also what an interrupted evaluation is recognised by."""
    words = [name, *([f"preset {preset}"] if preset else []), *(f"{key}={value}" for key, value in settings.items())]
    return f"{' '.join(words)}, {steps:,} steps"


Train = Callable[["Dataset", Path, int], "Method"]
"""train(images, folder, seed): a method trained into a run folder, or as that has it where it is finished."""


def _trained(name: str, preset: str | None, settings: dict[str, str], steps: int, device: str) -> Train:
    from ganvas.api import train
    from ganvas.device import choose_device
    from ganvas.tasks.augment import conditional_settings

    # Nothing is shown, measured or saved on the way.
    train_alone = functools.partial(train, samples=0, evaluate_every=10**9, checkpoint_every=10**9, quiet=True)

    def make(images: Dataset, folder: Path, seed: int) -> Method:
        run = train_alone(
            name, images, out=folder, preset=preset, settings={**conditional_settings(name), **settings}, seed=seed, steps=steps,
            resume="auto", device=device,
        )  # fmt: skip
        return run.load_method(device=choose_device(device))

    return make


def _of_run(
    folder: str, data: Dataset, per_class: int, seed: int, check: bool, best: bool, device: str
) -> tuple[Method, Augmented]:
    from ganvas.cli.output import update_report
    from ganvas.device import choose_device
    from ganvas.run import load

    run = load(folder)
    result = run.augment(data, per_class=per_class, seed=seed, check=check, best=best, device=device)
    if not best:
        update_report(run)
    return run.load_method(best=best, device=choose_device(device)), result


def _of_method(
    data: Dataset, make: Train, out: Path, per_class: int, seed: int, check: bool
) -> tuple[Method, Augmented]:
    """Trains the method into OUT-generator first."""
    import numpy as np

    from ganvas import tasks
    from ganvas.cli.output import update_report
    from ganvas.run import load
    from ganvas.tasks.augment import check_labelled, generator_data

    check_labelled(data)
    train = data.part("train") or data
    folder = out.with_name(f"{out.name}-generator")
    typer.echo(f"training the generator into {folder}", err=True)
    method = make(generator_data(train, np.arange(len(train)), 0, train.name), folder, 0)
    result = tasks.augment(method, data, per_class=per_class, seed=seed, check=check)
    run = load(folder)
    run.keep_augmented(result, method, data)
    update_report(run)
    return method, result


def _write(result: Augmented, method: Method, out: Path, data: Dataset, generator: str, json: bool) -> None:
    from ganvas.cli.output import print_table, write_json
    from ganvas.report.augment_page import write_augmented_page
    from ganvas.tasks.augment import write_augmented

    write_augmented(result, out, method)
    page = out.with_name(f"{out.name}.html")
    write_augmented_page(result, page, data=data.source, generator=generator)
    if json:
        write_json({"data": data.source, "with": generator, "out": str(out), "page": str(page), **result.as_dict()})
        return
    rows: list[list[str]] = []
    for one in result.counts:
        rows.append([one.label, *map(str, (one.training_images, one.generated, one.agreed, one.kept))])
    print_table(("class", "training images", "generated", "agree", "kept"), rows, right=(1, 2, 3, 4))
    typer.echo(result.check_sentence)
    for note in result.notes:
        typer.echo(note)
    typer.echo(f"{len(result)} images written to {out}/, shown in {page}; train with them: --data {out}")
    typer.echo(f"whether they help: ganvas augment {data.source} --evaluate")


def _evaluate(data: Dataset, make: Train, out: Path | None, json: bool, **options: Any) -> None:
    from ganvas.cli.output import write_json
    from ganvas.report.augment_page import write_evaluation_page
    from ganvas.tasks.augmentation import evaluate_augmentation

    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)

        def generator(images: Dataset, name: str, seed: int) -> Method:
            return make(images, folder / "generators" / name, seed)

        result = evaluate_augmentation(
            data, generator, folder=folder, report=lambda line: typer.echo(line, err=True), **options
        )
    page = out / "augment.html" if out is not None else Path("augment.html")
    write_evaluation_page(result, page)
    if json:
        write_json({"page": str(page), **result.as_dict()})
        return
    _print(result)
    typer.echo(f"tables and generated images in {page}")


def _print(result: Evaluation) -> None:
    from ganvas.cli.output import print_table

    for size in result.sizes:
        typer.echo(f"{result.size_name(size)}: {result.measure} on {result.test_images} held-out images")
        head, rows = result.table(size)
        print_table(head, rows, right=tuple(range(1, len(head))))
        typer.echo(f"{result.verdict(size)}.")
