"""Precision, recall, density, coverage: points on a line by hand, and the package of the authors of density and
coverage."""

import numpy as np
import prdc
import pytest
import torch

from ganvas.errors import DataError, UsageError
from ganvas.metrics import arrays, density_coverage, precision_recall
from ganvas.metrics.precision_recall import squared_radii


def test_points_on_a_line_by_hand():
    # Real 0, 1, 3, 7: nearest other at 1, 1, 2, 4, so balls (-1, 1), (0, 2), (1, 5), (3, 11).
    # Fake 0.5, 4, 20: nearest other at 3.5, 3.5, 16, so balls (-3, 4), (0.5, 7.5), (4, 36).
    real, fake = [[0.0], [1.0], [3.0], [7.0]], [[0.5], [4.0], [20.0]]
    # 0.5 lies in two real balls, 4 in two, 20 in none. All four real points lie in a fake ball (7 in the second
    # and third).
    assert precision_recall(real, fake, k=1) == (pytest.approx(2 / 3), 1.0)
    # Density: (2 + 2 + 0) / 3 / k.  Every real ball holds a fake: 0.5, 0.5, 4, 4.
    assert density_coverage(real, fake, k=1) == (pytest.approx(4 / 3), 1.0)
    assert precision_recall(real, [[0.5], [0.6], [20.0]], k=1).recall == pytest.approx(3 / 4)


def test_a_point_on_the_border_is_outside():
    # Real 0 and 2: balls (-2, 2) and (0, 4).
    assert precision_recall([[0.0], [2.0]], [[4.0], [9.0]], k=1).precision == 0
    assert density_coverage([[0.0], [2.0]], [[4.0]], k=1).coverage == 0


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("kind", ["float64", "float32", "ties", "far away"])
def test_equals_the_package_prdc(k, kind, capsys):
    random = np.random.default_rng(7)
    real, fake = random.normal(size=(230, 12)), random.normal(size=(170, 12)) * 0.8 + 0.2
    if kind == "float32":
        real, fake = real.astype(np.float32), fake.astype(np.float32)
    if kind == "ties":  # integers: many equal distances, and equal points
        real, fake = random.integers(0, 3, (230, 3)).astype(float), random.integers(0, 4, (170, 3)).astype(float)
    if kind == "far away":
        real, fake = real + 100, fake + 100
    expected = prdc.compute_prdc(real, fake, nearest_k=k)
    assert precision_recall(real, fake, k) == (expected["precision"], expected["recall"])
    found = density_coverage(torch.from_numpy(real), torch.from_numpy(fake), k)
    assert found == (pytest.approx(expected["density"], rel=1e-12), expected["coverage"])


def test_does_not_depend_on_the_block(monkeypatch):
    random = np.random.default_rng(1)
    real, fake = random.normal(size=(90, 3)), random.normal(size=(70, 3))
    whole = precision_recall(real, fake), density_coverage(real, fake)
    monkeypatch.setattr(arrays, "VALUES_PER_BLOCK", 500)
    assert (precision_recall(real, fake), density_coverage(real, fake)) == whole


def test_a_row_is_at_distance_zero_from_itself_and_not_from_others():
    rows = torch.from_numpy(np.random.default_rng(0).normal(100, 1, size=(60, 300)))
    found = arrays.squared_distances(rows, rows[7:20].clone())
    assert (found == 0).nonzero().tolist() == [[7 + index, index] for index in range(13)]


def test_equal_rows_have_radius_zero():
    rows = np.tile(np.random.default_rng(0).normal(100, 1, size=64), (8, 1))
    assert squared_radii(rows, 5).tolist() == [0] * 8


def test_names_what_is_wrong():
    five = np.arange(5.0)[:, None]
    with pytest.raises(DataError, match="real has 5 rows, and this measure needs at least 6"):
        precision_recall(five, np.zeros((9, 1)))
    with pytest.raises(DataError, match="fake has 5 rows"):
        precision_recall(np.arange(9.0)[:, None], five)
    with pytest.raises(UsageError, match="at least 1"):
        density_coverage(five, five, k=0)
    with pytest.raises(DataError, match="fake holds 5 values that are NaN"):
        density_coverage(five, five * np.nan, k=1)
