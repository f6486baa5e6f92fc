"""`ganvas restore`: photos in, restored photos out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli import completion
from ganvas.cli.options import BestOption, DeviceOption, JsonOption, PngFolder, RawOption
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from ganvas.data.photo import Photo
    from ganvas.method import Method

COMPARISON_SUFFIX = "-before-after.png"


def restore(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run of a method that restores, such as denoise, srgan or inpaint.",
        ),
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Images, or folders or zips of images, of any size.")
    ],
    out: PngFolder,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK.png|DIR",
            help="For inpainting: an image of the same size, white where pixels are missing; or a folder with a mask of "
            "the same name for each image.",
        ),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="auto: what RUN was trained for. Or denoise, upscale or inpaint, an error if RUN cannot."),
    ] = "auto",
    n: Annotated[
        int, typer.Option("--n", "-n", help="Number of results per image, if RUN can give more than one.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first result; each next result has the next seed.")] = 0,
    interpolation: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Interpolates the weights between the end of a first, pixel-based phase (0) and the last (1), for a run with "
            "both: a lower value gives less invented detail.",
        ),
    ] = None,
    grids: Annotated[
        bool,
        typer.Option(
            "--grids/--no-grids", help="Also write NAME-before-after.png, the image and its results side by side."
        ),
    ] = True,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Restore images with a trained run: denoise, upscale or inpaint, whichever RUN was trained for.

    Results are PNG files with the bit depth, alpha, colour profile and EXIF data of the original, rotated
    upright. Large images are processed in overlapping tiles, which are blended.
    """
    from ganvas.cli.output import write_json
    from ganvas.device import choose_device
    from ganvas.errors import DataError, UsageError
    from ganvas.run import load
    from ganvas.tasks.restore import RESTORING_NAMES, interpolated, restoration_of

    if out.is_file() or out.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".zip"):
        raise UsageError(f"--out takes a folder (got {out})")
    method = load(run).load_method(raw=raw, best=best, device=choose_device(device))
    restores = restoration_of(method, task)
    method = method if interpolation is None else interpolated(method, interpolation)
    if method.loaded_from is not None:
        given_mask = None if mask is None else mask.name
        method.loaded_from = method.loaded_from.with_options(interpolation=interpolation, mask=given_mask)
    if mask is not None and restores.degradation != "holes":
        raise UsageError(
            f"--mask is for inpainting, and this run of {method.name} can {RESTORING_NAMES[restores.degradation]}"
        )
    if mask is None and restores.degradation == "holes":
        raise UsageError(
            "inpainting needs --mask MASK.png, of the size of the image and white where pixels are missing"
        )
    if n > 1 and not restores.answers:
        raise UsageError(f"{method.name} gives one result per image: omit --n")
    endings = [".png"] if n == 1 else [f"-seed{seed + number:06d}.png" for number in range(n)]
    planned = plan(images, out, [*endings, *([COMPARISON_SUFFIX] if grids else [])])
    masks = masks_for([name for name, _, _ in planned], mask)
    done: list[JsonObject] = []
    problems: list[str] = []
    for name, read, place in planned:
        try:
            holes = None if masks is None else masks(name)
            done.append(_restored(method, name, read(), holes, place, endings, seed=seed, grids=grids))
        except DataError as error:
            problems.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        if not json:
            typer.echo(f"{name} -> {', '.join(done[-1]['files'])}")
    if json:
        write_json({"task": RESTORING_NAMES[restores.degradation], "restored": done, "problems": problems})
    if problems:
        if len(planned) == 1:
            raise DataError(problems[0])
        raise DataError("\n  ".join([f"{len(problems)} of {len(planned)} images failed:", *problems]))


def plan(
    images: list[Path], out: Path, endings: Sequence[str] = (".png",)
) -> list[tuple[str, Callable[[], Photo], Path]]:
    """(name, function that reads it, path of its results without `endings`) of each image.

    UsageError if two results would have the same path, or one would overwrite an original."""
    from ganvas.data.photo import find_photos
    from ganvas.errors import UsageError

    planned: list[tuple[str, Callable[[], Photo], Path]] = []
    taken: dict[Path, str] = {}
    every = [(path, find_photos(path)) for path in images]
    originals = {(path / name if path.is_dir() else path).resolve() for path, photos in every for name, _ in photos}
    for _, photos in every:
        for name, read in photos:
            place = out / Path(name).with_suffix("")
            for result in (place.with_name(place.name + ending) for ending in endings):
                if result in taken:
                    raise UsageError(
                        f"{taken[result]} and {name} would both be written to {result}: restore them into two folders"
                    )
                if result.resolve() in originals:
                    raise UsageError(f"the result of {name} would overwrite {result}: choose another --out")
                taken[result] = name
            planned.append((name, read, place))
    return planned


def masks_for(names: list[str], mask: Path | None) -> Callable[[str], np.ndarray] | None:
    """A function from an image's name to its mask: always the one file, or the file of that stem in the folder.

    DataError if a mask is missing."""
    from ganvas.data.layout import normal
    from ganvas.data.photo import find_photos, read_photo
    from ganvas.errors import DataError
    from ganvas.tasks.restore import as_mask

    if mask is None:
        return None
    if not mask.is_dir():
        only = as_mask(read_photo(mask), f"the mask {mask}")
        return lambda name: only
    readers = {Path(normal(name)).with_suffix(""): read for name, read in find_photos(mask)}
    missing = [name for name in names if Path(normal(name)).with_suffix("") not in readers]
    if missing:
        raise DataError(f"there is no mask for {missing[0]} in {mask}: each mask needs the name of its image")
    return lambda name: as_mask(readers[Path(normal(name)).with_suffix("")](), f"the mask of {name} in {mask}")


def _restored(
    method: Method, name: str, photo: Photo, holes: np.ndarray | None, place: Path, endings: Sequence[str], *, seed: int,
    grids: bool,
) -> JsonObject:  # fmt: skip
    """Writes the results of one image; returns what --json prints of it."""
    from ganvas.data import write_png
    from ganvas.data.photo import write_photo
    from ganvas.tasks.restore import comparison_image, restore

    results = restore(method, photo, holes, n=len(endings), seed=seed)
    files = [place.with_name(place.name + ending) for ending in endings]
    for file, result in zip(files, results, strict=True):
        write_photo(file, result)
    report: JsonObject = {"image": name, "files": [str(file) for file in files], "size": list(results[0].size)}
    if grids:
        beside = place.with_name(place.name + COMPARISON_SUFFIX)
        write_png(beside, comparison_image(photo, results, holes), results[0].provenance)
        report["grid"] = str(beside)
    return report
