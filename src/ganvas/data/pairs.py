"""Pairs out of single images: two halves of one, or an image and the drawing of its edges.

Of each pair the input comes first (A: `images`) and the target second (B: `partners`).
"""

from __future__ import annotations

import numpy as np

from ganvas.data.image import LUMA
from ganvas.errors import DataError

PAIR_LAYOUTS = ("left_right", "right_left")  # of data.pairs: where the input is, where the target
PAPER, INK = 255, 0
STRONG, WEAK = (
    24.0,
    10.0,
)  # bytes a pixel: an edge begins where the image rises so fast, and continues down to the second
MAX_EDGE_GAP = 4  # pixels that a weak edge may lead away from a strong one


def halved(images: np.ndarray, how: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Input and target (..., H, W / 2, C) of images (..., H, W, C) that hold both side by side.

    DataError names `where` if the width is odd.
    """
    width = images.shape[-2]
    if width < 2 or width % 2:
        raise DataError(f"{where} has images {width} pixels wide, which have no two equal halves (data.pairs={how})")
    left, right = images[..., : width // 2, :], images[..., width // 2 :, :]
    return (left, right) if how == "left_right" else (right, left)


def scribbles(images: np.ndarray) -> np.ndarray:
    """The edges of images (N, H, W, C) uint8 as thin black lines on white, of the same shape.

    Blur, gradient, thinning and two thresholds (Canny 1986, doi:10.1109/TPAMI.1986.4767851). Of two and of five and more
    channels their mean counts; where a fourth is alpha, what is seen on white does, and the drawing is opaque.
    """
    grey = blurred(_grey(images))
    down, right = gradient(grey)
    steep = np.hypot(down, right)
    ridge = thinned(steep, down, right)
    lines = ridge & (steep >= STRONG)
    weak = ridge & (steep >= WEAK)
    for _ in range(MAX_EDGE_GAP):
        lines = weak & _grown(lines)
    drawn = np.where(lines[..., None], np.uint8(INK), np.uint8(PAPER))
    drawn = np.repeat(drawn, images.shape[-1], axis=-1)
    if images.shape[-1] == 4:
        drawn[..., 3] = 255
    return drawn


def blurred(grey: np.ndarray) -> np.ndarray:
    """(N, H, W) after [1, 2, 1] / 4 in both directions, borders repeated."""
    for axis in (1, 2):
        before, after = _neighbours(grey, axis)
        grey = (before + 2 * grey + after) / 4
    return grey


def gradient(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rise downwards and to the right, bytes a pixel (Sobel: central differences, smoothed across)."""
    found = []
    for along, across in ((1, 2), (2, 1)):
        before, after = _neighbours(grey, along)
        slope = (after - before) / 2
        before, after = _neighbours(slope, across)
        found.append((before + 2 * slope + after) / 4)
    return found[0], found[1]


def thinned(steep: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """True where (N, H, W) is steepest along its own slope: above the pixel before, and not below the one after."""
    padded = np.pad(steep, ((0, 0), (1, 1), (1, 1)))
    height, width = steep.shape[1:]
    angle = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4  # of 45 degrees; opposite slopes are one
    found = np.zeros(steep.shape, dtype=bool)
    for number, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        after = padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        before = padded[:, 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        # Rounding must not decide between two sides of a symmetric ridge: the later one gives way.
        found |= (angle == number) & (steep > before * (1 + 1e-6)) & (steep >= after * (1 - 1e-6))
    return found


def _grey(images: np.ndarray) -> np.ndarray:
    """(N, H, W) float32."""
    values = images.astype(np.float32)
    channels = values.shape[-1]
    if channels == 4:
        share = values[..., 3:] / 255
        values = values[..., :3] * share + 255 * (1 - share)
    if channels in (3, 4):
        return values @ np.array(LUMA, dtype=np.float32)
    return values.mean(axis=-1)


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W) moved by one pixel either way, borders repeated."""
    count = values.shape[axis]
    places = np.arange(count)
    return values.take(np.maximum(places - 1, 0), axis), values.take(np.minimum(places + 1, count - 1), axis)


def _grown(mask: np.ndarray) -> np.ndarray:
    """(N, H, W) with each True spread to its eight neighbours."""
    for axis in (1, 2):
        before, after = _neighbours(mask, axis)
        mask = mask | before | after
    return mask
