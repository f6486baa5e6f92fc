"""`ganvas export`: a run as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import BestOption, JsonOption, RawOption, RunArgument

if TYPE_CHECKING:
    from ganvas.export import Exported


def export(
    run: RunArgument,
    to: Annotated[
        str,
        typer.Option(
            metavar="onnx|torch|page",
            help="onnx: an ONNX file, which runs without torch. torch: a .pt2 file of torch.export. page: one HTML file in "
            "which the model runs, with no server and no network.",
        ),
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where it is written. Default: RUN.onnx, RUN.pt2 or RUN.html here."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            help="Only this part: sample, encode, decode, translate_ab, translate_ba, restore or stylise. Default: all that the "
            "method has, one file each.",
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="fp32|fp16|int8", help="Precision of the weights in an ONNX file; fp16 and int8 are smaller."
        ),
    ] = "fp32",
    uint8: Annotated[
        bool,
        typer.Option(
            "--uint8", help="The ONNX file gives images as bytes (n, H, W, C), not as (n, C, H, W) in [-1, 1]."
        ),
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="HxW",
            help="Size of the images that it takes, for a method whose computation depends on it. Default: that of the training.",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Licence of the model, written into the file's metadata.")
    ] = "",
    raw: RawOption = False,
    best: BestOption = False,
    json: JsonOption = False,
) -> None:
    """Export a trained run, to be used without ganvas or without torch.

    Batch and image size stay free. Each file is compared with torch before it is written, and names method, settings, data,
    figures and audit of the run. `ganvas sample`, `translate`, `restore` and `stylise` take an ONNX file in place of a run; they
    then need onnxruntime and no torch.
    """
    from ganvas.cli.output import write_json
    from ganvas.export import export_run
    from ganvas.run import load

    def report(file: Exported) -> None:
        if not json:
            parity = f"differs from torch by {file.difference:.2g}"
            typer.echo(f"{file.part} -> {file.path} ({file.size:,} bytes, {parity}, {file.seconds:.1f} s)")

    files = export_run(
        load(run), to, out, part=part, precision=precision, uint8=uint8, size=_size(size), licence=licence, raw=raw, best=best,
        done=report,
    )  # fmt: skip
    if json:
        write_json({"files": [file.as_dict() for file in files]})


def _size(text: str | None) -> tuple[int, int] | None:
    """Reads "48x64" as (48, 64), and "48" as (48, 48)."""
    from ganvas.errors import UsageError

    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise UsageError(f"--size takes HEIGHTxWIDTH in pixels, such as 64x96 (got {text})")
    return int(sides[0]), int(sides[-1])
