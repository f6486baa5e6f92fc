"""Label accuracy: real digits under right and wrong labels."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.errors import DataError
from ganvas.metrics.labels import label_accuracy
from parts import labels_of


def test_real_digits_are_what_their_labels_say() -> None:
    data = open_data("digits", split="test")
    images, labels = data.images[:200], labels_of(data)[:200]
    found = label_accuracy(images, labels)
    assert found.value >= 0.97 and found.n == 200
    assert list(found.details["by_class"]) == list("0123456789")
    assert label_accuracy(images, (labels + 1) % 10).value <= 0.03


def test_a_share_by_hand() -> None:
    """Three images of which one is asked for as another digit: 2/3; of class 1 all, of class 5 half."""
    data = open_data("digits", split="test")
    ones, fives = (data.images[data.labels == digit] for digit in (1, 5))
    found = label_accuracy(np.stack([ones[0], fives[0], ones[1]]), [1, 5, 5])
    assert found.value == pytest.approx(2 / 3)
    assert found.details["by_class"] == {"1": 1.0, "5": 0.5}


def test_stacked_digits_are_read_channel_by_channel() -> None:
    data = open_data("stacked_digits", split="test")
    found = label_accuracy(data.images[:100], labels_of(data)[:100], data.spec.classes)
    assert found.value >= 0.93
    wrong_in_blue = labels_of(data)[:100] // 10 * 10 + (labels_of(data)[:100] + 1) % 10
    assert label_accuracy(data.images[:100], wrong_in_blue, data.spec.classes).value <= 0.05


def test_what_the_network_cannot_read_is_an_error() -> None:
    images = np.zeros((2, 28, 28, 1), dtype=np.uint8)
    with pytest.raises(DataError, match="named cat, dog in 1 channels"):
        label_accuracy(images, [0, 1], ["cat", "dog"])
    with pytest.raises(DataError, match="without names"):
        label_accuracy(images, [0, 1], [])
    with pytest.raises(DataError, match=r"labels must be from 0 to 9 \(got 0 to 10\)"):
        label_accuracy(images, [0, 10])
    with pytest.raises(DataError, match="2 images, 3 labels"):
        label_accuracy(images, [0, 1, 2])
