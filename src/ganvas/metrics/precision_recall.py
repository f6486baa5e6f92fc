"""Precision and recall (Kynkäänniemi 2019, arXiv:1904.06991), density and coverage (Naeem 2020, arXiv:2002.09797).

Around each image lies a ball that reaches to its k-th nearest neighbour of the same set, itself not counted.

precision   share of generated images inside a ball of some real one: does it look real?
recall      share of real images inside a ball of some generated one: can everything real be made?
density     number of real balls a generated image is in, over k: precision that outliers cannot buy; about 1,
may be more coverage    share of real balls with a generated image inside: recall that outliers cannot buy

An image exactly on the border is outside, as in the code of Naeem 2020 (Kynkäänniemi's text counts it as inside;
it matters only for ties). With equal distributions and as many real as generated images coverage is 1 - 2^-k on
average.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.metrics.arrays import Values, as_features, as_pair, blocks, squared_distances


class PrecisionRecall(NamedTuple):
    """Both in [0, 1], more is better."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density from 0, about 1 for real images; coverage in [0, 1]. More is better."""

    density: float
    coverage: float


class Overlap(NamedTuple):
    """All four from one pass over the distances."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real: Values, fake: Values, k: int = 5) -> PrecisionRecall:
    """Features (N, D) and (M, D), each of more than k rows. Time N^2 + M^2 + N M, memory bounded."""
    shares = overlap(real, fake, k)
    return PrecisionRecall(shares.precision, shares.recall)


def density_coverage(real: Values, fake: Values, k: int = 5) -> DensityCoverage:
    """Features (N, D) of more than k rows, and (M, D). Time N^2 + N M, memory bounded."""
    real, fake = as_pair(real, fake, ("real", "fake"))
    # Only recall looks at the balls of generated images.
    shares = overlap(real, fake, k, fake_radii=torch.zeros(len(fake), dtype=torch.float64))
    return DensityCoverage(shares.density, shares.coverage)


def overlap(
    real: Values, fake: Values, k: int = 5, *, real_radii: Tensor | None = None, fake_radii: Tensor | None = None
) -> Overlap:
    """Precision, recall, density and coverage; `real_radii`, `fake_radii` (N,) (M,) are `squared_radii`, if known
    already."""
    real, fake = as_pair(real, fake, ("real", "fake"))
    if real_radii is None:
        real_radii = squared_radii(real, k, "real")
    if fake_radii is None:
        fake_radii = squared_radii(fake, k, "fake")
    balls = torch.zeros(len(fake), dtype=torch.int64)  # in how many real balls each fake is
    recalled = covered = 0
    for rows in blocks(len(real), len(fake)):
        distances = squared_distances(real[rows], fake)
        inside = distances < real_radii[rows, None]
        balls += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int((distances < fake_radii).any(1).sum())
    return Overlap(
        precision=float((balls > 0).double().mean()),
        recall=recalled / len(real),
        density=float(balls.double().mean()) / k,
        coverage=covered / len(real),
    )


def squared_radii(features: Values, k: int, name: str = "features") -> Tensor:
    """Squared distance from each row of (N, D) to its k-th nearest other row: (N,) float64."""
    if k < 1:
        raise UsageError(f"k, the number of neighbours, must be at least 1 (got {k})")
    features = as_features(features, name, least=k + 1)
    radii = torch.empty(len(features), dtype=torch.float64)
    for rows in blocks(len(features), len(features)):
        distances = squared_distances(features[rows], features)
        distances[torch.arange(len(distances)), torch.arange(rows.start, rows.stop)] = torch.inf  # itself
        radii[rows] = distances.topk(k, largest=False, sorted=False).values.amax(1)
    return radii
