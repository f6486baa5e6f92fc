"""Many images on one sheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ganvas.data.image import viewable
from ganvas.data.spectrogram import spectrogram

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset


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
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def contact_sheet(dataset: Dataset, columns: int = 12, rows: int = 10, gap: int = 2) -> np.ndarray:
    """The first images of a data set, or spectrograms of its clips, (H, W, C): one class a row where there are labels, at most
    `rows` classes evenly chosen; with partners, each image beside its own (or beside any, where they are a set apart)."""
    if dataset.labels is None or len(dataset.spec.classes) < 2:
        chosen = [list(range(min(len(dataset), columns * rows)))]
    else:
        count = len(dataset.spec.classes)
        classes = np.linspace(0, count - 1, min(rows, count)).astype(int)
        chosen = [np.flatnonzero(dataset.labels == label)[:columns].tolist() for label in classes]
    tiles = [_tile(dataset, index, gap) for line in chosen for index in _filled(line, columns, alone=len(chosen) == 1)]
    return grid(np.stack(tiles), columns=columns, gap=gap)


def _filled(line: list[int], columns: int, *, alone: bool) -> list[int | None]:
    """A class with few images leaves the rest of its row empty."""
    return [*line] if alone else [*line, *[None] * (columns - len(line))]


def _tile(dataset: Dataset, index: int | None, gap: int) -> np.ndarray:
    if index is None:
        return np.full_like(_tile(dataset, 0, gap), 255)
    if dataset.spec.kind == "audio":
        return spectrogram(dataset.examples[index])
    height = dataset.images.shape[1]
    pair = [dataset.images] if dataset.partners is None else [dataset.images, dataset.partners]
    shown = [viewable(np.asarray(images[index % len(images)])) for images in pair]
    between = np.full((height, gap, shown[0].shape[-1]), 255, dtype=np.uint8)
    return shown[0] if len(shown) == 1 else np.concatenate([shown[0], between, shown[1]], axis=1)
