"""Images of one colour, two ranges of values, noise: counted, named, and silent where all is well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data, write_png
from ganvas.data.odd_images import OddImages, neighbour_correlation


def full_range(count: int, seed: int = 0) -> np.ndarray:
    """Images (count, 8, 8, 1) from 0 to 255."""
    images = np.random.default_rng(seed).integers(1, 255, (count, 8, 8, 1)).astype(np.uint8)
    images[:, 0, 0], images[:, 0, 1] = 0, 255
    return images


def found(images: np.ndarray, at_once: int = 7) -> OddImages:
    odd = OddImages()
    for start in range(0, len(images), at_once):
        some = images[start : start + at_once]
        odd.add(some, [f"number {start + row}" for row in range(len(some))])
    return odd


def test_good_images_have_no_facts() -> None:
    odd = found(full_range(100))
    assert odd.facts() == {} and odd.notes() == [] and odd.greatest == 255


def test_images_of_one_colour_are_counted_and_named() -> None:
    images = full_range(100)
    images[10:20] = 7
    odd = found(images)
    assert odd.facts() == {"one_colour": {"images": 10, "such_as": ["number 10", "number 11", "number 12"]}}
    assert odd.notes()[0].startswith("10 images (such as number 10, number 11, number 12) are of one colour")
    images[10:13] = full_range(3)
    assert found(images).facts() == {}  # seven are not worth a sentence


@pytest.mark.parametrize("change", [lambda x: x // 3, lambda x: 255 - x // 3], ids=["dark", "bright"])
def test_two_ranges_of_values_are_told_apart(change: object) -> None:
    images = full_range(100)
    images[30:50] = change(images[30:50])  # pyright: ignore[reportCallIssue]
    facts = found(images).facts()
    assert facts["other_range"]["images"] == 20
    assert facts["other_range"]["such_as"][0] == "number 30"
    images[33:50] = full_range(17)
    assert found(images).facts() == {}


def test_ranges_that_run_into_each_other_are_one() -> None:
    images = full_range(200)
    images = (images * np.linspace(0.2, 1, 200)[:, None, None, None]).astype(np.uint8)
    assert found(images).facts() == {}


def test_neighbours_of_noise_are_unrelated() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3)).astype(np.uint8)
    assert abs(neighbour_correlation(noise) or 1) < 0.05
    ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8)[None, :, None, None], (2, 1, 16, 1))
    assert (neighbour_correlation(ramp) or 0) > 0.8
    assert neighbour_correlation(np.zeros((2, 4, 4, 1), np.uint8)) is None
    assert neighbour_correlation(np.zeros((2, 1, 1, 1), np.uint8)) is None


def test_a_folder_names_its_files(tmp_path: Path) -> None:
    for number, image in enumerate(full_range(30)):
        write_png(tmp_path / f"{number:02}.png", image if number >= 9 else image * 0)
    data = open_data(tmp_path, holdout=0.1)
    assert data.card()["one_colour"]["images"] == 9
    assert all(int(name[:2]) < 9 for name in data.card()["one_colour"]["such_as"])
    assert any("of one colour" in note for note in data.notes)
