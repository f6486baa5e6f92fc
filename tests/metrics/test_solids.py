from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from ganvas.data import open_data
from ganvas.data.kinds.volumes import as_volumes
from ganvas.errors import DataError
from ganvas.metrics.solids import (
    SIMPLER_SOLIDS,
    chamfer,
    chamfer_matrix,
    coverage,
    covered,
    measure_solids,
    minimum_matching,
    nearest_neighbour_accuracy,
    points_on,
    simpler_solids,
)
from parts import blocks


def test_chamfer_of_points_by_hand() -> None:
    """From (0,0) to (1,0) 1, from (0,1) to (1,0) 2: mean 1.5. Back from (1,0) to the nearest, (0,0): 1."""
    a = torch.tensor([[0.0, 0, 0], [0, 1, 0]])
    b = torch.tensor([[1.0, 0, 0]])
    assert chamfer(a, b) == pytest.approx(2.5)
    assert chamfer(b, a) == pytest.approx(2.5)
    assert chamfer(a, a) == pytest.approx(0, abs=1e-6)


def test_the_matrix_is_chamfer_of_each_pair() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(3, 5, 3), torch.rand(40, 7, 3)
    matrix = chamfer_matrix(a, b)
    assert matrix.shape == (3, 40)
    assert_close(matrix[2, 35], chamfer(a[2], b[35]))


def line(*places: float) -> torch.Tensor:
    """Shapes of one point each on a line."""
    return torch.tensor(places)[:, None, None] * torch.tensor([1.0, 0, 0])


def test_matching_coverage_and_neighbours_by_hand() -> None:
    """Real shapes at 0, 1 and 3 tenths, samples at 0.4, 0.5 and 4: Chamfer distances are 2 d^2."""
    real, fake = line(0, 0.1, 0.3) * 1.0, line(0.04, 0.05, 0.4)
    fake_real = chamfer_matrix(fake, real)
    # Nearest samples: of 0 that at 0.04, of 0.1 that at 0.05, of 0.3 that at 0.4.
    assert minimum_matching(fake_real) == pytest.approx(2 * (0.04**2 + 0.05**2 + 0.1**2) / 3, abs=1e-6)
    # The nearest real one of 0.04 is 0, of 0.05 is (just) 0 or 0.1, of 0.4 is 0.3.
    assert coverage(chamfer_matrix(line(0.04, 0.06, 0.4), real)) == 1
    assert coverage(chamfer_matrix(line(0.01, 0.02, 0.03), real)) == pytest.approx(1 / 3)
    # Told: 0.04 and 0.06 by each other. Not told: 0 by 0.04, 0.1 by 0.06, 0.3 by 0.4, 0.4 by 0.3.
    fake = line(0.04, 0.06, 0.4)
    accuracy = nearest_neighbour_accuracy(
        chamfer_matrix(fake, fake), chamfer_matrix(fake, real), chamfer_matrix(real, real)
    )
    assert accuracy == pytest.approx(2 / 6)


def test_coverage_asks_for_a_sample_nearby() -> None:
    """Real shapes at 0, 1, 3 and 7 tenths: their second nearest others are 3, 2, 3 and 6 away. Samples far off cover none,
    though each real shape is the nearest one of one of them."""
    real = line(0, 0.1, 0.3, 0.7)
    among = chamfer_matrix(real, real)
    assert covered(chamfer_matrix(line(0.05), real), among, k=2) == 3 / 4
    assert covered(chamfer_matrix(line(0.31), real), among, k=2) == 2 / 4
    assert (
        covered(chamfer_matrix(line(0.95), real), among, k=9) == 1 / 4
    )  # of three others the third: 7, 6, 4 and 7 tenths
    above = torch.tensor([0.0, 0.9, 0]) + line(0, 0.1, 0.3, 0.7)
    assert coverage(chamfer_matrix(above, real)) == 1 and covered(chamfer_matrix(above, real), among, k=3) == 0


