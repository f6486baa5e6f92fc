"""Which held-out images a measure takes that compares image by image: some hundred, spread evenly over the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganvas.errors import DataError

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_HELD_OUT_PIXELS = 4_000_000  # at most, in all of them


def held_out_images(data: Dataset, most: int, purpose: str) -> tuple[Dataset, np.ndarray]:
    """The test split, and indices (n,) of at most `most` of its images. DataError, naming the `purpose`, without a test split."""
    held_out = data.part("test")
    if held_out is None or not len(held_out):
        raise DataError(f"{data.name} has no test split to {purpose}: raise data.holdout")
    count = min(len(held_out), most, max(1, MAX_HELD_OUT_PIXELS // (data.spec.height * data.spec.width)))
    return held_out, np.linspace(0, len(held_out) - 1, count).round().astype(np.int64)
