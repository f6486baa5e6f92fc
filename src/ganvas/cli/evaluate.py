"""`ganvas evaluate`: figures for a run, or for any images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli import completion
from ganvas.cli.options import BestOption, DataSetOption, DeviceOption, JsonOption
from ganvas.defaults import IMPORTANCE_SAMPLES, MEASURED_SAMPLES, MEASURED_SEED
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from ganvas.data import DataSpec
    from ganvas.figure import Figure
    from ganvas.run import Run


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|IMAGES",
            autocompletion=completion.runs,
            help="A run folder, or a folder, .zip or .npz of images from anywhere.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="What to measure against. A run brings its own; images need it."),
    ] = None,
    assignments: DataSetOption = None,
    samples: Annotated[
        int | None,
        typer.Option(help=f"How many images. Default: {MEASURED_SAMPLES} of a run, all of a folder or file."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of a run's first image; the default gives the figures of its training.")
    ] = MEASURED_SEED,
    importance: Annotated[
        int,
        typer.Option(
            "--importance-samples",
            metavar="K",
            help="Draws an image for a likelihood that is a bound: more are slower and tighter.",
        ),
    ] = IMPORTANCE_SAMPLES,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Measure a run, or any images, against data: each figure with its reference and sample count.

    What is measured depends on the method. Likelihood: nats per image, or bits per value, of the test split. Discrete codes:
    reconstructions of the test split. Translation: the test split compared with its true partners, if there are any, and with
    what copying the input scores. Restoration: the test split, degraded and restored, compared with what the degraded images
    score. Stylising: content loss and style loss of the stylised test split.

    Figures of a run against its own data become the run's newest (metrics.json), which `ganvas compare` reads.
    """
    from ganvas.cli.config import read_data_settings
    from ganvas.cli.output import print_facts, print_metrics, write_json
    from ganvas.errors import UsageError
    from ganvas.figure import figures_as_dict
    from ganvas.run import is_run, load

    if samples is not None and samples < 1:
        raise UsageError(f"--samples must be at least 1 (got {samples})")
    if importance < 1:
        raise UsageError(f"--importance-samples must be at least 1 (got {importance})")
    settings = read_data_settings(None, assignments or [])
    if settings and data is None:
        raise UsageError("--set is about the data of --data, which is not given")
    if is_run(run):
        facts, figures = _of_run(load(run), data, settings, samples or MEASURED_SAMPLES, seed, importance, best, device)
    else:
        facts, figures = _of_images(run, data, settings, samples)
    if json:
        write_json({**facts, "metrics": figures_as_dict(figures)})
        return
    print_facts(facts)
    print_metrics(figures)


def _of_run(
    run: Run,
    data: str | None,
    settings: JsonObject,
    samples: int,
    seed: int,
    importance: int,
    best: bool,
    device: str,
) -> tuple[JsonObject, dict[str, Figure]]:
    """What was measured, and the figures."""
    from ganvas import tasks
    from ganvas.abilities import Samples
    from ganvas.cli.opening import progress_of
    from ganvas.device import choose_device
    from ganvas.errors import GanvasError, RunError
    from ganvas.metrics.method_metrics import unmeasured

    if why := unmeasured(run.info["method"]):  # before anything is opened
        raise RunError(why)
    method = run.load_method(best=best, device=choose_device(device))
    with progress_of(data or run.info["data"]) as progress:
        dataset = run.open_data(data, settings, progress=progress)
    facts: JsonObject = {"run": str(run.folder), "data": dataset.source}
    figures = tasks.evaluate(
        method,
        dataset,
        samples=samples,
        seed=seed,
        importance_samples=importance,
        say=lambda line: typer.echo(line, err=True),
    )
    if isinstance(method, Samples) and dataset.kind.is_image:
        facts["n"] = samples
    if data is None and not best and not run.is_pretrained:
        try:
            run.keep_metrics(figures)
        except GanvasError as error:  # somebody else's run may be read-only, and can be measured all the same
            typer.echo(f"not kept in the run: {error}", err=True)
    return facts, figures


def _of_images(
    path: Path, data: str | None, settings: JsonObject, samples: int | None
) -> tuple[JsonObject, dict[str, Figure]]:
    from ganvas.cli.opening import open_shown
    from ganvas.errors import RunError, UsageError
    from ganvas.metrics import measure
    from ganvas.tasks.evaluate import check_shape

    if not path.exists():
        raise RunError(f"there is no run and there are no images at {path}")
    if data is None:
        raise UsageError(f"{path} is no run, so --data must say what its images are measured against")
    dataset = open_shown(data, settings)
    like = _like(dataset.spec, path)
    given = open_shown(str(path), {"holdout": 0, **like})
    if given.spec.channels == dataset.spec.channels + 1 == 4:  # an array with alpha, as a generator of RGBA writes it
        given = open_shown(str(path), {"holdout": 0, **like, "channels": dataset.spec.channels})
    check_shape(f"the images of {path}", given.spec.shape, dataset)
    images = given.images[:samples]
    facts = {"images": str(path), "data": dataset.source, "n": len(images)}
    return facts, measure(images, dataset, dataset.part("test"))


def _like(spec: DataSpec, path: Path) -> JsonObject:
    """Settings for files of images: grey ones of a colour set are stored as grey, and transparent ones are put on the same
    background. Arrays keep their channels."""
    alpha = "keep" if spec.channels == 4 else spec.alpha
    if path.suffix.lower() in (".npz", ".npy") or spec.channels not in (1, 3, 4):
        return {"alpha": alpha}
    return {"channels": spec.channels, "alpha": alpha}
