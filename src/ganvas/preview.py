"""What a method generates, as one image grid: what a training shows every so often."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Demonstrates, Samples, Translates, translated_rows
from ganvas.data import Dataset, DataSpec, media
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.data.image_grid import bounded_grid, tile_factor
from ganvas.data.kinds import KINDS
from ganvas.data.kinds.parallel_text import pairs_of, texts_of_rows
from ganvas.method import Method
from ganvas.sampling import sample, to_uint8

PREVIEW_SAMPLES = 64  # of the seeds 0, 1, ...
MAX_PREVIEW_PIXELS = 2**20  # of a grid, whatever the size of the images: ...
MIN_SAMPLES = 16  # ... so many samples at least are shown, reduced where they are too large
GIVEN_IMAGES = 16  # images of the test split, the first ones, for a method that works on given images
SHOWN_SENTENCES = 16  # of the test split, the first ones, for a method that translates texts
GRID_COLUMNS = 8  # images beside each other, where the images of a row belong together


@torch.no_grad()
def preview(method: Method, data: Dataset) -> tuple[Any, np.ndarray | None]:
    """(samples, image grid) of the same seeds and the same images at each call.

    Samples are in their final form (images uint8, clips int16, texts; translations with source and reference); None for a method
    that does not sample. The grid is
    uint8 (H, W, C), of the samples or of what the method makes of given images; None where there is nothing to see.
    """
    if isinstance(method, Samples):
        samples = media.finished(sample(method, PREVIEW_SAMPLES, 0), data.spec)
        if data.kind.is_image:
            return samples, bounded_grid(samples[: _count_shown(data.spec)], MAX_PREVIEW_PIXELS)
        return samples, media.image_grid(samples, data.spec)
    if isinstance(method, Translates) and not data.kind.is_image:
        return shown_translations(method, data), None
    if isinstance(method, Demonstrates):
        batch = shown_batch(data, GIVEN_IMAGES, method.device)
        return None, grid_of_rows(method.rows(batch))
    return None, None


def shown_translations(method: Translates, data: Dataset) -> list[str]:
    """Three lines for each of the first sentences of the test split: the source, its translation, the true one."""
    split = data.part("test") or data
    made = translated_rows(method, split.examples[:SHOWN_SENTENCES], data.spec.text.first)
    shown: list[str] = []
    for pair, text in zip(pairs_of(split.first(SHOWN_SENTENCES)), texts_of_rows(made, data.spec.text), strict=True):
        shown.append("\n".join([f"source     {pair[0]}", f"translated {text}", f"reference  {pair[1]}"]))
    return shown


def _count_shown(spec: DataSpec) -> int:
    """How many of the samples a grid has room for."""
    return max(MIN_SAMPLES, min(PREVIEW_SAMPLES, MAX_PREVIEW_PIXELS // (spec.height * spec.width)))


def tile_size(method: Method) -> tuple[int, int]:
    """(height, width) of one image in the grid of `preview`."""
    spec = method.spec
    height, width = media.tile_size(spec)
    if not KINDS[spec.kind].is_image:
        return height, width
    count, pixels = GIVEN_IMAGES, MAX_PREVIEW_PIXELS // 4
    if isinstance(method, Samples):
        count, pixels = _count_shown(spec), MAX_PREVIEW_PIXELS
    factor = tile_factor(height, width, count, pixels)
    return max(1, height // factor), max(1, width // factor)


def grid_of_rows(rows: Tensor) -> np.ndarray:
    """uint8 (H, W, C) of rows (n, k, C, H, W) in [-1, 1]: the k images of a row beside each other."""
    n, k = rows.shape[:2]
    columns = max(1, GRID_COLUMNS // k) * k
    return bounded_grid(to_uint8(rows.reshape(n * k, *rows.shape[2:])), k * MAX_PREVIEW_PIXELS // 4, columns=columns)


def shown_batch(data: Dataset, count: int, device: torch.device) -> Batch:
    """The first `count` images of the test split; of the training split where there is none, or where it has no partners."""
    split = data.part("test")
    if split is None or (split.partners is None) != (data.partners is None):
        split = data
    return examples_of(split, np.arange(min(count, len(split))), device=device, seed=0)
