"""`ganvas explain`: what a trained method does inside, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import BestOption, DataSetOption, DeviceOption, JsonOption, RawOption, RunArgument

if TYPE_CHECKING:
    from ganvas.tasks.explain import Explanation

PRINTED_UNITS = 8
PRINTED_LAYERS = 20


def explain(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where the page goes. Default: explain.html in RUN.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The training images, where they have moved. Default: the run's own.")
    ] = None,
    assignments: DataSetOption = None,
    space: Annotated[
        str, typer.Option(help="The latent space: z, w or w+. Default: the first that the method has.")
    ] = "auto",
    count: Annotated[int, typer.Option(help="Images in which each unit is ablated and forced, 8 to 256.")] = 64,
    units: Annotated[int, typer.Option(help="Units that are tried, spread evenly over the layers.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the first image.")] = 0,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Show what happens inside a trained method: units, layers, latent dimensions, discriminator, nearest training images.

    Units are ablated and forced, and attributes and classes are measured before and after: which unit makes what. Layers take
    the inputs of another image: what each decides, and how far one position reaches. Each latent dimension is moved: which do
    nothing. The discriminator's saliency is shown for real and generated images, and the training images nearest to samples at
    each depth of a feature network.

    One page with the images goes to --out; the figures go into RUN/explain.json, and the run's report quotes them.
    """
    from ganvas.cli.config import read_data_settings
    from ganvas.cli.output import update_report, write_json
    from ganvas.errors import UsageError
    from ganvas.report.explain_page import write_explain_page
    from ganvas.run import load

    settings = read_data_settings(None, assignments or [])
    if settings and data is None:
        raise UsageError("--set is about the data of --data, which is not given")
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out takes a FILE.html (got {out})")
    opened = load(run)

    def told(words: str) -> None:
        typer.echo(f"{words} ...", err=True)

    result = opened.explain(
        data, settings=settings, space=space, count=count, units=units, seed=seed, raw=raw, best=best, device=device,
        progress=told,
    )  # fmt: skip
    page = out or opened.folder / "explain.html"
    write_explain_page(result, page, of=opened.name)
    if data is None and not best and not raw:
        update_report(opened)
    if json:
        write_json({"run": str(run), "page": str(page), **result.as_dict()})
    else:
        _print(result, page)


def _print(result: Explanation, page: Path) -> None:
    from ganvas.cli.output import print_table

    for sentence in result.summary:
        typer.echo(f"{sentence[:1].upper()}{sentence[1:]}.")
    rows: list[list[str]] = []
    for unit in result.units[:PRINTED_UNITS]:
        rows.append(
            [
                unit.name,
                f"{unit.ablated.change:.1f}",
                unit.ablated.described(),
                f"{unit.forced.change:.1f}",
                unit.forced.described(),
            ]
        )
    if rows:
        print_table(("unit", "ablated", "moves", "forced", "moves"), rows, right=(1, 3))
    rows = []
    for layer in result.layers[:PRINTED_LAYERS]:
        size = f"{layer.size[0]} x {layer.size[1]}"
        rows.append([layer.name, str(layer.units), size, f"{layer.change:.1f}", str(layer.reach)])
    if rows:
        print_table(("layer takes", "units", "positions", "change", "reach, px"), rows, right=(1, 3, 4))
    for note in result.notes:
        typer.echo(note)
    typer.echo(f"images in {page}")
