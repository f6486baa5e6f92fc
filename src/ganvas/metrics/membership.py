"""How well training images can be told from held-out ones by a score: the area under the ROC curve, with its interval.

0.5 is chance: the score says nothing about who was in the training set. DeLong et al. 1988, Comparing the areas under two or more
correlated receiver operating characteristic curves, Biometrics 44.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.metrics.arrays import Values, finite

Z95 = 1.959964  # of the normal distribution: 95 % lie within


class Auc(NamedTuple):
    """An area under the ROC curve, and its 95 % interval."""

    value: float
    low: float
    high: float


def auc(members: Values, others: Values) -> Auc:
    """The probability that a member's score is larger than another's, equal scores counting half: of scores (m,) and (n,).

    The interval is DeLong's, by the variance of the placements (his eq. 4 and 5, for one curve). Where that is 0, since the
    scores do not overlap, it is as wide as the rule of three says. DataError for fewer than 2 scores of either kind.
    """
    a = finite(torch.as_tensor(members, dtype=torch.float64).flatten(), "members")
    b = finite(torch.as_tensor(others, dtype=torch.float64).flatten(), "others")
    if len(a) < 2 or len(b) < 2:
        raise DataError(f"an AUC needs 2 scores of each kind at least (got {len(a)} and {len(b)})")
    of_members = _placements(a, b)
    of_others = 1 - _placements(b, a)
    value = float(of_members.mean())
    variance = float(of_members.var() / len(a) + of_others.var() / len(b))
    half = Z95 * variance**0.5 if variance > 0 else 3 / min(len(a), len(b))
    return Auc(value, max(0.0, value - half), min(1.0, value + half))


def _placements(scores: Tensor, others: Tensor) -> Tensor:
    """For each score (m,) the share of `others` below it, equal ones counting half."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, scores)
    not_above = torch.searchsorted(ordered, scores, right=True)
    return (below + not_above).double() / (2 * len(ordered))


def share_interval(count: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, `count` of `n` (Wilson 1927)."""
    share, square = count / n, Z95**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 * (share * (1 - share) / n + square / (4 * n * n)) ** 0.5 / (1 + square / n)
    return max(0.0, centre - half), min(1.0, centre + half)
