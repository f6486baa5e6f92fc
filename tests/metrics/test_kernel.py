"""The kernel distance of a few numbers, by hand."""

import numpy as np
import pytest
import torch

from ganvas.errors import DataError
from ganvas.metrics import arrays, kernel_distance
from ganvas.metrics.kernel import kernel_within


def test_by_hand():
    # One feature, k(x, y) = (xy + 1)^3. a = {0, 1}: k(0,1) = 1.  b = {1, 2}: k(1,2) = 27.
    # Between: k(0,1) + k(0,2) + k(1,1) + k(1,2) = 1 + 1 + 8 + 27 = 37, mean 9.25.  1 + 27 - 2 * 9.25 = 9.5
    assert kernel_distance([[0.0], [1.0]], [[1.0], [2.0]]) == pytest.approx(9.5)


def test_width_divides_the_product():
    # Two features, x = (1, 1) twice, y = (0, 0) twice: k(x,x) = (2/2 + 1)^3 = 8, k(y,y) = 1, k(x,y) = 1: 8 + 1 - 2
    assert kernel_distance(np.ones((2, 2)), np.zeros((2, 2))) == pytest.approx(7)
    assert kernel_distance(np.ones((2, 2)), np.zeros((2, 2)), degree=1, gamma=1.0, offset=0.0) == pytest.approx(2)


def test_does_not_depend_on_the_block(monkeypatch):
    a, b = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)), torch.ones(30, 8)
    whole = kernel_distance(a, b)
    monkeypatch.setattr(arrays, "VALUES_PER_BLOCK", 100)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-12)
    assert kernel_distance(a, b, within_b=kernel_within(b)) == pytest.approx(whole, rel=1e-12)


def test_has_no_bias():
    """Equal distributions: the mean over many small draws is 0 within its error; with the diagonal it would be
    about 1."""
    random = np.random.default_rng(0)
    found = [kernel_distance(random.normal(size=(10, 4)), random.normal(size=(10, 4))) for _ in range(400)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 20
    assert min(found) < 0


def test_names_what_is_wrong():
    with pytest.raises(DataError, match="b has 1 rows, and this measure needs at least 2"):
        kernel_distance(np.zeros((3, 2)), np.zeros((1, 2)))
    with pytest.raises(DataError, match="a holds 1 values that are NaN"):
        kernel_distance([[0.0], [np.inf]], [[0.0], [1.0]])
    with pytest.raises(DataError, match="2 features a row and b 3"):
        kernel_distance(np.zeros((3, 2)), np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"array \(N, D\)"):
        kernel_distance(np.zeros(3), np.zeros(3))
    with pytest.raises(DataError, match="array of numbers"):
        kernel_distance([["x"]], [[0.0]])
