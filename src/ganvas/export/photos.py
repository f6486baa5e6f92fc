"""Photos of any size through an exported model, with their alpha, bit depth, EXIF and colour profile; numpy and Pillow only."""

from __future__ import annotations

import dataclasses

import numpy as np

from ganvas.data.alpha import Prepared, prepared
from ganvas.data.image import LUMA
from ganvas.data.photo import Photo
from ganvas.data.spec import DataSpec
from ganvas.defaults import BORDER_PIXELS
from ganvas.errors import DataError
from ganvas.export.facts import ModelFacts
from ganvas.export.runtime import ExportedModel
from ganvas.provenance import Provenance, Value


def spec_of(facts: ModelFacts) -> DataSpec:
    """What files and photos ask of the data that it was trained on."""
    return DataSpec(
        facts.data, facts.channels, facts.height, facts.width, 0, classes=facts.classes, alpha=facts.alpha
    )  # fmt: skip


def made_by(
    facts: ModelFacts, command: str, *, seed: int | None = None, name: str = "", **options: Value | None
) -> Provenance:
    """What the metadata of an image say that the model made."""
    made = Provenance(
        command, run=facts.run, method=facts.method, weights=facts.weights, seed=seed, inputs=(name,) if name else ()
    )
    return made.with_options(**options)


def translated(model: ExportedModel, photo: Photo) -> Photo:
    """A photo translated as a whole, at its size."""
    facts = model.facts
    ready, image = _ready(model, photo)
    larger = photo.size[0] > facts.height or photo.size[1] > facts.width
    margin = BORDER_PIXELS if larger else 0
    border = [(0, 0), (0, 0), (margin, margin), (margin, margin)]
    result = model.translate(np.pad(image, border, mode="reflect"))
    height, width = photo.size
    result = result[:, :, margin : margin + height, margin : margin + width]
    direction = facts.part.removeprefix("translate_")
    made = made_by(facts, "translate", name=photo.name, direction=direction)
    return _finished(ready, result, len(photo.pixels) == min(facts.channels, 3), made)


def restored(model: ExportedModel, photo: Photo, mask: np.ndarray | None = None) -> Photo:
    """A photo restored as a whole. `mask` (H, W) bool, True where pixels are missing.

    A model of grey images restores the channels of a photo one by one; one of RGB images gives a grey photo as grey.
    """
    facts = model.facts
    if mask is not None and mask.shape != photo.size:
        raise DataError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels and the image {photo.size[0]} x {photo.size[1]}: the sizes"
            " must be equal"
        )
    holes = None if mask is None else mask[None, None].astype(np.float32)
    ready = prepared(photo, spec_of(facts))
    planes = [ready.photo.pixels[None]]
    if facts.channels == 1:
        planes = [ready.photo.pixels[None, number : number + 1] for number in range(len(ready.photo.pixels))]
    results: list[np.ndarray] = []
    for plane in planes:
        given = of_channels(plane, facts.channels, ready.photo.alpha)
        result = model.restore(given, holes)
        results.append(result if holes is None else np.where(holes > 0, result, given))
    whole = np.concatenate(results, 1)
    if len(photo.pixels) == 1 and whole.shape[1] == 3:
        whole = of_channels(whole, 1)
    return _finished(ready, whole, True, made_by(facts, "restore", name=photo.name))


def stylised(model: ExportedModel, photo: Photo, style: Photo | None, strength: float) -> Photo:
    """A photo stylised as a whole, at its size."""
    facts = model.facts
    ready, image = _ready(model, photo)
    painting = None
    if style is not None:
        _, painting = _ready(model, style)
    result = model.stylise(image, painting, strength=strength)
    painted = None if style is None else style.name
    made = made_by(facts, "stylise", name=photo.name, style=painted, strength=strength)
    return _finished(ready, result, len(photo.pixels) == min(facts.channels, 3), made)


def _ready(model: ExportedModel, photo: Photo) -> tuple[Prepared, np.ndarray]:
    facts = model.facts
    if facts.channels not in (1, 3, 4):
        raise DataError(f"{model.name} was trained on {facts.channels} channels, and image files have 1, 3 or 4")
    ready = prepared(photo, spec_of(facts))
    return ready, of_channels(ready.photo.pixels[None], facts.channels, ready.photo.alpha)


def _finished(ready: Prepared, result: np.ndarray, same_colours: bool, made: Provenance) -> Photo:
    pixels, alpha = np.clip(result[0], -1, 1).astype(np.float32), None
    if len(pixels) == 4:
        alpha = (pixels[3] + 1) / 2 if ready.original.alpha is not None else None
        pixels = pixels[:3]
    icc = ready.photo.icc if same_colours else None
    photo = dataclasses.replace(ready.photo, pixels=pixels, alpha=alpha, icc=icc)
    return dataclasses.replace(ready.finished(photo), provenance=made)


def of_channels(images: np.ndarray, channels: int, alpha: np.ndarray | None = None) -> np.ndarray:
    """Grey or RGB (1, C, H, W) as 1, 3 or 4 channels: luma; RGB; RGB and `alpha` (H, W) in [0, 1], opaque if None."""
    if channels == 1:
        if images.shape[1] == 1:
            return images
        weights = np.array(LUMA, np.float32).reshape(1, 3, 1, 1)
        return (images * weights).sum(1, keepdims=True, dtype=np.float32)
    colours = np.repeat(images, 3, 1) if images.shape[1] == 1 else images
    if channels == 3:
        return colours
    opacity = np.ones_like(colours[:, :1])
    if alpha is not None:
        opacity = (alpha[None, None] * 2 - 1).astype(np.float32)
    return np.concatenate([colours, opacity], 1)
