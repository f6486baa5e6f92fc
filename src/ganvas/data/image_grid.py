"""Many images in one."""

from __future__ import annotations

import math

import numpy as np

from ganvas.data.image import viewable


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
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
