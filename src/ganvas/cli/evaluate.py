"""`ganvas evaluate`: figures for a run, or for anybody's images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.defaults import IMPORTANCE_SAMPLES, MEASURED, MEASURED_SEED

if TYPE_CHECKING:
    import numpy as np

    from ganvas.data import Dataset
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
    best: Annotated[bool, typer.Option("--best", help="A run's weights of its best step instead of the last.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a run, or anybody's images, against data: each figure with its reference and sample count.

    A method that knows how likely images are is asked for the test split too: nats an image, or bits a value. One that tells
    images in codes generates the test split from them again. One that translates is asked for the test split, and compared with
    the true partners where there are some; what copying scores stands beside. One that restores images degrades the test split and
    restores it; what the degraded images score by themselves stands beside. One that stylises tells what its paintings of the test
    split lack of the photo and of the style.

    Figures of a run against its own data become the run's newest (metrics.json), which `ganvas compare` reads.
    """
    from ganvas.cli.data import read_settings
    from ganvas.cli.output import print_facts, print_metrics, write_json
    from ganvas.errors import UsageError
    from ganvas.run import is_run, load

    if samples is not None and samples < 1:
        raise UsageError(f"--samples must be at least 1 (got {samples})")
    if importance < 1:
        raise UsageError(f"--importance-samples must be at least 1 (got {importance})")
    settings = read_settings(None, assignments or [])
    if settings and data is None:
        raise UsageError("--set is about the data of --data, which is not given")
    if is_run(run):
        facts = _of_run(load(run), data, settings, samples or MEASURED, seed, importance, best, device)
    else:
        facts = _of_images(run, data, settings, samples)
    if json:
        write_json(facts)
        return
    print_facts({key: facts[key] for key in facts if key != "metrics"})
    print_metrics(facts["metrics"])


def _of_run(
    run: Run,
    data: str | None,
    settings: dict[str, Any],
    samples: int,
    seed: int,
    importance: int,
    best: bool,
    device: str,
) -> dict[str, Any]:
    from ganvas.cli.opening import as_in, fitting, open_shown
    from ganvas.cli.sample import gather
    from ganvas.errors import DataError, RunError
    from ganvas.metrics import measurements
    from ganvas.metrics.abilities import unmeasured
    from ganvas.training.engine import choose_device

    if why := unmeasured(run.info["method"]):
        raise RunError(why)
    method = run.load_method(best=best, device=choose_device(device))
    known = run.info["data_settings"] if data is None else {**fitting(run), **settings}
    dataset = as_in(run, open_shown(data or run.info["data"], known))
    _check_shape(f"the images of {run.folder}", run.spec.shape, dataset)
    found: dict[str, Any] = {"data": dataset.source, "metrics": {}}
    failed: list[DataError] = []
    asked = measurements(method, dataset, lambda: gather(method, samples, seed), samples=samples, importance=importance)
    for what, measured in asked.items():
        try:
            found["metrics"] |= measured()
            found |= {"n": samples} if what == "samples" else {}
        except DataError as error:
            failed.append(error)
    if not found["metrics"]:
        raise failed[0]
    for error in failed:
        typer.echo(f"not measured: {error}", err=True)
    if data is None and not best:
        _keep(run, found["metrics"])
    return {"run": str(run.folder), **found}


def _keep(run: Run, metrics: dict[str, Any]) -> None:
    from ganvas.errors import GanvasError
    from ganvas.run import RunWriter

    last: dict[str, Any] = {}
    for row in run.log():
        last = row if "step" in row else last
    newest = {"step": last.get("step", 0), "seconds": last.get("seconds", 0.0), "metrics": metrics}
    try:
        RunWriter(run.folder).json("metrics.json", newest)
    except GanvasError as error:  # somebody else's run may be read-only, and can be measured all the same
        typer.echo(f"not kept in the run: {error}", err=True)


def _of_images(path: Path, data: str | None, settings: dict[str, Any], samples: int | None) -> dict[str, Any]:
    from ganvas.cli.opening import open_shown
    from ganvas.errors import RunError, UsageError

    if not path.exists():
        raise RunError(f"there is no run and there are no images at {path}")
    if data is None:
        raise UsageError(f"{path} is no run, so --data must say what its images are measured against")
    dataset = open_shown(data, settings)
    given = open_shown(str(path), {"holdout": 0, **_like(dataset.spec.channels, path)})
    _check_shape(f"the images of {path}", given.spec.shape, dataset)
    return {"images": str(path), **_measured(given.images[:samples], dataset)}


def _like(channels: int, path: Path) -> dict[str, Any]:
    """Settings for files of images: grey ones of a colour set are stored as grey. Arrays stay as they are."""
    if path.suffix.lower() in (".npz", ".npy") or channels not in (1, 3, 4):
        return {}
    return {"channels": channels, **({"alpha": "keep"} if channels == 4 else {})}


def _measured(images: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    from ganvas.metrics import measure

    return {
        "data": dataset.source,
        "n": len(images),
        "metrics": measure(images, dataset, dataset.part("test")),
    }


def _check_shape(what: str, shape: tuple[int, int, int], dataset: Dataset) -> None:
    from ganvas.errors import DataError

    if shape != dataset.spec.shape:
        raise DataError(
            f"{what} are {_words(shape)}, those of {dataset.source} {_words(dataset.spec.shape)}:"
            " only like can be measured against like"
        )


def _words(shape: tuple[int, int, int]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' * (shape[0] != 1)}"
