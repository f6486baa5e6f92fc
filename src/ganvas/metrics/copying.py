"""Copies: samples that are training images, or suspiciously near to one.

Images are compared as thumbnails of at most 16 x 16 (means over areas, all channels), so that a little noise
does not hide a copy. How near is suspicious? Nearer than almost any image that was never trained on: below the 1
% quantile of the distances from held-out images to their own nearest training image. About 1 % of honest
images are that near, which is the reference.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import DataError, UsageError
from ganvas.metrics.store import remembered

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

THUMBNAIL_SIDE = 16
THRESHOLD_QUANTILE = 0.01
MAX_PROBES = 2000  # held-out images that set the threshold
MAX_COMPARED_IMAGES = 100_000  # training images looked at
QUERIES_PER_BLOCK = 512
TRAIN_IMAGES_PER_BLOCK = 8192


class Copies(NamedTuple):
    """What the copy audit found among `n` samples.

    `near` (n,) bool; `exact` counts those equal in every byte; `threshold` is a root-mean-square difference in
    bytes; `reference` is how many of n held-out images would be called copies.
    """

    near: np.ndarray
    exact: int
    threshold: float
    reference: float


def nearest(images: np.ndarray, train: Dataset, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest training images of each of `images` uint8 (N, H, W, C): indices int64 (N, k), nearest first,
    and distances float64 (N, k), root-mean-square differences of the thumbnails in bytes, 0 to 255. Of the first
    100,000 training images.
    """
    check_images(images, train)
    train_stats = _train_stats(train, None)
    if not 1 <= k <= len(train_stats["thumbnails"]):
        raise UsageError(f"k must lie between 1 and the {len(train_stats['thumbnails'])} training images (got {k})")
    indices, distances = _nearest(thumbnails(images), train_stats["thumbnails"], k)
    return indices.numpy(), distances.numpy()


def find_copies(images: np.ndarray, train: Dataset, test: Dataset | None = None) -> Copies:
    """Which of `images` uint8 (N, H, W, C) are copies of training images. Without `test` the training images
    themselves are the held-out ones, each compared with all the others."""
    check_images(images, train)
    train_stats = _train_stats(train, test)
    threshold, rate = float(train_stats["threshold"]), float(train_stats["rate"])
    _, distances = _nearest(thumbnails(images), train_stats["thumbnails"], 1)
    exact = np.isin(image_digests(images), train_stats["digests"].numpy())
    near = (distances[:, 0].numpy() < threshold) | exact
    return Copies(near, int(exact.sum()), threshold, rate * len(images))


def nearest_distances(images: np.ndarray, others: np.ndarray) -> Tensor:
    """(n,) float64: as the distances of `nearest`, of `images` uint8 (n, H, W, C) to the nearest of `others` (m, H, W, C)."""
    return _nearest(thumbnails(images), thumbnails(others), 1)[1][:, 0]


def thumbnails(images: np.ndarray) -> Tensor:
    """uint8 (N, C * h * w) with h, w at most 16: each value the mean of an area."""
    return area_means(images, THUMBNAIL_SIDE).flatten(1)


def area_means(images: np.ndarray, side: int) -> Tensor:
    """uint8 (N, C, h, w) of images uint8 (N, H, W, C), h and w at most `side`: each value the mean of an area."""
    parts: list[Tensor] = []
    for start in range(0, len(images), QUERIES_PER_BLOCK):
        x = torch.from_numpy(np.array(images[start : start + QUERIES_PER_BLOCK])).permute(0, 3, 1, 2)
        height, width = x.shape[2:]
        if max(height, width) > side:
            size = (min(side, height), min(side, width))
            x = F.adaptive_avg_pool2d(x.float(), size).round().to(torch.uint8)
        parts.append(x.contiguous())
    return torch.cat(parts)


