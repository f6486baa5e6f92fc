"""`ganvas invert`: given images in the latent space of a run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import BestOption, DeviceOption, JsonOption, RawOption, RunArgument
from ganvas.files import JsonObject

if TYPE_CHECKING:
    import numpy as np

    from ganvas.method import Method
    from ganvas.provenance import Provenance
    from ganvas.tasks.editor import Editor
    from ganvas.tasks.invert import Inversion
    from ganvas.tasks.latents import Points

PREVIEW_IMAGES = 16  # images of the preview


def invert(
    run: RunArgument,
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="A photo, a folder or zip of photos, or an .npz of images.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where the points are written.")],
    space: Annotated[
        str, typer.Option(metavar="NAME", help="Latent space: auto, or one that the method has (z, w or w+).")
    ] = "auto",
    steps: Annotated[
        int, typer.Option(help="Steps of optimisation; 0: the encoder's answer, where there is one.")
    ] = 300,
    feature_weight: Annotated[
        float, typer.Option(help="Weight of the feature distance beside the squared difference of pixels.")
    ] = 0.1,
    prior_weight: Annotated[
        float, typer.Option(help="Weight of the distance from the mean point; above 0 it is easier to edit.")
    ] = 0.0,
    reference: Annotated[
        int, typer.Option(help="Generated images that are inverted again, for comparison; 0: none.")
    ] = 16,
    label: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Class of all the images, for a class-conditional method.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Images above their inversions, written anew while the optimisation runs.",
        ),
    ] = None,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Find the points of a latent space whose images are nearest to given ones, for `ganvas edit RUN FILE.npz`.

    The start is the encoder's answer where the method has an encoder, else the nearest of some hundred samples; then the point is
    optimised. Photos of any size are cropped to the training's aspect ratio and resized. Printed are PSNR and feature distance,
    and those of generated images inverted again: what can be expected where an exact answer exists.

    A class-conditional method has to know the class of each image: by --label, by folders named after the classes, or by
    `labels` in the .npz.
    """
    import numpy as np

    from ganvas.cli.opening import progress_of
    from ganvas.cli.output import write_json
    from ganvas.data import grid, write_png
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.files import write_aside
    from ganvas.run import load
    from ganvas.tasks.invert import invert as inverting
    from ganvas.tasks.originals import images_at

    if out.suffix.lower() != ".npz":
        raise UsageError(f"--out takes a FILE.npz (got {out})")
    if preview is not None and preview.suffix.lower() != ".png":
        raise UsageError(f"--preview takes a FILE.png (got {preview})")
    opened = load(run)
    method = opened.load_method(raw=raw, best=best, device=choose_device(device))
    given = images_at(images, method)

    def write_preview(made: np.ndarray, first: int = 0) -> None:
        if preview is not None:
            made = made[:PREVIEW_IMAGES]
            originals = given.images[first : first + len(made)]
            shown = grid(np.concatenate([originals, made]), columns=len(made))
            write_png(preview, shown, method.made("invert", inputs=[images.name], preview=True))

    with progress_of(str(images), title="inverting") as show:

        def told(step: int, total: int, made: np.ndarray, first: int) -> None:
            if show is not None:
                show(step, total)
            write_preview(made, first)

        result = inverting(
            method, given.images, given.labels, space=space, steps=steps, feature_weight=feature_weight,
            prior_weight=prior_weight, reference=reference, label=label, progress=told,
        )  # fmt: skip
    write_preview(result.images)
    content: JsonObject = {
        "codes": result.points.values.numpy(),
        "space": np.array(result.space),
        "weights": np.array(opened.weights_key(raw=raw, best=best)),
        "psnr": result.psnr,
        "feature_distance": result.feature_distance,
        "source": np.array(_path_to_share(images, out)),
        "images": result.images,
    }
    if result.points.labels is not None:
        content["labels"] = result.points.labels.numpy()
    write_aside(out, lambda file: np.savez_compressed(file, **content))
    if json:
        write_json(_facts(result, given.names, out))
        return
    _print(result, out)


def _facts(result: Inversion, names: list[str], out: Path) -> JsonObject:
    each = []
    for name, psnr, distance in zip(names, result.psnr.tolist(), result.feature_distance.tolist(), strict=True):
        each.append({"image": name, "psnr": psnr, "feature_distance": distance})
    return {
        "out": str(out), "space": result.space, "how": result.how, "features": result.features, "images": each,
        "psnr": float(result.psnr.mean()), "feature_distance": float(result.feature_distance.mean()),
        "reference_psnr": result.reference_psnr, "reference_distance": result.reference_distance,
    }  # fmt: skip


def _print(result: Inversion, out: Path) -> None:
    psnr, distance = result.psnr, result.feature_distance
    count = "1 image" if len(psnr) == 1 else f"{len(psnr)} images"
    typer.echo(f"{count} inverted in {result.space} by {result.how}, written to {out}")
    line = f"PSNR {psnr.mean():.1f} dB ({psnr.min():.1f} to {psnr.max():.1f})"
    if result.reference_psnr is not None:
        line += f"; generated images inverted again {result.reference_psnr:.1f} dB"
    typer.echo(line)
    line = f"feature distance [{result.features}] {distance.mean():.4f}"
    if result.reference_distance is not None:
        line += f"; generated images inverted again {result.reference_distance:.4f}"
    typer.echo(line)


