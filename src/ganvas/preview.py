"""What a method makes, on one sheet: what a training draws every so often."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Demonstrates, Samples
from ganvas.data import Dataset, grid, media
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.method import Method
from ganvas.sampling import sample, to_uint8

SAMPLES = 64  # new ones on a sheet, of the seeds 0, 1, ...
SHOWN = 16  # given images, the first of the test split
ACROSS = 8  # images beside each other, where each row of them belongs together


@torch.no_grad()
def preview(method: Method, data: Dataset) -> tuple[Any, np.ndarray | None]:
    """New samples in their final form, where the method samples, and a sheet (H, W, C) uint8 of them or of what it makes of given
    images; None for what there is not. The same seeds and the same images at each call."""
    if isinstance(method, Samples):
        made = media.finished(sample(method, SAMPLES, 0), data.spec)
        return made, media.sheet(made, data.spec)
    if isinstance(method, Demonstrates):
        return None, sheet_of(method.rows(given(data, SHOWN, method.device)))
    return None, None


def sheet_of(rows: Tensor) -> np.ndarray:
    """(H, W, C) uint8 of rows (n, k, C, H, W) in [-1, 1]: the k of a row beside each other."""
    n, k = rows.shape[:2]
    return grid(to_uint8(rows.reshape(n * k, *rows.shape[2:])), columns=max(1, ACROSS // k) * k)


def given(data: Dataset, count: int, device: torch.device) -> Batch:
    """The first `count` images of the test split as a batch; of the training split where there is none, or where it has no
    images of the other kind."""
    part = data.part("test")
    if part is None or (part.partners is None) != (data.partners is None):
        part = data
    batch = examples_of(part, np.arange(min(count, len(part))), device=device)
    batch.generator = torch.Generator(device).manual_seed(0)
    return batch
