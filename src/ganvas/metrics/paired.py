"""The mean difference of paired measurements, and its 95 % interval by Student's t (Student 1908, Biometrika 6).

Two ways are tried on the same seeds. What a seed brings to both (its images, its first weights) cancels in the difference,
so that its interval is narrower than those of the two means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ganvas.errors import DataError

CONFIDENCE = 0.95
LARGEST_T = 1e3  # above the 97.5 % quantile of any number of degrees of freedom


class Difference(NamedTuple):
    """A mean difference over n pairs, and its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def better(self) -> bool:
        """Significantly above 0."""
        return self.low > 0

    @property
    def worse(self) -> bool:
        """Significantly below 0."""
        return self.high < 0


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The mean of first - second, pair by pair, and its interval: mean +- t s / sqrt(n), with n - 1 degrees of freedom.

    DataError for lists of different lengths, fewer than 2 pairs, or values that are not finite.
    """
    if len(first) != len(second):
        raise DataError(f"pairs need as many values of one as of the other (got {len(first)} and {len(second)})")
    if len(first) < 2:
        raise DataError(f"the interval of a difference needs 2 pairs at least (got {len(first)}): take more seeds")
    differences = [a - b for a, b in zip(first, second, strict=True)]
    if not all(map(math.isfinite, differences)):
        raise DataError("the interval of a difference needs finite values")
    n = len(differences)
    mean = math.fsum(differences) / n
    variance = math.fsum((one - mean) ** 2 for one in differences) / (n - 1)
    half = t_quantile(n - 1) * math.sqrt(variance / n)
    return Difference(mean, mean - half, mean + half, n)


def t_quantile(freedom: int) -> float:
    """The t that |T| exceeds with probability 5 %, T of Student's distribution with `freedom` >= 1 degrees of freedom."""
    low, high = 0.0, LARGEST_T
    for _ in range(100):
        middle = (low + high) / 2
        if _within(middle, freedom) < CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _within(t: float, freedom: int) -> float:
    """P(|T| <= t) for integer degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    term = math.cos(angle) if freedom % 2 else 1.0
    total, k = 0.0, 1 if freedom % 2 else 0
    while k < freedom - 1:
        total += term
        term *= square * (k + 1) / (k + 2)
        k += 2
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
