"""Batches of a data set, whatever its kind: endless ones for training, and those of given examples."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch

from ganvas.data.batch import Batch
from ganvas.data.dataset import Dataset
from ganvas.data.kinds.feeds import Feed, FeedOptions

__all__ = ["Feed", "count_examples", "examples_of", "make_feed"]


def make_feed(data: Dataset, *, batch_size: int, window: int = 0, **more: Unpack[FeedOptions]) -> Feed:
    """The feed for this kind of data; `more` as in FeedOptions. `window` is for text: tokens that a row predicts."""
    return data.kind.feed(data, batch_size=batch_size, window=window, **more)


def examples_of(
    data: Dataset, rows: np.ndarray, window: int = 0, device: torch.device | str = "cpu", seed: int | None = None
) -> Batch:
    """Those examples of a split as a batch; its random numbers are those of `seed`, on `device` (None: PyTorch's own). Of
    text, example i is the window + 1 tokens from i * window on."""
    batch = data.kind.batch(data, rows, window, device)
    if seed is not None:
        batch.generator = torch.Generator(device).manual_seed(seed)
    return batch


def count_examples(data: Dataset, window: int = 0) -> int:
    """How many `examples_of` can give."""
    return data.kind.count(data, window)
