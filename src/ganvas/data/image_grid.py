"""Many images in one."""

from __future__ import annotations

import math

import numpy as np

from ganvas.data.image import viewable

GRID_GAP = 2  # white pixels between the images of a grid
MAX_GRID_PIXELS = 2**24  # pixels of a grid that somebody asked for; more images, or larger ones, are reduced


def grid(images: np.ndarray, columns: int | None = None, gap: int = GRID_GAP) -> np.ndarray:
    """One image (H, W, C) of many (N, H, W, C) uint8, row by row, `gap` white pixels between them.

    1, 3 and 4 channels stay as they are. Two channels become three: the first shows as red, the second as cyan, so
    that equal values are grey. Of five and more the first three show. `columns` is the square root of N, rounded
    up, where not given.
    """
    images = viewable(np.asarray(images))
    count, height, width, channels = images.shape
    if count == 0:
        raise ValueError("a grid needs one image at least")
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def bounded_grid(images: np.ndarray, pixels: int = MAX_GRID_PIXELS, columns: int | None = None) -> np.ndarray:
    """`grid` of about so many pixels at most: larger images are reduced, all by the same whole factor."""
    images = viewable(np.asarray(images))
    factor = tile_factor(images.shape[1], images.shape[2], len(images), pixels)
    if factor > 1:
        images = np.stack([_reduced(image, factor) for image in images])
    return grid(images, columns)


def tile_factor(height: int, width: int, count: int, pixels: int) -> int:
    """By what `bounded_grid` divides the sides of `count` images."""
    return max(1, math.ceil(math.sqrt(count * height * width / pixels)))


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """The mean of each square of `factor` x `factor` pixels; what is left over at the edges is cut. Sides that are shorter than
    the factor become one pixel."""
    height, width, channels = image.shape
    down, across = min(factor, height), min(factor, width)
    cut = image[: height // down * down, : width // across * across]
    squares = cut.reshape(height // down, down, width // across, across, channels)
    return np.rint(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
