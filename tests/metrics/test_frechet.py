"""Fréchet distance and moments: numbers by hand, scipy's matrix root, and what singular covariances must give."""

import numpy as np
import pytest
import scipy.linalg
import torch

from ganvas.errors import DataError, GanvasError
from ganvas.metrics import Moments, frechet_distance


def test_of_diagonal_gaussians_by_hand():
    # For diagonal covariances: sum (mu_a - mu_b)^2 + sum (sd_a - sd_b)^2 = 9 + 16 + (2-1)^2 + (3-5)^2
    found = frechet_distance([0.0, 0.0], np.diag([4.0, 9.0]), [3.0, 4.0], np.diag([1.0, 25.0]))
    assert found == pytest.approx(30)
    assert isinstance(found, float)


def test_of_one_feature_given_as_scalars():
    assert frechet_distance(1.0, 4.0, 3.0, 9.0) == pytest.approx(4 + 1)


def gaussian(size, count, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, size)) * np.linspace(1, 0.1, size) + random.normal(size=size) * 0.1
    return values.mean(0), np.atleast_2d(np.cov(values, rowvar=False))


@pytest.mark.parametrize("size", [1, 2, 64, 200])
def test_equals_the_matrix_root_of_scipy(size):
    a, b = gaussian(size, 4 * size + 2, 0), gaussian(size, 4 * size + 2, 1)
    root = np.trace(scipy.linalg.sqrtm(a[1] @ b[1])).real
    expected = ((a[0] - b[0]) ** 2).sum() + np.trace(a[1]) + np.trace(b[1]) - 2 * root
    assert frechet_distance(*a, *b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(*map(torch.from_numpy, (*a, *b))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("first", "second"), [(20, 30), (30, 20), (20, 300), (300, 20), (2, 2)])
def test_of_singular_covariances_is_exact(first, second):
    """Fewer images than features: tr (A B)^(1/2) is then the nuclear norm of X_a X_b^T / sqrt((n-1)(m-1))."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(first, 64)), random.normal(size=(second, 64)) * 2
    x, y = x - x.mean(0), y - y.mean(0)
    root = np.linalg.norm(x @ y.T, "nuc") / np.sqrt((first - 1) * (second - 1))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    mean = np.zeros(64)
    assert frechet_distance(mean, a, mean, b) == pytest.approx(np.trace(a) + np.trace(b) - 2 * root, rel=1e-9)


def test_of_equal_singular_gaussians_is_nothing():
    mean, covariance = gaussian(64, 10, 0)
    assert frechet_distance(mean, covariance, mean, covariance) < 1e-9 * np.trace(covariance)
    assert frechet_distance(mean, covariance * 0, mean, covariance * 0) == 0


def test_names_what_is_wrong():
    one, two = np.eye(2), np.zeros(2)
    with pytest.raises(DataError, match=r"mu_b holds 1 values that are NaN or infinite, the first at \(1,\)"):
        frechet_distance(two, one, [0, np.nan], one)
    with pytest.raises(DataError, match="cov_a is not symmetric"):
        frechet_distance(two, [[1.0, 0.5], [0.0, 1.0]], two, one)
    with pytest.raises(DataError, match=r"mu_a is of shape \(3,\), cov_a of shape \(2, 2\)"):
        frechet_distance(np.zeros(3), one, two, one)
    with pytest.raises(DataError, match="2 and 3 features"):
        frechet_distance(two, one, np.zeros(3), np.eye(3))


def test_moments_in_parts_and_merged_are_those_of_all_at_once():
    values = np.random.default_rng(0).normal(1000, 3, size=(101, 5)).astype(np.float32)
    first, second = Moments(), Moments().add(values[60:])
    for start in range(0, 60, 7):
        first.add(values[start : min(60, start + 7)])
    merged = Moments(first.state()).merge(Moments(second.state())).merge(Moments())
    assert merged.count == 101
    np.testing.assert_allclose(merged.mean, values.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, np.cov(values.astype(float), rowvar=False), rtol=1e-9)
    assert first.count == 60  # merging a copy of its state left it as it was
    assert Moments().merge(second).state()["scatter"].dtype == torch.float64


def test_moments_say_when_they_know_too_little():
    with pytest.raises(GanvasError, match="no features were added yet"):
        _ = Moments().mean
    with pytest.raises(GanvasError, match=r"at least 2 images \(got 1\)"):
        _ = Moments().add([[1.0, 2.0]]).covariance
    with pytest.raises(GanvasError, match="of 2 features, and now 3 came"):
        Moments().add([[1.0, 2.0]]).add([[1.0, 2.0, 3.0]])
    with pytest.raises(GanvasError, match="NaN"):
        Moments().add([[1.0, float("nan")]])
