"""A style image that is drawn by numbers, for tests and first looks: coloured glass between dark lines."""

from __future__ import annotations

import numpy as np

TILE_COLOURS = (
    (196, 52, 36),
    (232, 168, 44),
    (36, 92, 152),
    (244, 226, 172),
    (40, 128, 104),
    (112, 44, 96),
    (28, 40, 84),
)


def mosaic(side: int = 256, cells: int = 150, seed: int = 0) -> np.ndarray:
    """(side, side, 3) uint8: the cells around random points, each of one colour with a little grain, edges dark."""
    random = np.random.default_rng(seed)
    points = random.uniform(0, side, (cells, 2))
    colours = np.array(TILE_COLOURS, np.float32)[random.integers(0, len(TILE_COLOURS), cells)] + random.normal(
        0, 12, (cells, 3)
    )
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    away = (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2
    nearest = np.argpartition(away, 1, axis=2)[..., :2]
    first, second = np.sort(np.sqrt(np.take_along_axis(away, nearest, 2)), axis=2).transpose(2, 0, 1)
    cell = np.take_along_axis(nearest, np.take_along_axis(away, nearest, 2).argmin(2)[..., None], 2)[..., 0]
    lead = np.clip((second - first) / (side / 80), 0, 1)[..., None]
    grain = random.normal(0, 6, (side, side, 1))
    return np.clip(np.rint((colours[cell] + grain) * lead + 20 * (1 - lead)), 0, 255).astype(np.uint8)
