"""`ganvas encode` and `ganvas decode`: images to latents or codes, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganvas.cli import completion
from ganvas.cli.options import DeviceOption
from ganvas.files import JsonObject


def encode(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run of a method that encodes, such as vae_gan or vq_vae.",
        ),
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Images, in any form that `ganvas train --data` takes.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where the codes are written.")],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="train or test, where DATA has both. Default: train.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Find the latents of images: an .npz with `codes`, float32 (N, ...), and `labels` where DATA has some.

    For a method with discrete codes, `codes` are integers (N, L), each grid row by row, and `grids` holds the height, width
    and codebook size of each grid, coarse grids first.

    Images are encoded in the order of the data set, at the size that the run was trained on. The file also contains
    `weights`, the hash of the run's weights, because only those weights can decode the codes.
    """
    import numpy as np

    from ganvas import tasks
    from ganvas.abilities import Tokenizes
    from ganvas.cli.opening import progress_of
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.files import write_aside
    from ganvas.run import load

    if out.suffix.lower() != ".npz":
        raise UsageError(f"--out takes a FILE.npz (got {out})")
    opened = load(run)
    method = opened.load_method(device=choose_device(device))
    with progress_of(data) as progress:
        part = opened.open_data(data, split=split or "train", progress=progress)
    content: JsonObject = {"codes": tasks.encode(method, part)}
    if isinstance(method, Tokenizes):
        content["grids"] = np.array([(grid.height, grid.width, grid.size) for grid in method.grids()])
        content["codes"] = content["codes"].astype(np.int32)
    if part.labels is not None:
        content["labels"] = part.labels
    content["weights"] = np.array(opened.weights_hash())
    write_aside(out, lambda file: np.savez_compressed(file, **content))
    typer.echo(f"{len(part)} codes written to {out}")


def decode(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", autocompletion=completion.runs, help="The run that encoded the images.")
    ],
    codes: Annotated[
        Path,
        typer.Argument(metavar="CODES.npz", help="A file written by `ganvas encode`; its codes may have been edited."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for PNG files, code000000.png and so on.")],
    device: DeviceOption = "auto",
) -> None:
    """Turn codes back into images.

    Codes from other weights are refused: those of another run, or of this run before it was trained further.
    """
    from ganvas import tasks
    from ganvas.data import write_png
    from ganvas.data.image import viewable
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.run import load

    if out.is_file() or out.suffix.lower() in (".png", ".npz"):
        raise UsageError(f"--out takes a folder (got {out})")
    opened = load(run)
    content = read_codes(codes)
    if content["weights"] != opened.weights_hash():
        raise UsageError(
            f"{codes} was encoded with other weights than those of {opened.folder}:"
            " decode with the run that encoded it, or encode again"
        )
    method = opened.load_method(device=choose_device(device))
    images = tasks.decode(method, content["codes"], content["labels"])
    for number, image in enumerate(viewable(images)):
        write_png(out / f"code{number:06d}.png", image, method.made("decode", inputs=[codes.name], code_number=number))
    typer.echo(f"{len(images)} images written to {out}/ (code000000.png ...)")


def read_codes(path: Path) -> JsonObject:
    """Reads a file of `ganvas encode`: {"codes", "labels" or None, "weights"}; UsageError for any other file."""
    from ganvas.data.arrays import npz_members
    from ganvas.errors import DataError, UsageError

    if not path.is_file():
        raise UsageError(f"there are no codes at {path}: create them with `ganvas encode RUN DATA --out {path}`")
    try:
        with npz_members(path) as (shapes, read):
            members = {name: read(name) for name in ("codes", "labels", "weights") if name in shapes}
    except DataError:
        members = {}
    codes = members.get("codes")
    if codes is None or "weights" not in members or codes.dtype.kind not in "fiu":
        raise UsageError(
            f"{path} is not a file of `ganvas encode`: such a file contains `codes` (numbers) and `weights`"
        )
    return {"codes": codes, "labels": members.get("labels"), "weights": str(members["weights"])}
