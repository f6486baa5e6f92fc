"""When does a mode count as covered? Poisson by hand, and digits with one class left out."""

import math

import pytest
import torch

from ganvas.metrics import modes


def test_strays_by_hand():
    # Of 100 true 0 a tenth is read as 1; of 50 true 1 a fifth is read as 0.
    confusion = torch.tensor([[0.9, 0.1], [0.2, 0.8]], dtype=torch.float64)
    strays = modes.expected_strays(torch.tensor([100.0, 50.0], dtype=torch.float64), confusion)
    torch.testing.assert_close(strays, torch.tensor([10.0, 10.0], dtype=torch.float64))


def test_strays_of_two_numerals_are_those_of_their_product():
    confusion = torch.tensor([[0.9, 0.1], [0.2, 0.8]], dtype=torch.float64)
    counts = torch.tensor([[5.0, 7.0], [11.0, 13.0]], dtype=torch.float64)
    joint = torch.kron(confusion, confusion)
    expected = modes.expected_strays(counts.flatten(), joint).view(2, 2)
    torch.testing.assert_close(modes.expected_strays(counts, confusion), expected)


def test_covered_needs_more_than_mistakes_would_give():
    # 1000 samples of mode 0, of which 0.002 are read as mode 1: Poisson(2). P(>= 6) = 0.0166, P(>= 7) = 0.0045.
    confusion = torch.tensor([[0.998, 0.002], [0.0, 1.0]])
    assert modes.covered(torch.tensor([1000, 6]), confusion).tolist() == [True, False]
    assert modes.covered(torch.tensor([1000, 7]), confusion).tolist() == [True, True]
    assert modes.covered(torch.tensor([0, 3]), confusion).tolist() == [False, True]


def test_confusion_is_never_certain():
    confusion = modes.confusion_matrix(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1]), 2)
    torch.testing.assert_close(confusion, torch.tensor([[2.5, 1.5], [0.5, 1.5]]).double() / torch.tensor([[4], [2]]))


def test_entropy_and_divergence_by_hand():
    assert modes.entropy(torch.tensor([5, 5, 5, 5])) == pytest.approx(math.log(4))
    assert modes.entropy(torch.tensor([7, 0])) == 0
    # (3/4) log(3/2) + (1/4) log(1/2)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert modes.divergence(torch.tensor([3, 1]), torch.tensor([10, 10])) == pytest.approx(expected)


def test_clusters_find_what_is_far_apart():
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(6).repeat_interleave(40)
    points = torch.eye(6)[truth] * 20 + torch.randn(240, 6, generator=generator)
    centres = modes.cluster_centres(points, 6)
    assigned = modes.nearest_row(points, centres)
    assert len({tuple(assigned[truth == mode].unique().tolist()) for mode in range(6)}) == 6
    assert all(len(assigned[truth == mode].unique()) == 1 for mode in range(6))
    assert torch.equal(centres, modes.cluster_centres(points, 6))


def test_clusters_of_equal_points_do_not_fail():
    assert torch.isfinite(modes.cluster_centres(torch.ones(9, 3), 4)).all()
