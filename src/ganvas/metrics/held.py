"""Which held-out images a measure of whole images looks at: some hundred, spread evenly over the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganvas.errors import DataError

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

PIXELS = 4_000_000  # at most, in all of them


def held_out(data: Dataset, most: int, purpose: str) -> tuple[Dataset, np.ndarray]:
    """The test split and the places (n,) in it of `most` images or fewer; DataError, saying for what `purpose`, without one."""
    held = data.part("test")
    if held is None or not len(held):
        raise DataError(f"{data.name} has no test split to {purpose}: raise data.holdout")
    count = min(len(held), most, max(1, PIXELS // (data.spec.height * data.spec.width)))
    return held, np.linspace(0, len(held) - 1, count).round().astype(np.int64)
