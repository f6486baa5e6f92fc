"""Grids stay bounded in pixels at any size of the images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.data.image_grid import bounded_grid, grid
from ganvas.preview import MAX_PREVIEW_PIXELS, preview, tile_size
from parts import images, small, trainer_for


def test_small_images_are_shown_as_they_are() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1)).astype(np.uint8)
    assert np.array_equal(bounded_grid(tiles, MAX_PREVIEW_PIXELS), grid(tiles))


def test_large_images_are_reduced_to_the_mean_of_squares() -> None:
    tiles = np.zeros((4, 64, 64, 1), np.uint8)
    tiles[:, ::2] = 100  # every second row: the mean of each square of 2 x 2 is 50
    small_grid = bounded_grid(tiles, pixels=64 * 64)
    assert small_grid.shape == (2 * 32 + 2, 2 * 32 + 2, 1)
    assert set(np.unique(small_grid)) == {50, 255}


@pytest.mark.parametrize("shape", [(1, 6000), (6000, 1), (3000, 4000)])
def test_extreme_shapes_are_bounded_too(shape: tuple[int, int]) -> None:
    tiles = np.zeros((16, *shape, 3), np.uint8)
    height, width, _ = bounded_grid(tiles, pixels=2**16).shape
    assert height * width <= 4 * 2**16


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 256, 256), (3, 200, 500)])
def test_a_preview_is_bounded_and_says_its_tile(shape: tuple[int, int, int]) -> None:
    data = images(shape, 20)
    trainer = trainer_for(small("gan", batch_size=4), data)
    _, image_grid = preview(trainer.average.method.eval(), data)
    assert image_grid is not None
    height, width, _ = image_grid.shape
    assert height * width <= 1.2 * MAX_PREVIEW_PIXELS
    tile = tile_size(trainer.method)
    columns = (width + 2) // (tile[1] + 2)
    assert columns * (tile[1] + 2) - 2 == width and columns >= 4
    assert torch.get_num_threads() >= 1
