"""`ganvas sample`: images of a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganvas.data import DataSpec
    from ganvas.method import Method

BLOCK = 1024  # images made before they are written; a multiple of chunks.CHUNK
STEP_SECONDS, END_SECONDS = 0.5, 2.0  # of --animate


def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as `ganvas train` leaves it.")],
    n: Annotated[int, typer.Option("--n", "-n", help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the first; the next has the next seed, whatever n is.")] = 0,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="Only this class, by name or number, of a run that was trained with classes."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.npz",
            help="A folder for PNG, .wav or .txt files named by seed (seed000042.png), or an .npz with `images`, uint8 "
            "(N, H, W, C). Default: the folder samples-RUN here, unless --grid or --animate is given.",
        ),
    ] = None,
    grid: Annotated[Path | None, typer.Option(metavar="FILE.png", help="All of them on one sheet.")] = None,
    animate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.gif|.png|.webp",
            help="The sheet being drawn, step by step, by a method that generates in steps.",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="How each text begins, by a method that continues where a text ends."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting that only sampling reads, such as temperature=0.8 or guidance=2. May be repeated; "
            "`ganvas methods NAME` shows them.",
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Make images (or clips, or texts) with a trained run: as files, as one .npz, as a sheet or an animation of it.

    Two-channel images become PNG files with the first channel as red and the second as cyan; an .npz
    holds them as they are.
    """
    from ganvas.data import media
    from ganvas.data.kinds import KINDS
    from ganvas.errors import UsageError
    from ganvas.run import load
    from ganvas.training.engine import choose_device

    _check_places(out, grid, animate)
    if prompt is not None and label is not None:
        raise UsageError("--prompt and --label do not go together: omit one")
    opened = load(run)
    changes = _changes(assignments or [])
    method = opened.load_method(raw=raw, best=best, device=choose_device(device), settings=changes)
    if animate is not None:
        _write_animation(method, n, seed, label, animate)
    if out is None and grid is None:
        if animate is not None:
            return
        out = Path(f"samples-{opened.name}")
    if out is not None and out.suffix.lower() != ".npz" and grid is None:
        # Block by block: a million images need no more memory than a thousand.
        _write_folder(method, n, seed, out, label, prompt)
        return
    made = gather(method, n, seed, label, prompt)
    if out is not None:
        if out.suffix.lower() == ".npz":
            media.write_npz(out, made, method.spec)
        else:
            media.write_each(out, made, seed, method.spec)
        typer.echo(f"{n} {KINDS[method.spec.kind].samples} written to {out}")
    if grid is not None:
        _write_grid(made, grid, method.spec)


def blocks(
    method: Method, n: int, seed: int, label: str | None = None, prompt: str | None = None
) -> Iterator[tuple[int, Any]]:
    """(seed of the first, m of them in their final form: uint8 (m, H, W, C), int16 (m, L) or texts) until n are made."""
    from ganvas.data.media import finished
    from ganvas.sampling import check_seeds, continued
    from ganvas.sampling import sample as draw

    check_seeds(n, seed)  # what else cannot be is refused by the first block, before anything is written
    for start in range(seed, seed + n, BLOCK):
        count = min(BLOCK, seed + n - start)
        made = draw(method, count, start, label) if prompt is None else continued(method, prompt, count, start)
        yield start, finished(made, method.spec)


def gather(method: Method, n: int, seed: int, label: str | None = None, prompt: str | None = None) -> Any:
    """All n in their final form: uint8 (n, H, W, C), int16 (n, L) or a list of texts."""
    import numpy as np

    made = [part for _, part in blocks(method, n, seed, label, prompt)]
    return [text for part in made for text in part] if isinstance(made[0], list) else np.concatenate(made)


def _changes(assignments: list[str]) -> dict[str, str]:
    """Settings of --set."""
    from ganvas.cli.config import read_assignments
    from ganvas.errors import UsageError

    changes, of_data = read_assignments(assignments)
    if of_data:
        raise UsageError(f"--set data.{next(iter(of_data))} is about training data, and sampling reads none")
    return changes


def _check_places(out: Path | None, grid: Path | None, animate: Path | None) -> None:
    from ganvas.data.animation import animation_format
    from ganvas.errors import UsageError

    if animate is not None:
        animation_format(animate)
    if grid is not None and grid.suffix.lower() != ".png":
        raise UsageError(f"--grid takes a FILE.png (got {grid})")
    if out is None or out.suffix.lower() == ".npz":
        return
    if out.is_file() or out.suffix.lower() in (".png", ".jpg", ".jpeg", ".npy", ".zip"):
        raise UsageError(f"--out takes a folder or a FILE.npz (got {out}); one sheet of all is --grid FILE.png")


def _write_folder(method: Method, n: int, seed: int, out: Path, label: str | None, prompt: str | None) -> None:
    from ganvas.data import media
    from ganvas.data.kinds import KINDS

    spec = method.spec
    for first, made in blocks(method, n, seed, label, prompt):
        media.write_each(out, made, first, spec)
    kind = KINDS[spec.kind]
    typer.echo(f"{n} {kind.samples} written to {out}/ (seed{seed:06d}{kind.suffix} ...)")


def _write_grid(made: Any, place: Path, spec: DataSpec) -> None:
    from ganvas.data import media, write_png
    from ganvas.data.kinds import KINDS
    from ganvas.errors import UsageError

    sheet = media.image_grid(made, spec)
    if sheet is None:
        raise UsageError("text cannot be put on a sheet: omit --grid, and name a folder or a FILE.npz by --out")
    write_png(place, sheet)
    typer.echo(f"a sheet of {len(made)} {KINDS[spec.kind].samples} written to {place}")


def _write_animation(method: Method, n: int, seed: int, label: str | None, place: Path) -> None:
    """A frame a step, each a sheet of all images; the finished one stays longer."""
    import numpy as np

    from ganvas.data import grid
    from ganvas.data.animation import write_animation
    from ganvas.sampling import drawing, to_uint8

    canvases = drawing(method, n, seed, label)
    frames = np.stack([grid(to_uint8(step)) for step in canvases.unbind(1)])
    write_animation(place, frames, [STEP_SECONDS] * (len(frames) - 1) + [END_SECONDS])
    typer.echo(f"a sheet of {n} images in {len(frames)} steps written to {place}")
