from __future__ import annotations

import math

import numpy as np

from ganvas.data.turntable import COLOUR, rendered, turntable


def box(depth: slice, height: slice, width: slice) -> np.ndarray:
    volume = np.zeros((1, 16, 16, 16), np.uint8)
    volume[0, depth, height, width] = 255
    return volume


MIDDLE = slice(6, 10)


def seen(volume: np.ndarray, turn: float = 0.0) -> np.ndarray:
    """Where something is seen, (64, 64) bool."""
    return (rendered(volume, turn)[0] < 250).any(-1)


def test_nothing_is_white() -> None:
    assert (rendered(np.zeros((2, 8, 8, 8), np.uint8)) == 255).all()


def test_z_points_up() -> None:
    high, low = seen(box(slice(11, 15), MIDDLE, MIDDLE)), seen(box(slice(1, 5), MIDDLE, MIDDLE))
    assert np.argwhere(high)[:, 0].mean() < 25 and np.argwhere(low)[:, 0].mean() > 39


def test_x_points_right_and_half_a_turn_puts_it_left() -> None:
    volume = box(MIDDLE, MIDDLE, slice(11, 15))
    assert np.argwhere(seen(volume))[:, 1].mean() > 40
    assert np.argwhere(seen(volume, math.pi))[:, 1].mean() < 24


def test_what_is_near_hides_what_is_behind() -> None:
    near, far = box(slice(2, 14), slice(2, 4), slice(2, 14)), box(slice(4, 8), slice(11, 13), MIDDLE)
    assert np.array_equal(rendered(near, 0.0), rendered(near | far, 0.0))


def test_the_top_is_brighter_than_the_sides_and_all_is_of_one_colour() -> None:
    image = rendered(box(slice(3, 13), slice(3, 13), slice(3, 13)), math.pi / 4, 96)[0].astype(float)
    top, left, right = image[30, 48], image[58, 34], image[58, 62]
    assert top.sum() > left.sum() > right.sum()  # the light comes from above, and from the left
    assert np.allclose(top / top.max(), np.array(COLOUR) / max(COLOUR), atol=0.02)


def test_a_turntable_comes_around() -> None:
    volume = box(slice(4, 9), slice(2, 14), slice(5, 9))
    frames = turntable(volume, 4)
    assert frames.shape == (4, 1, 64, 64, 3)
    assert np.array_equal(frames[0, 0], rendered(volume)[0])
    assert not np.array_equal(frames[0], frames[1])


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    volumes = np.concatenate([box(MIDDLE, MIDDLE, slice(start, start + 4)) for start in range(8)] * 3)
    assert np.array_equal(rendered(volumes)[20], rendered(volumes[20:21])[0])
