"""`ganvas sample`: images of a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli import completion, exported
from ganvas.cli.options import BestOption, DeviceOption, RawOption, set_option
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from ganvas.data import DataSpec
    from ganvas.method import Method
    from ganvas.provenance import Provenance

STEP_SECONDS, END_SECONDS = 0.5, 2.0  # how long --animate shows a step, and the finished images
TURN_SECONDS = 3.0  # of one turn of a volume


def sample(
    context: typer.Context,
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run folder, as `ganvas train` writes it, or a file of `ganvas export`; see also --like.",
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", "-n", help="How many images. With --like as many as the file shows, if not given.")
    ] = 64,
    seed: Annotated[
        int, typer.Option(help="Seed of the first sample; each next sample has the next seed, whatever n is.")
    ] = 0,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Make an image, grid, animation or clip that `ganvas sample` wrote again: its metadata name run, weights, "
            "seed and settings. The run is looked for here and in runs/, unless RUN is given.",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="Only this class, by name or number, for a run of a class-conditional method."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.npz",
            help="A folder for PNG, .webp, .wav, .txt or .obj files named by seed (seed000042.png), or an .npz with `images`, "
            "uint8 (N, H, W, C), `videos`, uint8 (N, T, H, W, C), or `volumes`, uint8 (N, D, H, W). Default: the folder "
            "samples-RUN here, unless --grid or "
            "--animate is given.",
        ),
    ] = None,
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also all samples in one image, as a grid.")
    ] = None,
    animate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.gif|.png|.webp|.mp4",
            help="A film of the grid: of videos, of volumes that turn, or one frame per step of a method that generates in "
            "several steps.",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The beginning of each text, for a method that can continue a text."),
    ] = None,
    motion: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help="All videos move as that of this seed, for a method that tells motion from content.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Of the files in --out, for videos: webp, gif, mp4, or frames (a folder of PNG files for each); for volumes: "
            "obj or ply.",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        set_option(
            "A setting that only sampling reads, such as temperature=0.8 or guidance=2; `ganvas methods NAME` shows them."
        ),
    ] = None,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Generate images, videos, clips, texts or volumes with a trained run: as files, as one .npz, as a grid or as an animation.

    Two-channel images are written as PNG files with the first channel in red and the second in cyan. An .npz
    contains both channels unchanged.
    """
    _check_places(out, grid, animate)
    if run is not None and exported.is_exported(run):
        refused = {
            "--like": like, "--animate": animate, "--prompt": prompt, "--set": assignments, "--raw": raw, "--best": best,
        }  # fmt: skip
        exported.sample(run, n, seed, label, out, grid, refused)
        return
    from ganvas.data import media
    from ganvas.data.kinds import KINDS
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.run import find_run, load
    from ganvas.sampling import finished_samples
    from ganvas.tasks.like import wanted

    if prompt is not None and label is not None:
        raise UsageError("--prompt and --label do not go together: omit one")
    if like is None:
        if run is None:
            raise UsageError(
                "missing argument 'RUN' (see: ganvas sample --help), or --like FILE to make an image again"
            )
        opened, changes = load(run), _changes(assignments or [])
    else:
        given = _given(context)
        for name in sorted(given & {"seed", "label", "prompt", "motion", "assignments", "raw", "best"}):
            option = "set" if name == "assignments" else name
            raise UsageError(f"--{option} and --like do not go together: --like takes it from {like}")
        again = wanted(like)
        opened, best = find_run(again.made, like, None if run is None else load(run))
        n = n if "n" in given else again.n
        seed, label, prompt, changes, raw = again.seed, again.label, again.prompt, again.settings, again.raw
        motion = again.motion
        if out is None and grid is None and animate is None:
            place = Path(f"{like.stem}-again{like.suffix}")
            grid = place if "grid" in again.made.options else None
            animate = place if "animate" in again.made.options else None
    method = opened.load_method(raw=raw, best=best, device=choose_device(device), settings=changes)
    kind = KINDS[method.spec.kind]
    if form is not None and not kind.formats:
        raise UsageError(f"{kind.samples} are always written as {kind.suffix} files: omit --format")
    if form is not None and form not in kind.formats:
        raise UsageError(f"--format of {kind.samples} is {' or '.join(kind.formats)} (got {form})")
    if animate is not None:
        _write_animation(method, n, seed, label, motion, animate)
    if out is None and grid is None:
        if animate is not None:
            return
        out = Path(f"samples-{opened.name}")
    if out is not None and out.suffix.lower() != ".npz" and grid is None:
        # Block by block: a million images need no more memory than a thousand.
        _write_folder(method, n, seed, out, label, prompt, motion, form)
        return
    samples = finished_samples(method, n, seed, label, prompt, motion)
    if out is not None:
        if out.suffix.lower() == ".npz":
            media.write_npz(out, samples, method.spec)
        else:
            made = method.made("sample", seed=seed, label=label, prompt=prompt, motion=motion)
            media.write_each(out, samples, seed, method.spec, made, form)
        typer.echo(f"{n} {kind.samples} written to {out}")
    if grid is not None:
        made = method.made("sample", seed=seed, n=n, label=label, motion=motion, grid=True)
        _write_grid(samples, grid, method.spec, made)


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters that the command line names."""
    given: set[str] = set()
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given.add(name)
    return given


def _changes(assignments: list[str]) -> JsonObject:
    """Settings of --set."""
    from ganvas.cli.config import read_assignments
    from ganvas.errors import UsageError

    changes, of_data = read_assignments(assignments)
    if of_data:
        raise UsageError(
            f"--set data.{next(iter(of_data))} is a setting of training data, and sampling reads no data: omit it"
        )
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
        raise UsageError(
            f"--out takes a folder or a FILE.npz (got {out}); for one image with all samples use --grid FILE.png"
        )


def _write_folder(
    method: Method,
    n: int,
    seed: int,
    out: Path,
    label: str | None,
    prompt: str | None,
    motion: int | None,
    form: str | None,
) -> None:
    from ganvas.data import media
    from ganvas.data.kinds import KINDS
    from ganvas.sampling import finished_blocks

    spec, made = method.spec, method.made("sample", seed=seed, label=label, prompt=prompt, motion=motion)
    for first, samples in finished_blocks(method, n, seed, label, prompt, motion):
        media.write_each(out, samples, first, spec, made, form)
    kind = KINDS[spec.kind]
    typer.echo(f"{n} {kind.samples} written to {out}/ (seed{seed:06d}{kind.suffix_of(form)} ...)")


def _write_grid(samples: Any, place: Path, spec: DataSpec, made: Provenance) -> None:
    from ganvas.data import media, write_png
    from ganvas.data.kinds import KINDS
    from ganvas.errors import UsageError

    image_grid = media.image_grid(samples, spec)
    if image_grid is None:
        raise UsageError("texts cannot be shown as a grid: omit --grid, and name a folder or a FILE.npz with --out")
    write_png(place, image_grid, made)
    typer.echo(f"a grid of {len(samples)} {KINDS[spec.kind].samples} written to {place}")


def _write_animation(method: Method, n: int, seed: int, label: str | None, motion: int | None, place: Path) -> None:
    """Of videos a grid in which all move; of images one frame per step with a grid of all, the last shown longer."""
    import numpy as np

    from ganvas.data import grid
    from ganvas.data.animation import write_animation
    from ganvas.data.kinds import KINDS
    from ganvas.sampling import drawing, finished_samples, to_uint8

    kind = KINDS[method.spec.kind]
    if kind.is_solid:
        film = kind.film(finished_samples(method, n, seed, label))
        made = method.made("sample", seed=seed, n=n, label=label, animate=True)
        write_animation(place, film, [TURN_SECONDS / len(film)] * len(film), made)
        typer.echo(f"a turntable of {n} {kind.samples}, {len(film)} frames, written to {place}")
        return
    if kind.moves:
        film = kind.film(finished_samples(method, n, seed, label, motion=motion))
        made = method.made("sample", seed=seed, n=n, label=label, motion=motion, animate=True)
        write_animation(place, film, [1 / method.spec.video.rate] * len(film), made)
        typer.echo(f"a grid of {n} {kind.samples}, {len(film)} frames, written to {place}")
        return
    canvases = drawing(method, n, seed, label)
    frames = np.stack([grid(to_uint8(step)) for step in canvases.unbind(1)])
    made = method.made("sample", seed=seed, n=n, label=label, animate=True)
    write_animation(place, frames, [STEP_SECONDS] * (len(frames) - 1) + [END_SECONDS], made)
    typer.echo(f"a grid of {n} images in {len(frames)} steps written to {place}")
