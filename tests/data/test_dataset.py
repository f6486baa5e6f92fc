"""Parts of a data set as data sets of their own."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.data.dataset import labelled_set, subset
from ganvas.errors import DataError
from parts import images, words


def test_rows_of_a_set() -> None:
    data = open_data("digits")
    assert data.labels is not None
    rows = np.array([5, 5, 900, 3])
    few = subset(data, rows, "few")
    assert np.array_equal(few.images, data.images[rows]) and few.labels is not None
    assert np.array_equal(few.labels, data.labels[rows])
    assert few.spec.count == len(few) == 4 and few.spec.classes == data.spec.classes
    assert few.spec.class_counts == tuple(np.bincount(data.labels[rows], minlength=10))
    assert few.part("test") is None and few.settings == data.settings
    # Equal bytes in an equal order, and nothing else, have an equal fingerprint.
    assert few.fingerprint == subset(data, rows, "few").fingerprint
    assert few.fingerprint not in {subset(data, rows[::-1], "few").fingerprint, data.fingerprint}
    with pytest.raises(ValueError, match="read-only"):
        few.images[0] = 0
    with pytest.raises(DataError, match="no path names"):
        open_data(few.source)


def test_the_total_variance_is_that_of_the_training_data() -> None:
    data = open_data("digits")
    whole = subset(data, np.arange(len(data)), "whole")
    assert whole.spec.total_variance == pytest.approx(data.spec.total_variance, rel=1e-9)
    two = labelled_set(data, np.array([[[[0]]], [[[255]]]], np.uint8), np.array([0, 1]), "two")
    assert two.spec.total_variance == pytest.approx(1.0)  # -1 and 1: both one away from their mean


def test_what_a_set_is_fits_into_a_line() -> None:
    """An array of it would fill a terminal, and a path tells of the machine."""
    assert repr(images((3, 8, 12))) == "Dataset('3x8x12-40', train, 36 images of 8x12, 3 classes)"
    assert repr(words()).endswith(f"train, {len(words())} tokens)")
