"""Which modes of the data do samples cover? Counting alone flatters: a classifier's mistakes fill classes that are
not there.

A mode counts as covered only if more samples fall on it than mistakes alone would put there: with the confusion of
held-out images, P(true j read as c), an absent mode c would get Poisson(sum over j != c of count_j P(j -> c))
samples. It is covered where a count this large or larger would then have a probability of at most SIGNIFICANCE.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.metrics.arrays import blocks, squared_distances

SIGNIFICANCE = 0.01
EM_ITERATIONS = 25


def covered(counts: Tensor, confusion: Tensor, level: float = SIGNIFICANCE) -> Tensor:
    """Which modes are covered, bool, for `counts` of samples (K,) and `confusion` (K, K), rows true, each summing
    to 1.

    Counts of several numerals an image have an axis for each, (K, K, K), and `confusion` is that of one numeral.
    """
    counts = counts.double()
    strays = expected_strays(counts, confusion.double())
    # P(Poisson(s) >= c) is the regularised lower incomplete gamma function of (c, s).
    chance = torch.special.gammainc(counts.clamp_min(1), strays)
    return (counts > 0) & (chance <= level)


def expected_strays(counts: Tensor, confusion: Tensor) -> Tensor:
    """How many samples of other modes are read as each mode: like `counts`, (K,) or an axis for each numeral."""
    arriving, staying = counts, counts
    for axis in range(counts.ndim):
        arriving = torch.einsum("i...,ij->...j", arriving, confusion)  # takes the first axis, gives it back as the last
        shape = [1] * counts.ndim
        shape[axis] = -1
        staying = staying * confusion.diagonal().view(shape)
    return (arriving - staying).clamp_min(0)


def confusion_matrix(true: Tensor, read: Tensor, size: int) -> Tensor:
    """P(read | true) as (K, K), rows true, of int64 numbers (N,). 1/K is added to each cell, so that what a small
    held-out set never showed is not held to be impossible."""
    counts = torch.bincount(true * size + read, minlength=size * size).view(size, size).double() + 1 / size
    return counts / counts.sum(1, keepdim=True)


def entropy(counts: Tensor) -> float:
    """Entropy of the histogram `counts`, in nats."""
    share = counts.double().flatten() / counts.sum()
    return float(-torch.xlogy(share, share).sum())


def divergence(counts: Tensor, wanted: Tensor) -> float:
    """KL(samples || data) in nats, of two histograms over the modes of the data (all `wanted` above 0)."""
    share, other = counts.double() / counts.sum().clamp_min(1), wanted.double() / wanted.sum()
    return max(0.0, float((torch.xlogy(share, share) - torch.xlogy(share, other)).sum()))


def cluster_count(images: int) -> int:
    """How many k-means clusters stand for the modes of unlabelled data: one for each 80 images, from 2 to 50."""
    return min(50, max(2, images // 80))


def cluster_centres(features: Tensor, count: int) -> Tensor:
    """k-means centres (K, D) float64 of features (N, D): seeded by k-means++ from a fixed seed, 25 rounds of
    Lloyd."""
    features = features.double()
    random = np.random.default_rng(0)
    centres = features[int(random.integers(len(features)))][None]
    distances = squared_distances(features, centres)[:, 0]
    for _ in range(1, count):
        total = float(distances.sum())
        share = np.full(len(features), 1 / len(features))  # all images lie on the centres there are: any will do
        if total > 0:
            share = (distances / total).numpy()
        chosen = features[int(random.choice(len(features), p=share / share.sum()))][None]
        centres = torch.cat([centres, chosen])
        distances = torch.minimum(distances, squared_distances(features, chosen)[:, 0])
    for _ in range(EM_ITERATIONS):
        nearest = nearest_row(features, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, features)
        members = torch.bincount(nearest, minlength=count)[:, None]
        moved = torch.where(members > 0, sums / members.clamp_min(1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def nearest_row(features: Tensor, rows: Tensor) -> Tensor:
    """Index of the nearest of `rows` (K, D) for each of `features` (N, D): int64 (N,)."""
    indices = torch.empty(len(features), dtype=torch.int64)
    rows = rows.double()
    for part in blocks(len(features), len(rows)):
        indices[part] = squared_distances(features[part].double(), rows).argmin(1)
    return indices
