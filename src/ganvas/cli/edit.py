"""`ganvas edit`: sheets that show what a latent's parts do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def edit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as `ganvas train` leaves it.")],
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="Where the sheet goes.")],
    traverse: Annotated[
        bool, typer.Option("--traverse", help="A block for each code: a row for each seed, a column for each value.")
    ] = False,
    interpolate: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="A B", help="A strip from the image of seed A to that of seed B, on a great circle."),
    ] = None,
    code: Annotated[
        list[str] | None, typer.Option("--code", metavar="NAME", help="Traverse this code only. Repeatable.")
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="A-B", help="Rows of a traversal: one seed, or from A to B.")] = "0-7",
    values: Annotated[int, typer.Option(help="Columns of a continuous code, from -2 to 2.")] = 10,
    steps: Annotated[int, typer.Option(help="Images of a strip, both ends included.")] = 8,
    raw: Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Show what the parts of a latent do: --traverse for the codes of a method that has some, --interpolate
    for the way between two images.

    A code is a part of the latent with a meaning of its own, as infogan finds them; `ganvas methods NAME` says
    how it is trained. In a traversal everything but the one code stays as the row's seed has it.
    """
    from ganvas.data import grid, write_png
    from ganvas.errors import UsageError
    from ganvas.run import load
    from ganvas.tasks import edit as editing
    from ganvas.training.engine import choose_device

    if traverse == (interpolate is not None):
        raise UsageError("say what to do: either --traverse or --interpolate A B")
    if code and not traverse:
        raise UsageError("--code belongs to --traverse")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out takes a FILE.png (got {out})")
    rows = read_seeds(seeds)
    method = load(run).load_method(raw=raw, best=best, device=choose_device(device))
    if interpolate:
        sheet = grid(editing.interpolate(method, *interpolate, steps=steps), columns=steps)
        told = f"{steps} images from seed {interpolate[0]} to seed {interpolate[1]}"
    else:
        sheet = editing.traverse(method, rows, code, values=values)
        told = "a traversal of " + ", ".join(one.name for one in editing.chosen_codes(method, code))
    write_png(out, sheet)
    typer.echo(f"{told} written to {out}")


def read_seeds(text: str) -> range:
    """The seeds of "5" or "0-7", both ends included."""
    from ganvas.errors import UsageError

    first, dash, last = text.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise UsageError(f"--seeds takes a seed or two joined by -, such as 0-7 (got {text})")
    found = range(int(first), int(last or first) + 1)
    if not 1 <= len(found) <= 1000:
        raise UsageError(f"--seeds must go up, and name 1000 seeds at most (got {text})")
    return found
