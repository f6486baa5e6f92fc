"""Masks from images: what is missing, or where a style applies."""

from __future__ import annotations

import warnings

import numpy as np

from ganvas.data.photo import Photo
from ganvas.errors import DataError, GanvasWarning

MASK_THRESHOLD = 0.5  # a mask marks what is lighter


def as_mask(photo: Photo, name: str = "the mask") -> np.ndarray:
    """A mask (H, W) bool from an image: True where it is lighter than middle grey and not transparent. DataError if that is
    nowhere; GanvasWarning if its alpha looks inverted."""
    return mask_from(photo, name) > 0.5


def mask_from(photo: Photo, name: str = "the mask") -> np.ndarray:
    """A mask (H, W) in [0, 1] from an image: 1 where it is white, 0 where it is black or transparent.

    DataError for a mask without a pixel lighter than middle grey, such as one of the values 0 and 1. GanvasWarning for a mask
    that is transparent in a hole and white all around it: some programs mark what is missing in that way.
    """
    white = (photo.pixels.mean(0) + 1) / 2
    mask = white if photo.alpha is None else white * photo.alpha
    lightest = float(mask.max())
    if lightest <= MASK_THRESHOLD:
        raise DataError(
            f"{name} marks nothing: its lightest pixel has the value {_level(lightest, photo.depth)}, and a mask is white"
            f" ({_level(1.0, photo.depth)}) where it applies. Masks of 0 and 1, or in the colours of classes, must be made black"
            " and white first"
        )
    if photo.alpha is not None and _is_inverted(mask > MASK_THRESHOLD, photo.alpha):
        warnings.warn(
            f"{name} is white and opaque but for a transparent hole, so all but the hole is marked. Where the hole is meant:"
            " make it white and the rest black",
            GanvasWarning,
            stacklevel=3,
        )
    return mask


def _level(share: float, depth: int) -> str:
    """ "1 of 255" """
    top = 2**depth - 1
    return f"{round(share * top)} of {top}"


def _is_inverted(marked: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether a mask marks every opaque pixel, which are more than half of all, and leaves the transparent ones only."""
    opaque = alpha > MASK_THRESHOLD
    return bool(np.array_equal(marked, opaque)) and 0.5 < opaque.mean() < 1
