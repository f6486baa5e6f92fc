"""`ganvas edit`: image grids that show what the parts of a latent do."""

from __future__ import annotations

from typing import Annotated

import typer

from ganvas.cli.options import BestOption, DeviceOption, PngOut, RawOption, RunArgument


def edit(
    run: RunArgument,
    out: PngOut,
    traverse: Annotated[
        bool, typer.Option("--traverse", help="One grid per code: a row per seed, a column per value.")
    ] = False,
    interpolate: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="A B", help="Images between that of seed A and that of seed B, by spherical interpolation."
        ),
    ] = None,
    code: Annotated[
        list[str] | None, typer.Option("--code", metavar="NAME", help="Traverse only this code. May be repeated.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="A-B", help="Rows of a traversal: one seed, or the seeds from A to B.")
    ] = "0-7",
    values: Annotated[int, typer.Option(help="Number of columns of a continuous code, which goes from -2 to 2.")] = 10,
    steps: Annotated[int, typer.Option(help="Number of interpolated images, both ends included.")] = 8,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Show what the parts of a latent do: --traverse for methods with codes, --interpolate between two images.

    A code is a part of the latent with a meaning of its own, such as infogan learns; `ganvas methods NAME` says
    how it is trained. A traversal changes one code; the rest of the latent is that of the row's seed.
    """
    from ganvas.data import write_png
    from ganvas.errors import UsageError
    from ganvas.run import load
    from ganvas.tasks.edit import chosen_codes

    if traverse == (interpolate is not None):
        raise UsageError("give either --traverse or --interpolate A B")
    if code and not traverse:
        raise UsageError("--code needs --traverse")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out takes a FILE.png (got {out})")
    opened = load(run)
    image_grid = opened.edit(
        traverse=traverse, interpolate=interpolate, code=code, seeds=seeds, values=values, steps=steps, raw=raw, best=best,
        device=device,
    )  # fmt: skip
    if interpolate:
        description = f"{steps} images from seed {interpolate[0]} to seed {interpolate[1]}"
    else:
        description = "a traversal of " + ", ".join(one.name for one in chosen_codes(opened.method, code))
    write_png(out, image_grid)
    typer.echo(f"{description} written to {out}")
