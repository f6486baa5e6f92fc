"""`ganvas restore`: photos in, restored photos out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from ganvas.data.photo import Photo
    from ganvas.method import Method

SHEET = "-before-after.png"


def restore(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run of a method that restores: denoise, srgan, inpaint.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Images, or folders or zips of images. Any size.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for the results, NAME.png each.")],
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK.png|DIR",
            help="For filling holes: an image of the same size, white where it is missing; or a folder with one of "
            "each image's name.",
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="auto: what RUN can. denoise, upscale or inpaint asks for one.")] = "auto",
    n: Annotated[int, typer.Option("--n", "-n", help="Answers to each image, where RUN has more than one.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first answer; the next has the next seed.")] = 0,
    balance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Weights between the end of a first phase by pixels (0) and the last (1), of a run that has both: "
            "less invented detail for more.",
        ),
    ] = None,
    sheets: Annotated[bool, typer.Option("--sheets/--no-sheets", help="Also NAME-before-after.png of each.")] = True,
    raw: Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Restore images with a trained run: noise away, more pixels, or holes filled, whichever RUN was trained for.

    Results are PNG files with the bits, the alpha, the colour profile and the EXIF block of the original, turned
    upright. Large images pass in overlapping tiles that fade into each other.
    """
    from ganvas.cli.output import write_json
    from ganvas.errors import DataError, UsageError
    from ganvas.run import load
    from ganvas.tasks import restore as restoring
    from ganvas.training.engine import choose_device

    if out.is_file() or out.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".zip"):
        raise UsageError(f"--out takes a folder (got {out})")
    method = load(run).load_method(raw=raw, best=best, device=choose_device(device))
    restores = restoring.restoration_of(method, task)
    method = method if balance is None else blended(method, balance)
    if mask is not None and restores.degradation != "holes":
        raise UsageError(
            f"--mask is for filling holes, and this run of {method.name} can {restoring.TASKS[restores.degradation]}"
        )
    if mask is None and restores.degradation == "holes":
        raise UsageError("filling holes needs --mask MASK.png, of the size of the image and white where it is missing")
    if n > 1 and not restores.answers:
        raise UsageError(f"{method.name} has one answer to an image: omit --n")
    endings = [".png"] if n == 1 else [f"-seed{seed + number:06d}.png" for number in range(n)]
    found = plan(images, out, [*endings, *([SHEET] if sheets else [])])
    masks = masks_for([name for name, _, _ in found], mask)
    done: list[dict[str, Any]] = []
    problems: list[str] = []
    for name, read, place in found:
        try:
            holes = None if masks is None else masks(name)
            done.append(_restored(method, name, read(), holes, place, endings, seed=seed, sheets=sheets))
        except DataError as error:
            problems.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        if not json:
            typer.echo(f"{name} -> {', '.join(done[-1]['files'])}")
    if json:
        write_json({"task": restoring.TASKS[restores.degradation], "restored": done, "problems": problems})
    if problems:
        raise DataError(
            problems[0]
            if len(found) == 1
            else "\n  ".join([f"{len(problems)} of {len(found)} images failed:", *problems])
        )


def plan(
    images: list[Path], out: Path, endings: Sequence[str] = (".png",)
) -> list[tuple[str, Callable[[], Photo], Path]]:
    """(name, how to read it, where its files go, without their `endings`), no two files alike, and none over an original."""
    from ganvas.data.photo import find_photos
    from ganvas.errors import UsageError

    found: list[tuple[str, Callable[[], Photo], Path]] = []
    taken: dict[Path, str] = {}
    every = [(path, find_photos(path)) for path in images]
    originals = {(path / name if path.is_dir() else path).resolve() for path, photos in every for name, _ in photos}
    for _, photos in every:
        for name, read in photos:
            place = out / Path(name).with_suffix("")
            for result in (place.with_name(place.name + ending) for ending in endings):
                if result in taken:
                    raise UsageError(
                        f"{taken[result]} and {name} would both become {result}: restore them into two folders"
                    )
                if result.resolve() in originals:
                    raise UsageError(f"the result of {name} would overwrite {result}: choose another --out")
                taken[result] = name
            found.append((name, read, place))
    return found


def masks_for(names: list[str], mask: Path | None) -> Callable[[str], np.ndarray] | None:
    """The mask of each image by its name: the one file, or the file of that stem in the folder. DataError where one lacks."""
    from ganvas.data.photo import find_photos, read_photo
    from ganvas.errors import DataError
    from ganvas.tasks.restore import as_mask

    if mask is None:
        return None
    if not mask.is_dir():
        only = as_mask(read_photo(mask))
        return lambda name: only
    readers = {Path(name).with_suffix(""): read for name, read in find_photos(mask)}
    lacking = [name for name in names if Path(name).with_suffix("") not in readers]
    if lacking:
        raise DataError(f"there is no mask for {lacking[0]} in {mask}: a mask there has the name of its image")
    return lambda name: as_mask(readers[Path(name).with_suffix("")]())


def blended(method: Method, balance: float) -> Method:
    """The method with its weights at that share of the way between its two phases."""
    from ganvas.abilities import Restores, offers
    from ganvas.errors import UsageError
    from ganvas.registry import methods_with

    if not isinstance(method, Restores) or not offers(method, Restores.blended):
        raise UsageError(
            f"{method.name} was trained in one phase, so there is nothing to balance"
            f" (methods with two: {methods_with(Restores.blended)})"
        )
    if not 0 <= balance <= 1:
        raise UsageError(f"--balance is a share from 0 to 1 (got {balance:g})")
    return method.blended(balance)


def _restored(
    method: Method, name: str, photo: Photo, holes: np.ndarray | None, place: Path, endings: Sequence[str], *, seed: int,
    sheets: bool,
) -> dict[str, Any]:  # fmt: skip
    """Writes the results of one image, and says where."""
    from ganvas.data import write_png
    from ganvas.data.photo import write_photo
    from ganvas.tasks.restore import restore, sheet

    made = restore(method, photo, holes, n=len(endings), seed=seed)
    files = [place.with_name(place.name + ending) for ending in endings]
    for file, one in zip(files, made, strict=True):
        write_photo(file, one)
    told: dict[str, Any] = {"image": name, "files": [str(file) for file in files], "size": list(made[0].size)}
    if sheets:
        beside = place.with_name(place.name + SHEET)
        write_png(beside, sheet(photo, made, holes))
        told["sheet"] = str(beside)
    return told
