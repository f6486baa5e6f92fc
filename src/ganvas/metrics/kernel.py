"""The kernel distance (KID; Binkowski 2018, arXiv:1801.01401): squared maximum mean discrepancy, without bias.

Unlike the Fréchet distance its expectation does not depend on the number of images; it can be slightly below 0.
"""

from __future__ import annotations

from torch import Tensor

from ganvas.metrics.arrays import Values, as_features, as_pair, blocks


def kernel_distance(
    a: Values,
    b: Values,
    *,
    degree: int = 3,
    gamma: float | None = None,
    offset: float = 1.0,
    within_b: float | None = None,
) -> float:
    """Unbiased MMD^2 of features (N, D) and (M, D) under k(x, y) = (gamma x.y + offset)^degree; gamma is 1/D if
    not given.

    Of all pairs, not of random subsets, so there is nothing to draw. Time N^2 + M^2 + N M, memory bounded.
    `within_b` is `kernel_within(b)`, if known already.
    """
    first, second = as_pair(a, b, ("a", "b"), least=2)
    scale = 1 / first.shape[1] if gamma is None else gamma
    within_a = kernel_within(first, degree=degree, gamma=scale, offset=offset)
    if within_b is None:
        within_b = kernel_within(second, degree=degree, gamma=scale, offset=offset)
    between = _kernel_sum(first, second, degree, scale, offset)
    return within_a + within_b - 2 * between / (len(first) * len(second))


def kernel_within(features: Values, *, degree: int = 3, gamma: float | None = None, offset: float = 1.0) -> float:
    """Mean kernel of all pairs of two different rows of (N, D)."""
    rows = as_features(features, "features", least=2)
    count, width = rows.shape
    scale = 1 / width if gamma is None else gamma
    itself = float((rows.square().sum(1) * scale + offset).pow(degree).sum())
    return (_kernel_sum(rows, rows, degree, scale, offset) - itself) / (count * (count - 1))


def _kernel_sum(a: Tensor, b: Tensor, degree: int, gamma: float, offset: float) -> float:
    total = 0.0
    for rows in blocks(len(a), len(b)):
        total += float((a[rows] @ b.T).mul_(gamma).add_(offset).pow_(degree).sum())
    return total
