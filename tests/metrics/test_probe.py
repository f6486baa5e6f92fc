"""A probe reads labels off features, says how well, and names a class as an attribute."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ganvas.data import open_data
from ganvas.errors import DataError, UsageError
from ganvas.metrics.attributes import measure_attributes
from ganvas.metrics.probe import fit_probe
from parts import held_out, labels_of


def stripes(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Grey noise of 9 x 12, brighter at the left for class 0 and at the right for class 1."""
    random = np.random.default_rng(0)
    labels = np.arange(count) // 5 % 2
    images = random.integers(0, 120, (count, 9, 12, 2))
    images[labels == 0, :, :6] += 60
    images[labels == 1, :, 6:] += 60
    return images.astype(np.uint8), labels


def test_digits_are_read_on_held_out_images() -> None:
    data = open_data("digits")
    test = held_out(data)
    probe = fit_probe(
        data.images[:600], labels_of(data)[:600], data.spec.classes, (test.images[:400], labels_of(test)[:400])
    )
    assert probe.features == "digits" and probe.n == 400 and probe.accuracy > 0.95
    right = probe.predict(test.images[:400]) == labels_of(test)[:400]
    assert right.mean() == pytest.approx(probe.accuracy)
    four = probe.attribute("4")
    values = four.measure(test.images[:100])
    assert four.name == "class:4" and values[labels_of(test)[:100] == 4].mean() > 0.9
    np.testing.assert_allclose(probe.log_probabilities(test.images[:3]).exp().sum(1), 1, rtol=1e-5)


def test_any_images_by_their_pixels() -> None:
    images, labels = stripes()
    probe = fit_probe(images, labels, ("left", "right"))
    assert probe.features == "pixels" and probe.n == 12 and probe.accuracy == 1
    shuffled = np.random.default_rng(1).permutation(labels)
    assert fit_probe(images, shuffled, ("left", "right")).accuracy < 0.95, "of no label it reads nothing"


def test_refusals() -> None:
    images, labels = stripes()
    with pytest.raises(UsageError, match="there is no class lefd; did you mean left"):
        fit_probe(images, labels, ("left", "right")).number("lefd")
    with pytest.raises(DataError, match="two classes at least"):
        fit_probe(images, labels * 0, ("left", "right"))
    with pytest.raises(DataError, match="a label for each image"):
        fit_probe(images, labels[1:], ("left", "right"))


def test_features_are_extracted_once_for_all_classes() -> None:
    images, labels = stripes()
    fitted = fit_probe(images, labels, ("left", "right"))
    calls: list[int] = []

    def counted(images: np.ndarray) -> torch.Tensor:
        calls.append(len(images))
        return fitted.extract(images)

    probe = dataclasses.replace(fitted, extract=counted)
    attributes = [probe.attribute("left"), probe.attribute("right")]
    values = measure_attributes(images[:7], attributes)
    assert calls == [7]
    for one in attributes:
        np.testing.assert_array_equal(values[one.name], one.measure(images[:7]))
    np.testing.assert_allclose(values["class:left"] + values["class:right"], 1, rtol=1e-6)