def check_images(images: np.ndarray, train: Dataset) -> None:
    """DataError unless `images` are uint8 (N, H, W, C) of the training images' shape."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise DataError(f"images must be a numpy array uint8 (N, H, W, C), N at least 1 (got {got})")
    if images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"these images are {_size(images)} and those of {train.name} {_size(train.images)} "
            "(height x width x channels): open the data with the same size and channels as the images"
        )


def _size(images: np.ndarray) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _train_stats(train: Dataset, test: Dataset | None) -> dict[str, Tensor]:
    """Of the training images `thumbnails` (M, D) uint8 and `digests` (M,) int64; `threshold` and `rate` of
    held-out ones."""
    parts = [
        train.fingerprint,
        test.fingerprint if test is not None else None,
        THUMBNAIL_SIDE,
        THRESHOLD_QUANTILE,
        MAX_PROBES,
        MAX_COMPARED_IMAGES,
    ]
    keep = bool(train.fingerprint) and (test is None or bool(test.fingerprint))

    def compute() -> dict[str, Tensor]:
        train_thumbnails = thumbnails(train.images[:MAX_COMPARED_IMAGES])
        distances = _held_out_distances(train_thumbnails, test)
        threshold = distances.sort().values[int(THRESHOLD_QUANTILE * (len(distances) - 1))]
        rate = (distances < threshold).double().mean()
        digests = torch.from_numpy(image_digests(train.images[:MAX_COMPARED_IMAGES]))
        return {"thumbnails": train_thumbnails, "digests": digests, "threshold": threshold, "rate": rate}

    return remembered("copies", parts, keep, compute)


def _held_out_distances(train_thumbnails: Tensor, test: Dataset | None) -> Tensor:
    if test is not None and len(test.images):
        return _nearest(thumbnails(test.images[:MAX_PROBES]), train_thumbnails, 1)[1][:, 0]
    if len(train_thumbnails) < 2:
        return torch.zeros(1, dtype=torch.float64)  # a single image has no others: only exact copies count
    probes = train_thumbnails[:MAX_PROBES]
    indices, distances = _nearest(probes, train_thumbnails, 2)
    itself = indices[:, 0] == torch.arange(len(probes))
    return torch.where(itself, distances[:, 1], distances[:, 0])


def _nearest(queries: Tensor, train_thumbnails: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Indices (N, k) and root-mean-square distances (N, k) of the nearest rows. float32 finds them, integers give
    the distance."""
    best = torch.empty(len(queries), 0)
    indices = torch.empty(len(queries), 0, dtype=torch.int64)
    centred = queries.float() - 128
    for start in range(0, len(train_thumbnails), TRAIN_IMAGES_PER_BLOCK):
        rows = train_thumbnails[start : start + TRAIN_IMAGES_PER_BLOCK].float() - 128
        here, where = _k_smallest(centred, rows, min(k, len(rows)))
        best, indices = torch.cat([best, here], 1), torch.cat([indices, where + start], 1)
        best, order = best.topk(min(k, best.shape[1]), largest=False)
        indices = indices.gather(1, order)
    distances = torch.stack([_exact(queries, train_thumbnails[column]) for column in indices.T], 1)
    distances, order = distances.sort(dim=1, stable=True)
    return indices.gather(1, order), distances


def _k_smallest(queries: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    squares = rows.square().sum(1)
    distances: list[Tensor] = []
    indices: list[Tensor] = []
    for part in queries.split(QUERIES_PER_BLOCK):
        # |q|^2 is the same for all rows, so it is added after the choice.
        chosen = torch.addmm(squares, part, rows.T, alpha=-2).topk(k, largest=False)
        distances.append(chosen.values + part.square().sum(1, keepdim=True))
        indices.append(chosen.indices)
    return torch.cat(distances), torch.cat(indices)


def _exact(a: Tensor, b: Tensor) -> Tensor:
    return (a.short() - b.short()).double().square().mean(1).sqrt()


def image_digests(images: np.ndarray) -> np.ndarray:
    """64 bits of each image's BLAKE2b, int64 (N,)."""
    digests = [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest() for image in images]
    return np.frombuffer(bytearray(b"".join(digests)), dtype=np.int64)