def test_equal_sets_are_not_told_apart_and_far_ones_always() -> None:
    torch.manual_seed(0)
    real, fake, far = torch.rand(20, 6, 3), torch.rand(20, 6, 3), torch.rand(20, 6, 3) / 10

    def accuracy(samples: torch.Tensor) -> float:
        return nearest_neighbour_accuracy(
            chamfer_matrix(samples, samples), chamfer_matrix(samples, real), chamfer_matrix(real, real)
        )

    assert accuracy(real) == 0  # copies: the nearest is always the other one
    assert 0.2 < accuracy(fake) < 0.8
    assert accuracy(far) == 1


def test_points_lie_on_the_surface_in_units_of_the_longest_side() -> None:
    volume = np.zeros((1, 8, 8, 16), np.uint8)
    volume[0, 2:6, 2:6, 4:12] = 255
    points = points_on(volume)
    low, high = points[0].amin(0), points[0].amax(0)
    assert_close(low, torch.tensor([3.5, 1.5, 1.5]) / 16, atol=0.02, rtol=0)
    assert_close(high, torch.tensor([11.5, 5.5, 5.5]) / 16, atol=0.02, rtol=0)
    assert torch.equal(points, points_on(volume))
    assert_close(points_on(np.zeros_like(volume))[0, 0], torch.tensor([7.5, 3.5, 3.5]) / 16)


def test_figures_of_real_volumes_of_noise_and_of_one_shape() -> None:
    """Held-out volumes of the data score as the reference does; voxels at random, and one shape over and over, are told apart."""
    data = open_data("shapes", voxels=16)
    more = as_volumes(data.examples[100:140])
    real = measure_solids(more, data)
    assert real["1-NNA-CD"].value < 0.75 and real["one_piece"].value >= 0.8
    assert real["MMD-CD"].value == pytest.approx(real["MMD-CD"].reference, rel=0.5)
    assert real["MMD-CD"].primary and real["MMD-CD"].n == 40
    assert real["watertight"].value == 1
    # The simpler means that stand beside them are told always, and cover less.
    simpler = {name: figure.details["baselines"] for name, figure in real.items()}
    for what in SIMPLER_SOLIDS:
        assert simpler["1-NNA-CD"][what] > 0.9 and simpler["COV-CD"][what] < 0.3
        assert simpler["MMD-CD"][what] > 1.3 * real["MMD-CD"].value
    assert simpler["one_piece"] == {"independent voxels": 0, "mean shape": 1}

    noise = measure_solids(np.where(np.random.default_rng(0).random(more.shape) < 0.1, 255, 0).astype(np.uint8), data)
    assert noise["1-NNA-CD"].value > 0.95 and noise["one_piece"].value == 0
    assert noise["largest_piece"].value < 0.5
    one = measure_solids(np.repeat(more[:1], 40, axis=0), data)
    assert one["coverage"].value < 0.5 < 0.8 < real["coverage"].value
    assert real["coverage"].value == pytest.approx(real["coverage"].reference, abs=0.1)
    assert one["COV-CD"].value < 0.25 < real["COV-CD"].value and one["1-NNA-CD"].value > 0.9
    assert one["MMD-CD"].value > 1.5 * real["MMD-CD"].value
    empty = measure_solids(np.zeros_like(more), data)
    assert empty["watertight"].value == empty["one_piece"].value == 0


def test_what_no_method_made_has_the_frequencies_of_the_data() -> None:
    volumes = np.zeros((100, 4, 4, 4), np.uint8)
    volumes[:, 0] = 255
    volumes[:30, 1] = 255
    simpler = simpler_solids(volumes, 200)
    voxels, shape = (simpler[name] for name in SIMPLER_SOLIDS)
    assert (voxels[:, 0] == 255).all() and not voxels[:, 2:].any()
    assert (voxels[:, 1] > 0).mean() == pytest.approx(0.3, abs=0.03)
    assert (voxels[0, 1] != voxels[1, 1]).any()
    assert (shape[:, 0] == 255).all() and not shape[:, 1:].any()


def test_without_a_test_split_there_is_nothing_to_compare_with() -> None:
    data = blocks()
    alone = open_data(data.source, holdout=0)
    with pytest.raises(DataError, match=r"no test split.*data.holdout"):
        measure_solids(as_volumes(data.examples), alone)
    with pytest.raises(DataError, match="at least 2 samples"):
        measure_solids(as_volumes(data.examples[:1]), data)
