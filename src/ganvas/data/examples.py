"""A grid: the first examples of a data set in one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganvas.data.image_grid import grid

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset


def example_grid(dataset: Dataset, columns: int = 12, rows: int = 10, gap: int = 2) -> np.ndarray:
    """The first images of a data set, or spectrograms of its clips, (H, W, C): one class a row where there are labels, at most
    `rows` classes evenly chosen; with partners, each image beside its own (or beside any, where they are a set apart)."""
    places: list[int | None] = []  # None: an empty place
    if dataset.labels is None or len(dataset.spec.classes) < 2:
        places += range(min(len(dataset), columns * rows))
    else:
        count = len(dataset.spec.classes)
        for label in np.linspace(0, count - 1, min(rows, count)).astype(int):
            row = np.flatnonzero(dataset.labels == label)[:columns].tolist()
            places += row
            if rows > 1:  # a class with few images leaves the rest of its row empty
                places += [None] * (columns - len(row))
    empty = np.full_like(dataset.kind.tile(dataset, 0, gap), 255)
    tiles: list[np.ndarray] = []
    for index in places:
        tiles.append(empty if index is None else dataset.kind.tile(dataset, index, gap))
    return grid(np.stack(tiles), columns=columns, gap=gap)
