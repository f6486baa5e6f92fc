"""Halving and doubling with numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from ganvas.networks.resample import Downsample, Upsample, cut, even, pyramid, scatter_grid


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]),
        ((28, 28), [(28, 28), (14, 14), (7, 7), (4, 4)]),
        ((30, 50), [(30, 50), (15, 25), (8, 13), (4, 7)]),
        ((5, 5), [(5, 5), (3, 3)]),
        ((4, 4), [(4, 4)]),
        ((4, 100), [(4, 100)]),
        ((9, 100), [(9, 100), (5, 50), (3, 25)]),
        ((1, 1), [(1, 1)]),
    ],
)
def test_pyramid(size, expected) -> None:
    assert pyramid(*size) == expected


def test_cut_keeps_the_upper_left() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert cut(x, (2, 3)).tolist() == [[[[0, 1, 2], [4, 5, 6]]]]
    assert cut(x, (4, 4)) is x


def test_even_repeats_the_last_row_and_column() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    assert even(x).tolist() == [[[[1, 2, 3, 3], [1, 2, 3, 3]]]]
    whole = torch.zeros(1, 1, 2, 4)
    assert even(whole) is whole


def test_doubling_is_the_tent() -> None:
    row = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    assert_close(Upsample((2, 4))(row), torch.tensor([0.0, 1.0, 3.0, 4.0]).expand(1, 1, 2, 4))
    assert Upsample((1, 3))(row).shape == (1, 1, 1, 3)


def test_halving_is_the_mean() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0], [0.0, 0.0, 9.0]]).view(1, 1, 3, 3)
    assert_close(Downsample()(x), torch.tensor([[3.5, 5.0], [0.0, 9.0]]).view(1, 1, 2, 2))


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (28, 28), (30, 50)])
def test_down_and_up_meet_again(size) -> None:
    sizes = pyramid(*size)
    x = torch.ones(2, 3, *size)
    for smaller in sizes[1:]:
        x = Downsample()(x)
        assert x.shape[2:] == smaller
    for larger in sizes[-2::-1]:
        x = Upsample(larger)(x)
        assert x.shape[2:] == larger
    assert_close(x, torch.ones(2, 3, *size))


def test_scatter_grid_lays_cells_out_row_by_row() -> None:
    cells = torch.arange(2 * 2 * 3 * 5.0).view(2, 30)
    grid = scatter_grid(cells, 2, 3)
    assert grid.shape == (2, 5, 2, 3)
    assert grid[1, 4, 1, 2] == cells[1, (1 * 3 + 2) * 5 + 4]
    assert grid.is_contiguous(memory_format=torch.channels_last)
