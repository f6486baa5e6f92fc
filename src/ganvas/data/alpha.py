"""Images with alpha: what a network gets of them, and the alpha put back on what it returns.

A network without a channel for alpha gets the image as it looks on a background, that of the run's training, so that colours
hidden under alpha 0 reach no visible pixel. The result gets the alpha of the original and colours for which it looks, on that
same background, as the network returned it: with m = a c + (1 - a) b ("over", Porter and Duff 1984), c = (m - (1 - a) b) / a.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ganvas.data.photo import Photo
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError

BACKGROUND_LEVELS = {"white": 1.0, "black": -1.0, "keep": 1.0}
"""The background in [-1, 1] by the setting data.alpha; with keep, the colour of pixels that are wholly transparent."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A photo for a network, and the way back. `photo` is what the network gets; `finished` turns its result into what is
    written."""

    original: Photo
    background: np.ndarray | float
    """(C, 1, 1) or a single number, in [-1, 1]."""
    photo: Photo
    """Without alpha, on the background; for networks of four channels with its alpha, white where that is 0."""

    def finished(self, result: Photo) -> Photo:
        """`result` of the network, of the size of `photo` or an integer multiple of it, with the alpha of the original, or its
        own where the network has a channel for alpha. Unchanged pixels have the original's colours to the bit."""
        if self.original.alpha is None:
            return result
        same_size = result.size == self.original.size
        alpha, pixels = result.alpha, result.pixels
        if alpha is None:
            alpha = self.original.alpha
            if not same_size:
                scale = result.size[0] // self.original.size[0]
                alpha = _enlarged(alpha, scale)
            pixels = unmixed(pixels, alpha, self.background)
        if same_size and len(pixels) == len(self.original.pixels):
            unchanged = (result.pixels == self.photo.pixels) & ((self.original.alpha > 0) | (alpha == 0))
            pixels = np.where(unchanged, self.original.pixels, pixels)
        return dataclasses.replace(result, pixels=pixels, alpha=alpha)


def prepared(photo: Photo, spec: DataSpec) -> Prepared:
    """For a network that was trained on the data of `spec`."""
    background = BACKGROUND_LEVELS[spec.alpha]
    if photo.alpha is None:
        return Prepared(photo, background, photo)
    if spec.channels == 4:
        pixels = np.where(photo.alpha > 0, photo.pixels, BACKGROUND_LEVELS["keep"]).astype(np.float32)
        return Prepared(photo, background, dataclasses.replace(photo, pixels=pixels))
    return Prepared(photo, background, _over(photo, background))


def prepared_on_mean(photo: Photo, name: str = "the image") -> Prepared:
    """On the mean colour of what is visible, where there is no training to ask. DataError where nothing is visible."""
    background = mean_colour(photo, name)
    return Prepared(photo, background, _over(photo, background))


def _over(photo: Photo, background: np.ndarray | float) -> Photo:
    if photo.alpha is None:
        return photo
    return dataclasses.replace(photo, pixels=mixed(photo.pixels, photo.alpha, background), alpha=None)


def _enlarged(alpha: np.ndarray, scale: int) -> np.ndarray:
    """Alpha (H, W) in [0, 1] at `scale` times the size, bicubic."""
    from PIL import Image

    size = (alpha.shape[1] * scale, alpha.shape[0] * scale)
    return np.clip(np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC)), 0, 1)


def mixed(colours: np.ndarray, alpha: np.ndarray, background: np.ndarray | float) -> np.ndarray:
    """Colours (..., C, H, W) in [-1, 1] with `alpha` in [0, 1], broadcast to them, over a background: float32, opaque."""
    return np.asarray(alpha * colours + (1 - alpha) * background, np.float32)


def unmixed(result: np.ndarray, alpha: np.ndarray, background: np.ndarray | float) -> np.ndarray:
    """The colours in [-1, 1] of which `mixed` makes `result`, or the nearest there are; `result` itself where alpha is 0."""
    visible = alpha > 0
    colours = (result - (1 - alpha) * background) / np.where(visible, alpha, 1)
    return np.where(visible, np.clip(colours, -1, 1), result).astype(np.float32)


def opacity(alpha: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W, 1) as (n, 1, H, W) in [0, 1]."""
    return np.moveaxis(alpha, 3, 1).astype(np.float32) / 255


def mean_colour(photo: Photo, name: str = "the image") -> np.ndarray:
    """(C, 1, 1), the mean of a photo's colours weighted by alpha. DataError for a photo without a visible pixel."""
    if photo.alpha is None:
        return photo.pixels.mean((1, 2), keepdims=True)
    visible = photo.alpha.sum()
    if visible == 0:
        raise DataError(f"{name} is wholly transparent: give an image with visible pixels")
    return (photo.pixels * photo.alpha).sum((1, 2), keepdims=True) / visible
