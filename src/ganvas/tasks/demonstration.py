"""What a method that makes images of images does to a drawn scene: before and after, without any image of its training."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from ganvas.abilities import Restores, Stylises, Translates
from ganvas.data.degrade import downscaled, gaussian_noise, quantised
from ganvas.data.image_grid import grid
from ganvas.data.kinds import KINDS
from ganvas.data.photo import Photo, as_photo
from ganvas.data.scene import scene, waves
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.tasks.restore import comparison_image, restore
from ganvas.tasks.stylise import stylise_with
from ganvas.tasks.translate import translate_photo

SIDE = 128  # pixels of the scene, at least
LARGEST = 256
SIGMA = 25  # levels of the noise
DEGRADED = {
    "noise": f"with Gaussian noise of {SIGMA} of 255 levels",
    "resolution": "made smaller",
    "holes": "with a hole",
}


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """An image of before and after, side by side."""

    image: np.ndarray
    """(H, W, 3) uint8; one row for each direction of a translation."""
    caption: str


def demonstration(method: Method) -> Demonstration | None:
    """None for a method that makes no images of images, or of other channels than files have."""
    spec = method.spec
    if not KINDS[spec.kind].is_image or spec.channels not in (1, 3, 4):
        return None
    if isinstance(method, Translates):
        side = min(LARGEST, max(spec.height, spec.width))
        photo = as_photo(scene(side, side))
        directions = method.directions()
        rows = [comparison_image(photo, [translate_photo(method, photo, direction)]) for direction in directions]
        names = "" if len(directions) == 1 else f", {' and '.join(directions)} from the top"
        return Demonstration(
            grid(np.stack(rows), columns=1), f"Left: a drawn scene, no image of the training. Right: translated{names}."
        )
    if isinstance(method, Restores):
        about = method.restoration()
        if about.answers:
            return None
        photo, mask = _degraded(about.degradation, about.scale)
        image = comparison_image(photo, restore(method, photo, mask), mask)
        return Demonstration(
            image,
            f"Left: a drawn scene, no image of the training, {DEGRADED[about.degradation]}. Right: restored.",
        )
    if isinstance(method, Stylises):
        photo = as_photo(scene(SIDE, SIDE))
        try:
            result, style = stylise_with(method, photo), ""
        except UsageError:  # it takes a style image
            result, style = stylise_with(method, photo, waves(SIDE)), " in the style of a drawn texture"
        image = comparison_image(photo, [result])
        return Demonstration(image, f"Left: a drawn scene, no image of the training. Right: stylised{style}.")
    return None


def _degraded(degradation: str, scale: int) -> tuple[Photo, np.ndarray | None]:
    """The scene with that degradation, and the mask of a hole (H, W) bool."""
    photo = as_photo(scene(SIDE, SIDE))
    pixels = torch.from_numpy(photo.pixels)[None].float()
    if degradation == "holes":
        mask = np.zeros((SIDE, SIDE), bool)
        mask[SIDE * 2 // 5 : SIDE * 3 // 5, SIDE // 2 : SIDE * 4 // 5] = True
        return photo, mask
    if degradation == "noise":
        normal = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
        pixels = gaussian_noise(pixels, normal, SIGMA)
    else:
        pixels = downscaled(pixels, scale)
    return dataclasses.replace(photo, pixels=quantised(pixels)[0].numpy()), None
