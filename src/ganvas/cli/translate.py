"""`ganvas translate`: images from one domain to another, texts from one language to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli import completion, exported
from ganvas.cli.options import BestOption, DeviceOption, JsonOption, RawOption
from ganvas.data.file_kinds import TEXTS
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from ganvas.run import Run

MAX_PATH = 1024  # characters: a longer argument is a text
MAX_FILE_BYTES = 64 * 2**20
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
        str,
        typer.Argument(
            metavar="PATH|TEXT",
            help="An image, a folder or zip of images of any size, or an .npz. For a run of parallel text a text, or a .txt file "
            "of which each line is translated.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PLACE",
            help="A folder for PNG files, made if need be, which images need; a file for texts (default: the terminal).",
        ),
    ] = None,
    direction: Annotated[
        str,
        typer.Option(
            metavar="ab|ba",
            help="ab: from the images that RUN was trained on to their partners. ba: the reverse, for cyclegan.",
        ),
    ] = "ab",
    beam: Annotated[
        int | None, typer.Option(min=1, help="Texts: beginnings that beam search keeps; 1 is the quickest.")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(min=0, max=4, help="Texts: exponent by which longer translations are preferred.")
    ] = None,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory",
            help="Texts: take the translation of the most similar training source where that is the surer one; needs the data of "
            "the training.",
        ),
    ] = False,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Translate images or texts with a trained run: label maps to photos, one style to another, sentences to another language.

    Results are PNG files of the size of the originals, with their alpha and EXIF; for an .npz, one .npz with `images`. Networks
    work best at the scale that they were trained at. Large images are processed in overlapping tiles. A text is translated
    line by line.
    """
    from ganvas.cli.output import write_json
    from ganvas.errors import DataError, UsageError

    settings = {"beam": beam, "length_penalty": length_penalty}
    given = {name: value for name, value in settings.items() if value is not None}
    if not exported.is_exported(run):
        from ganvas.data.kinds import KINDS
        from ganvas.run import load

        opened = load(run)
        if KINDS[opened.spec.kind].is_parallel:
            _texts(opened, images, out, direction, given, memory, raw, best, device, json=json)
            return
    of_texts = [*given, *(["memory"] if memory else [])]
    if of_texts:
        raise UsageError(f"--{of_texts[0].replace('_', '-')} is for runs of parallel text: omit it")
    if out is None:
        raise UsageError("--out is missing: name a folder for the translated images")
    place = Path(images)
    if out.is_file() or out.suffix.lower() in OUTPUT_SUFFIXES:
        raise UsageError(f"--out takes a folder (got {out})")
    if exported.is_exported(run):
        translate_one = exported.translator(run, direction, {"--raw": raw, "--best": best})
    else:
        translate_one = _by_run(run, direction, raw, best, device)
    done: list[JsonObject] = []
    problems: list[str] = []
    if place.suffix.lower() in (".npz", ".npy"):
        done.append(_array(translate_one, place, out))
    else:
        _photos(translate_one, place, out, done, problems)
    if json:
        write_json({"direction": direction, "translated": done, "problems": problems})
    else:
        for one in done:
            typer.echo(f"{one['image']} -> {one['file']}")
    if problems:
        head = f"{len(problems)} of {len(problems) + len(done)} images failed:"
        raise DataError(problems[0] if len(problems) == 1 and not done else "\n  ".join([head, *problems]))


def _texts(
    run: Run, given: str, out: Path | None, direction: str, settings: dict[str, object], memory: bool, raw: bool, best: bool,
    device: str, *, json: bool,
) -> None:  # fmt: skip
    """Translates a text, or each line of a file, and writes it into `out` or onto the terminal."""
    from ganvas.cli.output import write_json
    from ganvas.data.kinds.parallel_text import pairs_of
    from ganvas.data.text import bytes_of, decoded
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.files import write_text
    from ganvas.tasks.translate import translator
    from ganvas.tasks.translate_text import translate_texts

    path, where = Path(given), "the text"
    text = given
    if len(given) < MAX_PATH and path.is_file():
        text, where = decoded(bytes_of(path, MAX_FILE_BYTES), given)[0], given
    elif path.suffix.lower() in TEXTS and " " not in given:
        raise UsageError(f"there is no file {given}")
    if out is not None and (out.is_dir() or (path.is_file() and out.resolve() == path.resolve())):
        raise UsageError(f"--out takes a file of its own for the translation (got {out})")
    ends = text.endswith("\n")
    method = run.load_method(raw=raw, best=best, device=choose_device(device), settings=settings)
    translator(method, direction)
    known = pairs_of(run.open_data()) if memory else None
    translation = translate_texts(method, [text.removesuffix("\n")], where, known)[0]
    if out is not None:
        write_text(out, translation + "\n" * ends)
    if json:
        lines = {"text": translation} if out is None else {"file": str(out)}
        write_json({"direction": direction, "translated": [lines], "problems": []})
    elif out is None:
        typer.echo(translation)
    else:
        typer.echo(f"{translation.count(chr(10)) + 1} lines written to {out}")


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