# --- images in, images out ----------------------------------------------------------------------------------------------


def points_in_file(path: Path, editor: Editor) -> Points | None:
    """The points in the .npz of `ganvas invert`; None for any other file. UsageError where they are of other weights or of
    another space."""
    import torch

    from ganvas.data.arrays import npz_members
    from ganvas.errors import DataError, UsageError
    from ganvas.tasks.latents import Points

    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    try:
        with npz_members(path) as (shapes, read):
            if not {"codes", "space", "weights"} <= set(shapes):
                return None
            codes, space, weights = read("codes"), str(read("space")), str(read("weights"))
            labels = read("labels") if "labels" in shapes else None
    except DataError:
        return None
    if weights != editor.weights:
        raise UsageError(
            f"{path} was inverted with other weights than those of {editor.folder}: invert the images again"
        )
    expected = tuple(editor.points([0]).values.shape[1:])
    if space != editor.space.name or codes.shape[1:] != expected or codes.dtype.kind != "f" or not len(codes):
        raise UsageError(
            f"{path} holds points of {space}, and this edit is in {editor.space.name}: add --space {space}"
        )
    return Points(torch.from_numpy(codes).float(), None if labels is None else torch.from_numpy(labels).long())


def original_of(path: Path) -> Path | None:
    """Where the originals of given images are: the path itself, or the source that the .npz of `ganvas invert` names; None for
    arrays and where the source is gone."""
    from ganvas.data.arrays import npz_members
    from ganvas.tasks.originals import ARRAY_SUFFIXES

    if path.suffix.lower() not in ARRAY_SUFFIXES:
        return path
    if path.suffix.lower() == ".npz":
        with npz_members(path) as (shapes, read):
            if "source" in shapes and "space" in shapes:
                return _find_source(str(read("source")), path)
    return None


def _path_to_share(images: Path, out: Path) -> str:
    """The images' path, relative to the folder of `out`. Their name alone where the path would show whose folder they lie in:
    people share such files."""
    images, folder = images.resolve(), out.parent.resolve()
    home = Path.home().resolve()
    if images.drive != folder.drive or (images.is_relative_to(home) and not folder.is_relative_to(home)):
        return images.name
    return Path(os.path.relpath(images, folder)).as_posix()


def _find_source(recorded: str, path: Path) -> Path | None:
    """The images that `_path_to_share` recorded in the .npz at `path`; None where they are gone."""
    from ganvas.tasks.originals import ARRAY_SUFFIXES

    source = path.parent / recorded
    if Path(recorded).is_absolute() or not source.exists() or source.suffix.lower() in ARRAY_SUFFIXES:
        return None
    return source


def places_of_edits(out: Path, original: Path | None, count: int) -> list[Path]:
    """The PNG files that `count` edited images go to. UsageError where they would overwrite an original or each other, DataError
    where there are not as many originals."""
    from ganvas.data.photo import find_photos
    from ganvas.errors import DataError, UsageError

    if original is None:
        return [out / f"edited{number:06d}.png" for number in range(count)]
    names = [name for name, _ in find_photos(original)]
    if len(names) != count:
        raise DataError(f"{original} has {len(names)} images, and {count} were inverted: invert them again")
    places = [out / Path(name).with_suffix(".png") for name in names]
    if len(set(places)) < len(places):
        raise UsageError(f"two images of {original} differ in their suffix only: edit them into two folders")
    sources = {(original / name if original.is_dir() else original).resolve() for name in names}
    for name, place in zip(names, places, strict=True):
        if place.resolve() in sources:
            raise UsageError(f"the result of {name} would overwrite an original: choose another --out")
    return places


def write_edited(
    places: Sequence[Path],
    original: Path | None,
    before: np.ndarray,
    after: np.ndarray,
    method: Method,
    made: Provenance,
) -> list[JsonObject]:
    """Writes edited images as the PNG files `places`: over their originals where these are at hand, else at the training's
    size."""
    from ganvas.data import write_png
    from ganvas.data.image import viewable
    from ganvas.data.photo import find_photos, write_photo
    from ganvas.tasks.originals import prepare_photo, write_back

    files: list[JsonObject] = []
    if original is None:
        for number, (place, image) in enumerate(zip(places, viewable(after), strict=True)):
            write_png(place, image, made)
            files.append({"image": f"{number:06d}", "file": str(place), "size": list(image.shape[:2])})
        return files
    for (name, read), place, first, last in zip(find_photos(original), places, before, after, strict=True):
        result = write_back(prepare_photo(method, read()), first, last)
        own = dataclasses.replace(made, inputs=(Path(name).name,))
        write_photo(place, dataclasses.replace(result, provenance=own))
        files.append({"image": name, "file": str(place), "size": list(result.size)})
    return files
