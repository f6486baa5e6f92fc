"""The shipped sets, and stacked digits."""

from __future__ import annotations

import hashlib
import re
from importlib import resources

import numpy as np
import pytest

from ganvas.data import example_grid, open_data
from parts import held_out, labels_of


def test_digits_are_balanced_and_their_splits_share_no_image():
    train = open_data("digits")
    test = train.part("test")
    assert train.images.shape == (6630, 28, 28, 1) and train.images.dtype == np.uint8
    assert np.bincount(labels_of(train)).tolist() == [663] * 10
    assert np.bincount(labels_of(test)).tolist() == [200] * 10
    assert train.card()["duplicates"] == {"within_train": 0, "within_test": 0, "test_in_train": 0}


def test_any_prefix_of_digits_is_balanced():
    assert np.bincount(labels_of(open_data("digits"))[:50]).tolist() == [5] * 10


def test_digits_cannot_be_overwritten():
    with pytest.raises(ValueError, match="read-only"):
        open_data("digits").images[0] = 0


def test_emoji_pairs_are_swapped_in_the_twitter_set():
    google, twitter = open_data("emoji"), open_data("emoji:twitter")
    assert google.spec.paired and google.images.shape == (1720, 32, 32, 3)
    assert (google.images == twitter.partners).all() and (google.partners == twitter.images).all()
    assert (google.labels == twitter.labels).all()
    assert len(google.spec.classes) == 10 and len(held_out(google)) == 191
    assert google.card()["duplicates"]["test_in_train"] == twitter.card()["duplicates"]["test_in_train"] == 0


def test_each_emoji_category_has_a_tenth_for_testing():
    test, train = open_data("emoji", split="test"), open_data("emoji")
    shares = np.bincount(labels_of(test)) / (np.bincount(labels_of(test)) + np.bincount(labels_of(train)))
    assert np.delete(shares, 2).min() > 0.09 and np.delete(shares, 2).max() < 0.11  # "Component" has five emoji in all


def test_stacked_digits_hold_the_digits_that_their_label_says():
    digits, stacked = open_data("digits"), open_data("stacked_digits")
    assert stacked.images.shape == (10_000, 28, 28, 3) and len(held_out(stacked)) == 2000
    assert (np.bincount(labels_of(stacked), minlength=1000) == 10).all()
    known = {image.tobytes(): label for image, label in zip(digits.images, labels_of(digits), strict=True)}
    for image, label in zip(stacked.images[:300], labels_of(stacked)[:300], strict=True):
        red, green, blue = (known[np.ascontiguousarray(image[..., channel]).tobytes()] for channel in range(3))
        assert label == 100 * red + 10 * green + blue


def test_settings_apply_to_shipped_sets():
    small = open_data("digits", size="14x20", channels=3)
    assert small.images.shape == (6630, 14, 20, 3) and small.spec.shape == (3, 14, 20)
    assert (small.images[..., 0] == small.images[..., 2]).all()


def test_spread_is_the_mean_squared_distance_from_the_mean_image():
    train = open_data("digits")
    scaled = train.images.astype(np.float64) / 127.5 - 1
    assert train.spec.total_variance == pytest.approx(((scaled - scaled.mean(0)) ** 2).sum((1, 2, 3)).mean(), rel=1e-9)
    assert held_out(train).spec.total_variance == train.spec.total_variance


def test_shipped_files_are_those_of_the_readme():
    folder = resources.files("ganvas.data") / "builtin"
    told = dict(re.findall(r"`(\w+\.npz)`[^\n]*?`([0-9a-f]{64})`", (folder / "README.md").read_text()))
    assert set(told) == {"digits.npz", "emoji.npz", "shapes.npz"}
    for name, digest in told.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_example_grid_has_a_row_for_each_class():
    image = example_grid(open_data("digits"), columns=4, gap=2)
    assert image.shape == (10 * 30 - 2, 4 * 30 - 2, 1)
    pairs = example_grid(open_data("emoji"), columns=3, rows=2)
    assert pairs.shape == (2 * 34 - 2, 3 * (32 + 2 + 32 + 2) - 2, 3)
