"""`ganvas encode` and `ganvas decode`: images to latents or codes, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def encode(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run of a method that encodes, such as vae_gan or vq_vae.")
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Images: whatever `ganvas train --data` takes.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where the codes go.")],
    split: Annotated[str, typer.Option(help="train or test, where DATA has both.")] = "train",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Find the latents of images: an .npz with `codes`, float32 (N, ...), and `labels` where DATA has some.

    Of a method that tells images as discrete codes, `codes` are those, (N, L) with each grid row by row, and `grids` the height,
    width and number of codes of each, coarse ones first.

    Images come in the order of the data set, at the size that the run was trained on. The file also holds
    `weights`, the hash of the run's weights: codes mean something to the weights that made them only.
    """
    import numpy as np

    from ganvas.abilities import Tokenizes
    from ganvas.cli.opening import fitting, open_shown
    from ganvas.errors import DataError, UsageError
    from ganvas.files import sha256, write_aside
    from ganvas.run import load
    from ganvas.tasks import encode as encoding
    from ganvas.training.engine import choose_device

    if out.suffix.lower() != ".npz":
        raise UsageError(f"--out takes a FILE.npz (got {out})")
    opened = load(run)
    method = opened.load_method(device=choose_device(device))
    known = opened.info["data_settings"] if data == opened.info["data"] else fitting(opened)
    found = open_shown(data, known)
    part = found.part(split)
    if part is None:
        raise UsageError(f"{found.source} has no split {split}: --split takes train or test, where there are both")
    if part.spec.shape != opened.spec.shape:
        raise DataError(
            f"this run encodes images of (channels, height, width) {opened.spec.shape}; those of {data} are {part.spec.shape}"
        )
    content: dict[str, Any] = {"codes": encoding.encode(method, part.images, part.labels)}
    if isinstance(method, Tokenizes):
        content["grids"] = np.array([(grid.height, grid.width, grid.size) for grid in method.grids()])
        content["codes"] = content["codes"].astype(np.int32)
    if part.labels is not None:
        content["labels"] = part.labels
    content["weights"] = np.array(sha256(opened.weights_file()))
    write_aside(out, lambda file: np.savez_compressed(file, **content))
    typer.echo(f"{len(part)} codes written to {out}")


def decode(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run that encoded them.")],
    codes: Annotated[Path, typer.Argument(metavar="CODES.npz", help="A file of `ganvas encode`, changed or not.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for PNG files, code000000.png and so on.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Turn codes back into images.

    Codes that other weights made are refused: by another run, or before this one was trained on.
    """
    from ganvas.data import write_png
    from ganvas.data.image import viewable
    from ganvas.errors import UsageError
    from ganvas.files import sha256
    from ganvas.run import load
    from ganvas.tasks import encode as encoding
    from ganvas.training.engine import choose_device

    if out.is_file() or out.suffix.lower() in (".png", ".npz"):
        raise UsageError(f"--out takes a folder (got {out})")
    opened = load(run)
    found = read_codes(codes)
    if found["weights"] != sha256(opened.weights_file()):
        raise UsageError(
            f"{codes} was made by other weights than those of {opened.folder}: decode with the run that encoded, or encode again"
        )
    method = opened.load_method(device=choose_device(device))
    images = encoding.decode(method, found["codes"], found["labels"])
    for number, image in enumerate(viewable(images)):
        write_png(out / f"code{number:06d}.png", image)
    typer.echo(f"{len(images)} images written to {out}/ (code000000.png ...)")


def read_codes(path: Path) -> dict[str, Any]:
    """{"codes", "labels" or None, "weights"} of a file of `ganvas encode`; UsageError for any other file."""
    from ganvas.data.arrays import npz_members
    from ganvas.errors import DataError, UsageError

    if not path.is_file():
        raise UsageError(f"there are no codes at {path}: `ganvas encode RUN DATA --out {path}` makes some")
    try:
        with npz_members(path) as (shapes, read):
            found = {name: read(name) for name in ("codes", "labels", "weights") if name in shapes}
    except DataError:
        found = {}
    codes = found.get("codes")
    if codes is None or "weights" not in found or codes.dtype.kind not in "fiu":
        raise UsageError(f"{path} is not a file of `ganvas encode`: it should hold `codes` (numbers) and `weights`")
    return {"codes": codes, "labels": found.get("labels"), "weights": str(found["weights"])}
