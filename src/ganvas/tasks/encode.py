"""From pictures to latents and back, for methods that encode."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batch import as_pictures
from ganvas.errors import UsageError
from ganvas.method import Encodes, Method, Samples, methods_with
from ganvas.sampling import in_chunks
from ganvas.tasks.edit import paint


@torch.no_grad()
def encode(method: Method, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Latents float32 (n, ...) of `images` uint8 (n, H, W, C). `labels` (n,) go to a method that knows classes.

    UsageError where the method does not encode, or where it needs labels and there are none.
    """
    if not isinstance(method, Encodes):
        raise UsageError(f"{method.name} cannot find the latents of given pictures; {methods_with(Encodes)} can")
    told = _labels(method, labels, len(images))
    device = next(method.parameters()).device

    def of_rows(rows: Tensor) -> Tensor:
        pictures = as_pictures(images[rows.numpy()], device)
        return method.encode(pictures, None if told is None else told[rows].to(device))

    return in_chunks(len(images), of_rows).numpy()


def decode(method: Method, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Pictures uint8 (n, H, W, C) of latents (n, ...), such as `encode` gives."""
    if not isinstance(method, Encodes) or not isinstance(method, Samples):
        raise UsageError(f"{method.name} does not encode, so no codes can be its own")
    wanted = tuple(method.latents([0]).shape[1:])
    if codes.shape[1:] != wanted or len(codes) == 0:
        raise UsageError(
            f"codes of this {method.name} have the shape (n, {', '.join(map(str, wanted))}) (got {codes.shape})"
        )
    return paint(method, torch.from_numpy(np.asarray(codes, np.float32)), _labels(method, labels, len(codes)))


def _labels(method: Method, labels: np.ndarray | None, count: int) -> Tensor | None:
    if not isinstance(method, Samples) or method.labels([0]) is None:
        return None
    if labels is None or len(labels) != count:
        raise UsageError(f"this {method.name} was trained by class, so each of the {count} pictures needs a label")
    return torch.as_tensor(np.asarray(labels), dtype=torch.int64)
