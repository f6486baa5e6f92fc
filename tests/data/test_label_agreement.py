"""Labels and what images look like: how often the nearest other image has the same label."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.data.label_agreement import COMPARED, LabelAgreement, small


def agreement(images: np.ndarray, labels: np.ndarray) -> float | None:
    found = LabelAgreement()
    for part in np.array_split(np.arange(len(images)), 7):
        found.add(images[part], labels[part])
    return found.share()


def grey(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values[:, None, None, None], (len(values), 8, 8, 1)).astype(np.uint8)


def test_labels_that_say_how_bright_an_image_is() -> None:
    values = np.random.default_rng(0).integers(0, 256, 600)
    assert agreement(grey(values), values // 128) == pytest.approx(1, abs=0.03)


def test_labels_that_say_nothing() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2000, 8, 8, 1)).astype(np.uint8)
    found = agreement(images, generator.integers(0, 4, 2000))
    assert found is not None and abs(found) < 0.06


def test_a_frequent_class_agrees_by_chance() -> None:
    """Of 19 in 20 images of one class most neighbours are, whatever the images are."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2000, 8, 8, 1)).astype(np.uint8)
    found = agreement(images, (generator.random(2000) < 0.95).astype(int))
    assert found is not None and abs(found) < 0.2


def test_too_few_images_or_one_class() -> None:
    values = np.arange(99)
    assert agreement(grey(values), values % 2) is None
    assert agreement(grey(np.arange(200)), np.zeros(200, int)) is None


def test_a_large_set_is_looked_at_in_part() -> None:
    found = LabelAgreement()
    for _ in range(3):
        found.add(np.zeros((COMPARED // 2, 2, 2, 1), np.uint8), np.zeros(COMPARED // 2, int))
    assert found._count == COMPARED  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("shape", "values"), [((40, 33, 3), 20 * 16 * 3), ((16, 16, 1), 256), ((3, 50, 1), 3 * 16)])
def test_small_copies_are_means(shape: tuple[int, int, int], values: int) -> None:
    copies = small(np.full((2, *shape), 7, np.uint8))
    assert copies.shape == (2, values) and (copies == 7).all()


def test_the_data_and_their_spec_say_it() -> None:
    """0.94 for digits, measured with 2026-11-30's built-in set."""
    digits = open_data("digits")
    assert digits.spec.label_agreement == digits.card()["label_agreement"] == pytest.approx(0.94, abs=0.01)
    assert open_data("emoji").spec.label_agreement == pytest.approx(0.59, abs=0.03)
