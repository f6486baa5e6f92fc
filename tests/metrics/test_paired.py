"""Differences of paired measurements: a table worked out by hand, and Student's quantiles."""

from __future__ import annotations

import pytest
import scipy.stats

from ganvas.errors import DataError
from ganvas.metrics.paired import paired_difference, t_quantile


def test_interval_of_a_known_table() -> None:
    """Student's own table (1908): additional hours of sleep by two drugs, ten patients. Mean 1.58, s 1.2299, t(9) 2.2622:
    1.58 +- 0.8799."""
    second = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    first = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(1.58) and found.n == 10
    assert (found.low, found.high) == (pytest.approx(0.7001, abs=1e-4), pytest.approx(2.4599, abs=1e-4))
    assert found.better and not found.worse
    turned = paired_difference(second, first)
    assert turned.worse and turned.low == pytest.approx(-found.high)


def test_what_all_pairs_share_cancels() -> None:
    found = paired_difference([10.5, 0.5, -3.5], [10.0, 0.0, -4.0])
    assert (found.low, found.mean, found.high) == (0.5, 0.5, 0.5)


def test_one_pair_away_from_zero_is_not_significant() -> None:
    found = paired_difference([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    assert found.mean == 0.25 and found.low < 0 < found.high and not found.better


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 10, 29, 100, 101])
def test_quantiles(freedom: int) -> None:
    assert t_quantile(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-9)


def test_clear_errors() -> None:
    with pytest.raises(DataError, match=r"as many values of one as of the other \(got 2 and 3\)"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="2 pairs at least"):
        paired_difference([1], [2])
    with pytest.raises(DataError, match="finite"):
        paired_difference([1, float("nan")], [2, 3])
