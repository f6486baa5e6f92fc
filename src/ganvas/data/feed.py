"""Batches of a data set, whatever its kind: endless ones for training, and those of given examples."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch

from ganvas.data.batch import Batch
from ganvas.data.dataset import Dataset
from ganvas.data.kinds.feeds import Feed, FeedOptions
from ganvas.data.spec import Window

__all__ = ["Feed", "Window", "count_examples", "examples_of", "make_feed"]

RUNNING = Window()


def make_feed(data: Dataset, *, batch_size: int, window: Window = RUNNING, **more: Unpack[FeedOptions]) -> Feed:
    """The feed for this kind of data; `more` as in FeedOptions. `window` is for text."""
    return data.kind.feed(data, batch_size=batch_size, window=window, **more)


def examples_of(
    data: Dataset,
    rows: np.ndarray,
    window: Window = RUNNING,
    device: torch.device | str = "cpu",
    seed: int | None = None,
) -> Batch:
    """Those examples of a split as a batch; its random numbers are those of `seed`, on `device` (None: PyTorch's own). Of
    text, example i is the tokens of the i-th window, or those from the start of line i on, and the one before them."""
    batch = data.kind.batch(data, rows, window, device)
    if seed is not None:
        batch.generator = torch.Generator(device).manual_seed(seed)
    return batch


def count_examples(data: Dataset, window: Window = RUNNING) -> int:
    """How many `examples_of` can give."""
    return data.kind.count(data, window)
