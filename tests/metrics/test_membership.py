"""AUC by hand, DeLong's interval by hand and by simulation."""

from __future__ import annotations

import pytest
import torch

from ganvas.errors import DataError
from ganvas.metrics.membership import Z95, auc, share_interval


def test_auc_by_hand() -> None:
    """Members 3, 1; others 2, 1, 0: of six pairs, 3 beats all three, 1 beats 0 and ties with 1: 4.5 of 6."""
    assert auc([3.0, 1.0], [2.0, 1.0, 0.0]).value == pytest.approx(4.5 / 6)
    assert auc([1.0, 0.0], [1.0, 0.0]).value == 0.5


def test_delongs_interval_by_hand() -> None:
    """Placements of the members: 1, 0.5; of the others, share of members above them: 0.5, 0.75, 1."""
    found = auc([3.0, 1.0], [2.0, 1.0, 0.0])
    variance = 0.125 / 2 + 0.0625 / 3
    half = Z95 * variance**0.5
    assert found.low == pytest.approx(max(0, 0.75 - half)) and found.high == pytest.approx(min(1, 0.75 + half))


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    """Two normals half a deviation apart: AUC is Phi(0.5 / sqrt(2))."""
    truth = float(torch.special.ndtr(torch.tensor(0.5 / 2**0.5)))
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(300):
        members = torch.randn(60, generator=generator) + 0.5
        low_high = auc(members, torch.randn(80, generator=generator))
        hits += low_high.low <= truth <= low_high.high
    assert 270 <= hits <= 297


def test_scores_that_do_not_overlap_have_an_interval_all_the_same() -> None:
    assert auc([2.0] * 30, [1.0] * 40) == (1.0, pytest.approx(0.9), 1.0)


def test_too_few_or_not_finite() -> None:
    with pytest.raises(DataError, match="2 scores of each kind"):
        auc([1.0], [0.0, 1.0])
    with pytest.raises(DataError, match="NaN"):
        auc([1.0, float("nan")], [0.0, 1.0])


def test_wilsons_interval_by_hand() -> None:
    """Of 0 in 100: from 0 to z^2 / (100 + z^2)."""
    low, high = share_interval(0, 100)
    assert low == 0 and high == pytest.approx(Z95**2 / (100 + Z95**2))
