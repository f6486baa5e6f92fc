"""What a method makes, on one sheet: what a training draws every so often."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import restore_images
from ganvas.data import Dataset, grid, media
from ganvas.data.batch import Batch, as_image_tensor
from ganvas.data.feed import examples_of
from ganvas.method import Degrades, Method, Quantises, Samples, Shows
from ganvas.sampling import reconstructed, sample, to_uint8

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
    if isinstance(method, (Shows, Degrades)):
        batch = given(data, SHOWN, next(method.parameters()).device)
        return None, sheet_of(method.show(batch) if isinstance(method, Shows) else restored(method, batch))
    if isinstance(method, Quantises):
        images = (data.part("test") or data).images[:SHOWN]
        return None, sheet_of(torch.stack([as_image_tensor(images), reconstructed(method, images)], 1))
    return None, None


def restored(method: Degrades, batch: Batch) -> Tensor:
    """Rows of three, (n, 3, C, H, W) in [-1, 1]: the batch's images degraded (holes in grey), restored, and as they were."""
    degraded = method.degrade(batch)
    seen = degraded.start if degraded.mask is None else torch.where(degraded.mask > 0, 0.0, degraded.image)
    return torch.stack([seen.clamp(-1, 1), restore_images(method, degraded.image, degraded.mask), degraded.whole], 1)


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
