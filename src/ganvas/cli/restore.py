"""`ganvas restore`: photos in, restored photos out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli import completion, exported
from ganvas.cli.options import BestOption, DeviceOption, JsonOption, PngFolder, RawOption
from ganvas.cli.planned import masks_for, plan
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from collections.abc import Sequence

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
            help="A run of a method that restores, such as denoise, srgan or inpaint, or a file of `ganvas export`.",
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
    from ganvas.errors import UsageError

    if out.is_file() or out.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".zip"):
        raise UsageError(f"--out takes a folder (got {out})")
    if exported.is_exported(run):
        refused = {
            "--task": task != "auto", "--n": n > 1, "--interpolation": interpolation is not None, "--raw": raw, "--best": best,
        }  # fmt: skip
        exported.restore(run, images, out, mask, refused, json=json)
        return
    from ganvas.cli.output import write_json
    from ganvas.device import choose_device
    from ganvas.errors import DataError
    from ganvas.run import load
    from ganvas.tasks.restore import RESTORING_NAMES, interpolated, restoration_of

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
