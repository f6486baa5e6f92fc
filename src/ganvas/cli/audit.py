"""`ganvas audit`: copies of training images among samples, membership, extraction; a verdict for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import BestOption, DataSetOption, DeviceOption, JsonOption
from ganvas.defaults import MEASURED_SEED
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from ganvas.tasks.audit import Audit


def audit(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="A run folder. Without one, --samples and --data are audited.")
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|FILE.npz", help="Samples from anywhere, in place of those that the run generates."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The training images. A run brings its own; samples without a run need them.")
    ] = None,
    assignments: DataSetOption = None,
    count: Annotated[int, typer.Option(help="How many samples of the run.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the first of them.")] = MEASURED_SEED,
    tries: Annotated[
        int, typer.Option(help="Samples of each class with few training images, for a class-conditional run.")
    ] = 200,
    fail_above: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Exit code 1 where the share of copies is above this, such as 0.02."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Where the page with the pairs goes. Default: audit.html, in RUN if there is one."
        ),
    ] = None,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Find what samples give away of the training images: copies, duplicates, membership, extraction.

    A copy is a sample that is nearer to a training image than held-out images are: as a whole (shifted, mirrored, enlarged,
    brighter or darker), by its features, or in one half. The threshold is chosen from held-out images so that 1 % of unseen real
    images at most would be called copies; it takes 99 of them at least.

    The result goes into RUN/audit.json and onto a page with each suspicious sample beside its original. With --fail-above the
    exit code is 1 where there are more copies than that.
    """
    from ganvas.cli.config import read_data_settings
    from ganvas.cli.output import update_report, write_json
    from ganvas.errors import RunError, UsageError
    from ganvas.report.audit_page import write_audit_page
    from ganvas.run import load

    settings = read_data_settings(None, assignments or [])
    if settings and data is None:
        raise UsageError("--set is about the data of --data, which is not given")
    if run is None and (samples is None or data is None):
        raise UsageError("ganvas audit takes a RUN, or --samples and --data")
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out takes a FILE.html (got {out})")
    if run is not None:
        opened = load(run)
        result = opened.audit(
            samples, data, settings=settings, count=count, seed=seed, tries=tries, fail_above=fail_above, best=best,
            device=device,
        )  # fmt: skip
        source = data or opened.info["data"]
        page = out or opened.folder / "audit.html"
        of = opened.name if samples is None else str(samples)
        if samples is None and data is None and not best:
            update_report(opened)
    else:
        assert samples is not None and data is not None
        result, source = _of_samples(samples, data, settings, fail_above)
        page, of = out or Path("audit.html"), str(samples)
    write_audit_page(result, page, of=of, data=source)
    if json:
        write_json({"run": None if run is None else str(run), "data": source, "page": str(page), **result.as_dict()})
    else:
        _print(result, page)
    if result.failed:
        raise RunError(result.failure)


def _of_samples(samples: Path, data: str, settings: JsonObject, fail_above: float | None) -> tuple[Audit, str]:
    from ganvas import tasks
    from ganvas.cli.opening import open_shown
    from ganvas.data.kinds import KINDS

    opened = open_shown(data, settings)
    like = KINDS[opened.spec.kind].settings_like(opened.spec, {})
    given = open_shown(str(samples), {**like, "holdout": 0})
    return tasks.audit(None, opened, given.images, fail_above=fail_above), opened.source


def _print(result: Audit, page: Path) -> None:
    from ganvas.cli.output import print_table, short_number

    typer.echo(f"{result.verdict[:1].upper()}{result.verdict[1:]}.")
    typer.echo(f"threshold from {result.calibration_source}; features: {result.features}")
    rows: list[list[str]] = []
    for one in result.duplicates:
        rows.append([one.what, *map(short_number, (one.n, one.exact, one.near, one.reference))])
    print_table(("duplicates", "n", "equal", "near", "near among training images"), rows, right=(1, 2, 3, 4))
    if result.membership:
        rows = []
        for test in result.membership:
            interval = f"{test.auc.low:.3f} to {test.auc.high:.3f}"
            rows.append([test.test, f"{test.auc.value:.3f}", interval, f"{test.members} and {test.others}"])
        print_table(("membership by", "AUC", "95 % interval", "members and others"), rows, right=(1, 2, 3))
    if result.extraction:
        rows = []
        for one in result.extraction:
            rows.append([one.label, *map(str, (one.training_images, one.tries, one.copies, one.originals))])
        print_table(("class", "training images", "tries", "copies", "originals"), rows, right=(1, 2, 3, 4))
    for note in result.notes:
        typer.echo(note)
    typer.echo(f"pairs side by side in {page}")
