"""`ganvas translate`: images from one domain to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli import completion, exported
from ganvas.cli.options import BestOption, DeviceOption, JsonOption, PngFolder, RawOption
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".npz", ".npy")


def translate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run of a method that translates, such as pix2pix or cyclegan, or a file of `ganvas export`.",
        ),
    ],
    images: Annotated[
        Path, typer.Argument(metavar="PATH", help="An image, a folder or zip of images of any size, or an .npz.")
    ],
    out: PngFolder,
    direction: Annotated[
        str,
        typer.Option(
            metavar="ab|ba",
            help="ab: from the images that RUN was trained on to their partners. ba: the reverse, for cyclegan.",
        ),
    ] = "ab",
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Translate images with a trained run: label maps to photos, sketches to photos, one style to another.

    Results are PNG files of the size of the originals, with their alpha and EXIF; for an .npz, one .npz with `images`. Networks
    work best at the scale that they were trained at. Large images are processed in overlapping tiles.
    """
    from ganvas.cli.output import write_json
    from ganvas.errors import DataError, UsageError

    if out.is_file() or out.suffix.lower() in OUTPUT_SUFFIXES:
        raise UsageError(f"--out takes a folder (got {out})")
    if exported.is_exported(run):
        translate_one = exported.translator(run, direction, {"--raw": raw, "--best": best})
    else:
        translate_one = _by_run(run, direction, raw, best, device)
    done: list[JsonObject] = []
    problems: list[str] = []
    if images.suffix.lower() in (".npz", ".npy"):
        done.append(_array(translate_one, images, out))
    else:
        _photos(translate_one, images, out, done, problems)
    if json:
        write_json({"direction": direction, "translated": done, "problems": problems})
    else:
        for one in done:
            typer.echo(f"{one['image']} -> {one['file']}")
    if problems:
        head = f"{len(problems)} of {len(problems) + len(done)} images failed:"
        raise DataError(problems[0] if len(problems) == 1 and not done else "\n  ".join([head, *problems]))


def _by_run(run: Path, direction: str, raw: bool, best: bool, device: str) -> Callable[[Any], Any]:
    from ganvas.device import choose_device
    from ganvas.registry import create
    from ganvas.run import load
    from ganvas.tasks.translate import translator

    opened, chosen = load(run), choose_device(device)
    translator(create(opened.info["method"], None, opened.info["settings"]), direction)
    return lambda images: opened.translate(images, direction, raw=raw, best=best, device=chosen)


def _photos(
    translate_one: Callable[[Any], Any], images: Path, out: Path, done: list[JsonObject], problems: list[str]
) -> None:
    """Translates image by image; one that cannot be read is added to `problems` and the others go on."""
    from ganvas.data.photo import find_photos, write_photo
    from ganvas.errors import DataError, UsageError

    # Check all output paths before anything is written.
    photos = find_photos(images)
    taken: dict[Path, str] = {}
    for name, _ in photos:
        place = out / Path(name).with_suffix(".png")
        if place in taken:
            raise UsageError(
                f"{taken[place]} and {name} would both be written to {place}: translate them into two folders"
            )
        taken[place] = name
        original = images / name if images.is_dir() else images
        if place.resolve() == original.resolve():
            raise UsageError(f"the result of {name} would overwrite it: choose another --out")
    for (name, read), place in zip(photos, taken, strict=True):
        try:
            result = translate_one(read())
        except DataError as error:
            problems.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        write_photo(place, result)
        done.append({"image": name, "file": str(place), "size": list(result.size)})


def _array(translate_one: Callable[[Any], Any], path: Path, out: Path) -> JsonObject:
    import numpy as np

    from ganvas.data.arrays import ordered_images
    from ganvas.files import write_aside

    results = translate_one(ordered_images(path))
    place = out / f"{path.stem}.npz"
    write_aside(place, lambda file: np.savez_compressed(file, images=results))
    return {"image": path.name, "file": str(place), "size": list(results.shape[1:3]), "count": len(results)}
