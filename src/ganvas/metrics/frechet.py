"""The Fréchet distance between two Gaussians, and the means and covariances that go into it.

Dowson and Landau 1982: d^2 = |mu_a - mu_b|^2 + tr(A) + tr(B) - 2 tr((A B)^(1/2)); Heusel 2017 (arXiv:1706.08500)
made it a measure of generated images. The trace of the root needs no matrix root: with A = S S^T the eigenvalues
of A B are those of the symmetric S^T B S, which are real, not negative, and several times faster to have.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.metrics.arrays import Values, as_features, as_mean_and_covariance


def frechet_distance(mu_a: Values, cov_a: Values, mu_b: Values, cov_b: Values) -> float:
    """Squared Fréchet distance between N(mu_a, cov_a) and N(mu_b, cov_b), at least 0, in squared units of the
    features.

    Means (D,), covariances (D, D), arrays or tensors; computed in float64. Singular covariances (fewer images
    than features) are exact too, without anything added to their diagonal.
    """
    mean_a, covariance_a = as_mean_and_covariance(mu_a, cov_a, "a")
    mean_b, covariance_b = as_mean_and_covariance(mu_b, cov_b, "b")
    if len(mean_a) != len(mean_b):
        raise DataError(
            f"the two means have {len(mean_a)} and {len(mean_b)} features: both must come from one feature network"
        )
    means = float((mean_a - mean_b).square().sum())
    root = trace_of_root(covariance_a, covariance_b)
    covariances = float(covariance_a.trace() + covariance_b.trace() - 2 * root)
    return max(0.0, means + covariances)


def trace_of_root(cov_a: Tensor, cov_b: Tensor) -> Tensor:
    """tr((A B)^(1/2)) of two covariances (D, D) float64."""
    root_a, root_b = _cholesky(cov_a), _cholesky(cov_b)
    if root_a is not None and root_b is not None:
        return torch.linalg.eigvalsh(_lower_product(root_a, cov_b)).clamp_min(0).sqrt().sum()
    # The root of the singular one: it leaves only as many eigenvalues as can be above 0.
    singular, other = (cov_a, cov_b) if root_a is None else (cov_b, cov_a)
    root = _eigen_root(singular)
    values = torch.linalg.eigvalsh(root.T @ other @ root)
    return values[_above_rounding(values, len(cov_a))].sqrt().sum()


def _lower_product(root: Tensor, covariance: Tensor, parts: int = 4) -> Tensor:
    """The lower triangle of L^T B L for a lower triangular L (D, D), which is all that eigvalsh reads: by blocks, without
    those of L that are zero, it takes half the time of two full products."""
    size = len(root)
    steps = [slice(size * part // parts, size * (part + 1) // parts) for part in range(parts)]
    right, product = torch.empty_like(root), torch.zeros_like(root)
    for step in steps:
        right[:, step] = covariance[:, step.start :] @ root[step.start :, step]
    for step in steps:
        product[step, : step.stop] = root[step.start :, step].T @ right[step.start :, : step.stop]
    return product


def _cholesky(covariance: Tensor) -> Tensor | None:
    """L with L L^T = covariance, or None where it is singular as far as float64 can tell."""
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        return None
    pivots = root.diagonal().square()
    # A pivot this small is rounding: its eigenvalues would be noise, and the root of noise is large.
    if pivots.min() > _rounding(len(root)) * pivots.max():
        return root
    return None


def _eigen_root(covariance: Tensor) -> Tensor:
    """S (D, rank) with S S^T = covariance, for singular ones: directions without variance are left out."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = _above_rounding(values, len(values))
    return vectors[:, kept] * values[kept].sqrt()


def _above_rounding(values: Tensor, size: int) -> Tensor:
    """Which of the ascending eigenvalues are not noise; the roots of those that are would add up."""
    return values > _rounding(size) * values[-1:].clamp_min(0)


def _rounding(size: int) -> float:
    return size * torch.finfo(torch.float64).eps


def distance_of_features(features: Values, real: Values) -> float:
    """`frechet_distance` of features (n, D) from real ones (m, D)."""
    own, other = Moments().add(features), Moments().add(real)
    return frechet_distance(own.mean, own.covariance, other.mean, other.covariance)


class Moments:
    """Mean and covariance of features that come in batches, in float64, exact under any split and any order of
    merging.

        moments = Moments()
        for batch in batches: moments.add(network(batch))         # (N, D)
        frechet_distance(moments.mean, moments.covariance, ...)

    Ranks exchange `state()` and merge `Moments(state)` (Chan, Golub and LeVeque 1979, eq. 2.1).
    """

    def __init__(self, state: Mapping[str, Tensor] | None = None) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._scatter: Tensor | None = None
        if state:
            self.count = int(state["count"])
            self._mean = state["mean"].to("cpu", torch.float64)
            self._scatter = state["scatter"].to("cpu", torch.float64)

    def add(self, features: Values) -> Moments:
        """Takes in a batch (N, D); returns itself."""
        rows = as_features(features, "features", least=0)
        if not len(rows):
            return self
        mean = rows.mean(0)
        centred = rows - mean
        return self._join(len(rows), mean, centred.T @ centred)

    def merge(self, other: Moments) -> Moments:
        """Takes in what another one has seen; returns itself."""
        if other.count:
            self._join(other.count, other._known("mean"), other._known("scatter"))
        return self

    def state(self) -> dict[str, Tensor]:
        """`count` () int64, `mean` (D,) and `scatter` (D, D) float64: the sum of outer products about the mean."""
        return {"count": torch.tensor(self.count), "mean": self._known("mean"), "scatter": self._known("scatter")}

    @property
    def mean(self) -> Tensor:
        """(D,) float64"""
        return self._known("mean")

    @property
    def covariance(self) -> Tensor:
        """(D, D) float64, divided by count - 1."""
        if self.count < 2:
            raise DataError(f"a covariance needs at least 2 images (got {self.count})")
        return self._known("scatter") / (self.count - 1)

    def _join(self, count: int, mean: Tensor, scatter: Tensor) -> Moments:
        if self._mean is None or self._scatter is None:
            self.count, self._mean, self._scatter = count, mean.clone(), scatter.clone()
            return self
        if len(mean) != len(self._mean):
            raise DataError(f"these moments are of {len(self._mean)} features, and now {len(mean)} came")
        total = self.count + count
        gap = mean - self._mean
        self._scatter = self._scatter + scatter + torch.outer(gap, gap) * (self.count * count / total)
        self._mean = self._mean + gap * (count / total)
        self.count = total
        return self

    def _known(self, name: str) -> Tensor:
        value = self._mean if name == "mean" else self._scatter
        if value is None:
            raise DataError("no features were added yet, so there is no mean and no covariance")
        return value
