"""The kernel distance (KID; Binkowski 2018, arXiv:1801.01401): squared maximum mean discrepancy, without bias.

Unlike the Fréchet distance its expectation does not depend on the number of pictures; it can be slightly below 0.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganvas.metrics.arrays import as_pair, blocks


def kernel_distance(a: Any, b: Any, *, degree: int = 3, gamma: float | None = None, offset: float = 1.0) -> float:
    """Unbiased MMD^2 of features (N, D) and (M, D) under k(x, y) = (gamma x.y + offset)^degree; gamma is 1/D if not given.

    Of all pairs, not of random subsets, so there is nothing to draw. Time N^2 + M^2 + N M, memory bounded.
    """
    a, b = as_pair(a, b, ("a", "b"), least=2)
    kernel = degree, 1 / a.shape[1] if gamma is None else gamma, offset
    n, m = len(a), len(b)
    within_a = (_kernel_sum(a, a, *kernel) - _kernel_diagonal(a, *kernel)) / (n * (n - 1))
    within_b = (_kernel_sum(b, b, *kernel) - _kernel_diagonal(b, *kernel)) / (m * (m - 1))
    return within_a + within_b - 2 * _kernel_sum(a, b, *kernel) / (n * m)


def _kernel_sum(a: Tensor, b: Tensor, degree: int, gamma: float, offset: float) -> float:
    total = 0.0
    for rows in blocks(len(a), len(b)):
        total += float((a[rows] @ b.T).mul_(gamma).add_(offset).pow_(degree).sum())
    return total


def _kernel_diagonal(a: Tensor, degree: int, gamma: float, offset: float) -> float:
    return float((a.square().sum(1) * gamma + offset).pow(degree).sum())
