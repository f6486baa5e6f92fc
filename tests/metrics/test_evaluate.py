"""`measure` and the copy audit on real digits and on odd data."""

import dataclasses
import math

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.errors import DataError, UsageError
from ganvas.metrics import extractors, find_copies, measure, nearest
from parts import labels_of

KEYS = {
    "FD[digits]": "lower", "KD[digits]": "lower", "precision": "higher", "recall": "higher", "density": "higher",
    "coverage": "higher", "modes": "higher", "entropy": "higher", "KL": "lower", "copies": "lower",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_mobilenet(monkeypatch):
    """What "auto" takes must not depend on what else lies on this machine."""
    monkeypatch.setattr(extractors, "has_mobilenet_weights", lambda: False)
    monkeypatch.setattr(extractors, "has_efficientnet_weights", lambda: False)


@pytest.fixture(scope="module")
def train():
    return open_data("digits")


@pytest.fixture(scope="module")
def test(train):
    return train.part("test")


def of_arrays(like, images, labels=None, classes=()):
    """A data set of these arrays, of no fingerprint: nothing of it is kept in the cache."""
    spec = dataclasses.replace(like.spec, channels=images.shape[-1], classes=classes, count=len(images))
    return dataclasses.replace(like, spec=spec, examples=images, labels=labels, fingerprint="", _parts={})


def test_held_out_images_reach_the_floor(train, test):
    found = measure(np.array(test.images[:500]), train, test, seed=1)
    assert {name: entry.better for name, entry in found.items()} == KEYS
    assert [name for name, entry in found.items() if entry.primary] == ["FD[digits]"]
    for name, entry in found.items():
        assert isinstance(entry.value, float | int), name
        # The same images in another order: what is left is the rounding of the network.
        assert entry.value == pytest.approx(entry.reference, rel=1e-3, abs=1e-4) or name == "copies", name
        assert entry.n == 500
        assert "2000 test images" in entry.reference_from
    assert found["modes"].value == found["modes"].of == 10
    assert found["entropy"].value == pytest.approx(math.log(10), abs=0.02)
    assert found["coverage"].details["n_real"] == 500
    assert found["FD[digits]"].details["n_real"] == len(train)
    assert abs(found["copies"].value - found["copies"].reference) <= 6  # pyright: ignore[reportOperatorIssue]
    assert found["copies"].details["exact"] == 0


def test_the_cache_changes_nothing(train, test):
    images = np.array(test.images[:40])
    first, second = measure(images, train, test), measure(images, train, test)
    unkept = measure(images, of_arrays(train, train.images, train.labels, train.spec.classes), test)
    assert first == second == unkept


def test_more_samples_than_test_images_get_a_fair_value(train, test):
    few = of_arrays(test, test.images[:100], test.labels[:100], test.spec.classes)
    found = measure(np.array(test.images[:300]), train, few)
    entry = found["FD[digits]"]
    assert (entry.n, entry.reference_n) == (300, 100)
    assert entry.value < entry.value_at_reference_n  # fewer samples, more bias  # pyright: ignore[reportOperatorIssue]
    assert found["modes"].value_at_reference_n <= 10  # pyright: ignore[reportOptionalOperand]
    assert found["coverage"].reference_n == 100
    assert found["KD[digits]"].value_at_reference_n is None


@pytest.mark.parametrize("missing", [1, 4, 9])
def test_a_digit_that_is_never_made_is_not_covered(train, test, missing):
    found = measure(np.array(test.images[test.labels != missing]), train, test)
    assert (found["modes"].value, found["modes"].reference, found["modes"].of) == (9, 10, 10)
    assert found["KL"].value > 0.08 > found["KL"].reference  # pyright: ignore[reportOperatorIssue]


def test_noise_is_bad_in_every_way(train, test):
    noise = np.random.default_rng(0).integers(0, 256, (300, 28, 28, 1), dtype=np.uint8)
    found = measure(noise, train, test)
    assert found["FD[digits]"].value > 100 * found["FD[digits]"].reference  # pyright: ignore[reportOperatorIssue]
    assert found["precision"].value < 0.05 and found["coverage"].value < 0.05
    assert found["modes"].value < 6
    assert found["copies"].value == 0


def test_three_digits_an_image_are_a_thousand_modes():
    train = open_data("stacked_digits")
    test = train.part("test")
    # The first digit is never above 4, so half of the modes can be.
    rows = labels_of(test) < 500
    found = measure(np.array(test.images[rows]), *map(shortened, (train, test)))  # pyright: ignore[reportOptionalMemberAccess]
    assert found["modes"].of == 1000
    assert found["modes"].details["kind"] == "classes that the digit network reads"
    assert 450 < found["modes"].value <= 500
    assert found["KL"].value == pytest.approx(math.log(2), abs=0.2)


def shortened(data):
    """Fewer images for the feature network to read, none of the modes lost by it."""
    rows = np.sort(np.unique(data.labels, return_index=True)[1])
    return of_arrays(data, data.images[rows], data.labels[rows], data.spec.classes)


def test_without_a_test_split_half_of_the_training_images_stand_in(train):
    small = of_arrays(train, train.images[:401], train.labels[:401], train.spec.classes)
    found = measure(np.array(train.images[1000:1100]), small)
    assert found["FD[digits]"].details["n_real"] == 201
    assert "half of the training images" in found["FD[digits]"].reference_from
    assert "each compared with all the others" in found["copies"].reference_from
    assert found["copies"].details["threshold"] > 5  # no image was compared with itself
    assert found["modes"].of == 10


@pytest.mark.parametrize(("shape", "count"), [((30, 50, 2), 60), ((9, 7, 5), 12), ((32, 32, 3), 30), ((5, 5, 1), 5)])
def test_any_shape_and_few_images(train, shape, count):
    random = np.random.default_rng(0)
    data = of_arrays(train, random.integers(0, 256, (count, *shape), dtype=np.uint8))
    found = measure(random.integers(0, 256, (3, *shape), dtype=np.uint8), data)
    assert set(found) == {name.replace("digits", "filter_bank") for name in KEYS}
    assert "k-means" in found["modes"].details["kind"]
    assert "fixed filters stand in" in found["FD[filter_bank]"].warning
    assert all(math.isfinite(entry.value) and math.isfinite(entry.reference) for entry in found.values())  # pyright: ignore[reportArgumentType]


def test_a_test_split_of_labels_the_network_does_not_read(train, test):
    shuffled = np.roll(test.labels, 1)
    wrong = of_arrays(test, test.images[:200], shuffled[:200], test.spec.classes)
    found = measure(np.array(test.images[:50]), train, wrong)
    assert "k-means" in found["modes"].details["kind"]


def test_copies_are_found_and_test_images_are_not(train, test):
    planted = np.array(train.images[100:150])
    noisy = np.clip(planted[:20] + np.random.default_rng(0).normal(0, 12, planted[:20].shape), 0, 255).astype(np.uint8)
    honest = np.array(test.images[:400])
    found = find_copies(np.concatenate([planted, noisy, honest]), train, test)
    assert found.near[:50].all()
    assert found.near[50:70].sum() >= 15
    assert found.near[70:].sum() <= 10
    assert found.exact == 50
    assert found.reference == pytest.approx(470 * 0.01, abs=0.5)


def test_nearest_finds_the_image_itself_and_sorts(train):
    indices, distances = nearest(np.array(train.images[200:203]), train, k=3)
    assert indices.shape == distances.shape == (3, 3)
    assert indices[:, 0].tolist() == [200, 201, 202]
    assert distances[:, 0].tolist() == [0, 0, 0]
    assert (np.diff(distances, axis=1) >= 0).all() and (distances[:, 1:] > 0).all()


def test_nearest_distance_by_hand(train):
    """Images no larger than a thumbnail are their own: root of the mean of (10, 10, 10, 40)^2."""
    images = np.array([[[0, 0], [0, 0]], [[200, 200], [200, 200]]], dtype=np.uint8)[..., None]
    query = np.array([[[10, 10], [10, 40]]], dtype=np.uint8)[..., None]
    indices, distances = nearest(query, of_arrays(train, images), k=2)
    assert indices.tolist() == [[0, 1]]
    assert distances[0, 0] == pytest.approx(math.sqrt((3 * 100 + 1600) / 4))


def test_names_what_is_wrong(train, test):
    images = np.array(test.images[:3])
    with pytest.raises(DataError, match="these images are 28 x 28 x 3 and those of digits 28 x 28 x 1"):
        measure(images.repeat(3, 3), train, test)
    with pytest.raises(DataError, match=r"uint8 \(N, H, W, C\), N at least 1 \(got float64"):
        measure(images / 255, train, test)
    with pytest.raises(DataError, match="at least 2 samples"):
        measure(images[:1], train, test)
    with pytest.raises(UsageError, match="did you mean digits"):
        measure(images, train, test, features="digit")
    with pytest.raises(DataError, match="at least 4 training images"):
        measure(images, of_arrays(train, train.images[:3]))
    with pytest.raises(UsageError, match="k must lie between 1 and the 3 training images"):
        nearest(images, of_arrays(train, train.images[:3]), k=4)
    with pytest.raises(DataError, match="these have 2 channels"):
        two = np.zeros((6, 8, 8, 2), np.uint8)
        measure(two, of_arrays(train, two), features="mobilenet_v2")


def test_progress_is_told(train, test):
    heard = []
    measure(np.array(test.images[:300]), train, test, progress=lambda *told: heard.append(told))
    assert heard[-1] == ("features of samples", 300, 300)
