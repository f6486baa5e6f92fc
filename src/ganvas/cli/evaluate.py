"""`ganvas evaluate`: figures for a run, or for any images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli.options import BestOption, DeviceOption, JsonOption
from ganvas.defaults import IMPORTANCE_SAMPLES, MEASURED, MEASURED_SEED

if TYPE_CHECKING:
    from ganvas.data import Dataset
    from ganvas.figure import Figure
    from ganvas.run import Run


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN|IMAGES", help="A run folder, or a folder, .zip or .npz of images from anywhere."),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="What to measure against. A run brings its own; images need it."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of --data, such as size=64. May be repeated."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help=f"How many images. Default: {MEASURED} of a run, all of a folder or file."),
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
        facts, figures = _of_run(load(run), data, settings, samples or MEASURED, seed, importance, best, device)
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
    settings: dict[str, Any],
    samples: int,
    seed: int,
    importance: int,
    best: bool,
    device: str,
) -> tuple[dict[str, Any], dict[str, Figure]]:
    """What was measured, and the figures."""
    from ganvas.cli.opening import as_in, fitting, open_shown
    from ganvas.errors import DataError, RunError
    from ganvas.metrics import measurements
    from ganvas.metrics.abilities import unmeasured
    from ganvas.sampling import finished_samples
    from ganvas.training.engine import choose_device

    if why := unmeasured(run.info["method"]):
        raise RunError(why)
    method = run.load_method(best=best, device=choose_device(device))
    data_settings = run.info["data_settings"] if data is None else {**fitting(run), **settings}
    dataset = as_in(run, open_shown(data or run.info["data"], data_settings))
    _check_shape(f"the images of {run.folder}", run.spec.shape, dataset)
    facts: dict[str, Any] = {"run": str(run.folder), "data": dataset.source}
    figures: dict[str, Figure] = {}
    failed: list[DataError] = []
    asked = measurements(
        method, dataset, lambda: finished_samples(method, samples, seed), samples=samples, importance=importance
    )
    for what, measure in asked.items():
        try:
            figures |= measure()
        except DataError as error:
            failed.append(error)
        else:
            if what == "samples":
                facts["n"] = samples
    if not figures:
        raise failed[0]
    for error in failed:
        typer.echo(f"not measured: {error}", err=True)
    if data is None and not best:
        _keep(run, figures)
    return facts, figures


def _keep(run: Run, figures: dict[str, Figure]) -> None:
    from ganvas.errors import GanvasError
    from ganvas.figure import figures_as_dict
    from ganvas.run import RunWriter

    last: dict[str, Any] = {}
    for row in run.log():
        last = row if "step" in row else last
    newest = {
        "step": last.get("step", 0), "seconds": last.get("seconds", 0.0), "metrics": figures_as_dict(figures),
    }  # fmt: skip
    try:
        RunWriter(run.folder).json("metrics.json", newest)
    except GanvasError as error:  # somebody else's run may be read-only, and can be measured all the same
        typer.echo(f"not kept in the run: {error}", err=True)


def _of_images(
    path: Path, data: str | None, settings: dict[str, Any], samples: int | None
) -> tuple[dict[str, Any], dict[str, Figure]]:
    from ganvas.cli.opening import open_shown
    from ganvas.errors import RunError, UsageError
    from ganvas.metrics import measure

    if not path.exists():
        raise RunError(f"there is no run and there are no images at {path}")
    if data is None:
        raise UsageError(f"{path} is no run, so --data must say what its images are measured against")
    dataset = open_shown(data, settings)
    given = open_shown(str(path), {"holdout": 0, **_like(dataset.spec.channels, path)})
    _check_shape(f"the images of {path}", given.spec.shape, dataset)
    images = given.images[:samples]
    facts = {"images": str(path), "data": dataset.source, "n": len(images)}
    return facts, measure(images, dataset, dataset.part("test"))


def _like(channels: int, path: Path) -> dict[str, Any]:
    """Settings for files of images: grey ones of a colour set are stored as grey. Arrays stay as they are."""
    if path.suffix.lower() in (".npz", ".npy") or channels not in (1, 3, 4):
        return {}
    return {"channels": channels, **({"alpha": "keep"} if channels == 4 else {})}


def _check_shape(what: str, shape: tuple[int, int, int], dataset: Dataset) -> None:
    from ganvas.errors import DataError

    if shape != dataset.spec.shape:
        raise DataError(
            f"{what} are {_words(shape)}, those of {dataset.source} {_words(dataset.spec.shape)}:"
            " only like can be measured against like"
        )


def _words(shape: tuple[int, int, int]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' * (shape[0] != 1)}"
