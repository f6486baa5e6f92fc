"""`ganvas sample`: pictures of a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from ganvas.method import Method

BLOCK = 1024  # pictures made before they are written; a multiple of sampling.CHUNK


def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as `ganvas train` leaves it.")],
    n: Annotated[int, typer.Option("--n", "-n", help="How many pictures.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the first; the next has the next seed, whatever n is.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.npz",
            help="A folder for PNG files named by seed (seed000042.png), or an .npz with `images`, uint8 "
            "(N, H, W, C). Default: the folder samples-RUN here, unless --grid is given.",
        ),
    ] = None,
    grid: Annotated[Path | None, typer.Option(metavar="FILE.png", help="All of them on one sheet.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Make pictures with a trained run, as PNG files, as one .npz or as one sheet.

    Two-channel pictures become PNG files with the first channel as red and the second as cyan; an .npz
    holds them as they are.
    """
    from ganvas.run import load
    from ganvas.training.engine import choose_device

    _check_places(out, grid)
    opened = load(run)
    method = opened.load_method(raw=raw, best=best, device=choose_device(device))
    if out is None and grid is None:
        out = Path(f"samples-{opened.name}")
    if out is not None and out.suffix.lower() != ".npz" and grid is None:
        _write_folder(method, n, seed, out)  # block by block: a million pictures need no more memory than a thousand
        return
    pictures = gather(method, n, seed)
    if out is not None:
        _write_npz(pictures, out) if out.suffix.lower() == ".npz" else _write_pngs(pictures, seed, out)
        typer.echo(f"{n} pictures written to {out}")
    if grid is not None:
        _write_grid(pictures, grid)


def blocks(method: Method, n: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """(seed of the first, uint8 (m, H, W, C)) until n pictures are made."""
    from ganvas.sampling import sample as draw
    from ganvas.sampling import to_uint8

    draw(method, min(n, 1), seed)  # refuses an n, seed or method that cannot be, before anything is written
    for start in range(seed, seed + n, BLOCK):
        yield start, to_uint8(draw(method, min(BLOCK, seed + n - start), start))


def gather(method: Method, n: int, seed: int) -> np.ndarray:
    """All n pictures, uint8 (n, H, W, C)."""
    import numpy as np

    return np.concatenate([pictures for _, pictures in blocks(method, n, seed)])


def _check_places(out: Path | None, grid: Path | None) -> None:
    from ganvas.errors import UsageError

    if grid is not None and grid.suffix.lower() != ".png":
        raise UsageError(f"--grid takes a FILE.png (got {grid})")
    if out is None or out.suffix.lower() == ".npz":
        return
    if out.is_file() or out.suffix.lower() in (".png", ".jpg", ".jpeg", ".npy", ".zip"):
        raise UsageError(f"--out takes a folder or a FILE.npz (got {out}); one sheet of all is --grid FILE.png")


def _write_folder(method: Method, n: int, seed: int, out: Path) -> None:
    for first, pictures in blocks(method, n, seed):
        _write_pngs(pictures, first, out)
    typer.echo(f"{n} pictures written to {out}/ (seed{seed:06d}.png ...)")


def _write_pngs(pictures: np.ndarray, seed: int, out: Path) -> None:
    from ganvas.data import write_png
    from ganvas.data.image import viewable

    for index, picture in enumerate(viewable(pictures)):
        write_png(out / f"seed{seed + index:06d}.png", picture)


def _write_npz(pictures: np.ndarray, out: Path) -> None:
    import numpy as np

    from ganvas.files import write_aside

    write_aside(out, lambda file: np.savez_compressed(file, images=pictures))


def _write_grid(pictures: np.ndarray, place: Path) -> None:
    from ganvas.data import grid, write_png

    write_png(place, grid(pictures))
    typer.echo(f"a sheet of {len(pictures)} pictures written to {place}")
