"""Photos as inputs of methods with 1, 3 or 4 channels, and masks from images."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from ganvas.data.image import LUMA
from ganvas.data.photo import Photo
from ganvas.errors import DataError, GanvasWarning
from ganvas.method import Method

MASK_THRESHOLD = 0.5  # a mask marks what is lighter


def photo_channels(method: Method, advice: str = "") -> int:
    """The channels that the method was trained on: 1, 3 or 4. DataError, ending in `advice`, for another number."""
    channels = method.spec.channels
    if channels not in (1, 3, 4):
        raise DataError(
            f"this run of {method.name} was trained on {channels} channels, and image files have 1, 3 or 4{advice}"
        )
    return channels


def luma_full(x: Tensor) -> Tensor:
    """Luma (N, 1, H, W) of grey or RGB by the weights of BT.601, in the full range of the values, as in JPEG."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def of_channels(x: Tensor, channels: int, alpha: np.ndarray | None = None) -> Tensor:
    """Grey or RGB (1, C, H, W) as 1, 3 or 4 channels: luma; RGB; RGB and `alpha` (H, W) in [0, 1], opaque if None."""
    if channels == 1:
        return luma_full(x)
    colours = x.expand(-1, 3, -1, -1)
    if channels == 3:
        return colours
    opacity = torch.ones_like(x[:, :1])
    if alpha is not None:
        opacity = torch.from_numpy(alpha).to(x)[None, None] * 2 - 1
    return torch.cat([colours, opacity], 1)


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
