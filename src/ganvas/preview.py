"""What a method makes, on one sheet: what a training draws every so often."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ganvas.data import Dataset, grid, media
from ganvas.data.batch import Batch, as_pictures
from ganvas.method import Method, Samples, Shows
from ganvas.sampling import sample, to_uint8

SAMPLES = 64  # new ones on a sheet, of the seeds 0, 1, ...
SHOWN = 16  # given pictures, the first of the test split
ACROSS = 8  # pictures beside each other, where each row of them belongs together


@torch.no_grad()
def preview(method: Method, data: Dataset) -> tuple[Any, np.ndarray | None]:
    """New samples in their final form, where the method samples, and a sheet (H, W, C) uint8 of them or of what it makes of given
    pictures; None for what there is not. The same seeds and the same pictures at each call."""
    if isinstance(method, Samples):
        made = media.finished(sample(method, SAMPLES, 0), data.spec)
        return made, media.sheet(made, data.spec)
    if not isinstance(method, Shows):
        return None, None
    rows = method.show(given(data, SHOWN, next(method.parameters()).device))
    n, k = rows.shape[:2]
    return None, grid(to_uint8(rows.reshape(n * k, *rows.shape[2:])), columns=max(1, ACROSS // k) * k)


def given(data: Dataset, count: int, device: torch.device) -> Batch:
    """The first `count` pictures of the test split (of the training split where there is none) as a batch."""
    part = data.part("test") or data
    images, labels, partners = part.images[:count], part.labels, part.partners
    if partners is not None:  # there may be fewer of them
        partners = partners[np.arange(len(images)) % len(partners)]
    return Batch(
        as_pictures(images, device),
        None if labels is None else torch.from_numpy(np.array(labels[:count])).to(device),
        None if partners is None else as_pictures(partners, device),
        torch.Generator(device).manual_seed(0),
    )
