"""`ganvas translate`: images into another kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".npz", ".npy")


def translate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run of a method that translates: pix2pix, cyclegan.")],
    images: Annotated[
        Path, typer.Argument(metavar="PATH", help="An image, a folder or zip of images of any size, or an .npz.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for the results, NAME.png each.")],
    direction: Annotated[
        str,
        typer.Option(
            metavar="ab|ba",
            help="ab: from the images that RUN was trained on to their partners. ba: back, by cyclegan.",
        ),
    ] = "ab",
    raw: Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Turn images into another kind with a trained run: labels into photos, sketches into images, one style into another.

    Results are PNG files of the size of the originals, with their alpha and EXIF; of an .npz, one .npz with `images`. Networks
    look at pixels: what they were trained on at 64 x 64 they know at that scale. Large images pass in overlapping tiles.
    """
    from ganvas.cli.output import write_json
    from ganvas.errors import DataError, UsageError
    from ganvas.registry import create
    from ganvas.run import load
    from ganvas.tasks import translate as translating
    from ganvas.training.engine import choose_device

    if out.is_file() or out.suffix.lower() in FILES:
        raise UsageError(f"--out takes a folder (got {out})")
    opened, chosen = load(run), choose_device(device)
    translating.translator(create(opened.info["method"], None, opened.info["settings"]), direction)

    def translated(images: Any) -> Any:
        return opened.translate(images, direction, raw=raw, best=best, device=chosen)

    done: list[dict[str, Any]] = []
    problems: list[str] = []
    if images.suffix.lower() in (".npz", ".npy"):
        done.append(_array(translated, images, out))
    else:
        _photos(translated, images, out, done, problems)
    if json:
        write_json({"direction": direction, "translated": done, "problems": problems})
    else:
        for one in done:
            typer.echo(f"{one['image']} -> {one['file']}")
    if problems:
        head = f"{len(problems)} of {len(problems) + len(done)} images failed:"
        raise DataError(problems[0] if len(problems) == 1 and not done else "\n  ".join([head, *problems]))


def _photos(
    translated: Callable[[Any], Any], images: Path, out: Path, done: list[dict[str, Any]], problems: list[str]
) -> None:
    """Each image by itself: one that cannot be read stops no other."""
    from ganvas.data.photo import find_photos, write_photo
    from ganvas.errors import DataError, UsageError

    taken: dict[Path, str] = {}
    found = find_photos(images)
    for name, _ in found:
        place = out / Path(name).with_suffix(".png")
        if place in taken:
            raise UsageError(f"{taken[place]} and {name} would both become {place}: translate them into two folders")
        taken[place] = name
        original = images / name if images.is_dir() else images
        if place.resolve() == original.resolve():
            raise UsageError(f"the result of {name} would overwrite it: choose another --out")
    for (name, read), place in zip(found, taken, strict=True):
        try:
            made = translated(read())
        except DataError as error:
            problems.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        write_photo(place, made)
        done.append({"image": name, "file": str(place), "size": list(made.size)})


def _array(translated: Callable[[Any], Any], path: Path, out: Path) -> dict[str, Any]:
    import numpy as np

    from ganvas.data.arrays import ordered_images
    from ganvas.files import write_aside

    made = translated(ordered_images(path))
    place = out / f"{path.stem}.npz"
    write_aside(place, lambda file: np.savez_compressed(file, images=made))
    return {"image": path.name, "file": str(place), "size": list(made.shape[1:3]), "count": len(made)}
