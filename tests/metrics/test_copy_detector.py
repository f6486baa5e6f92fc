"""Copies planted among real digits are found, unseen digits are not; the calibration by hand; clear errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ganvas.data import Dataset, open_data
from ganvas.data.augment import shifted
from ganvas.errors import DataError
from ganvas.metrics.copy_detector import (
    MAX_FALSE_POSITIVES,
    CopyDetector,
    calibrated,
    search_parts,
    search_pixels,
    small,
)
from ganvas.metrics.evaluate import extractor_for
from parts import held_out


def part(data: Dataset, rows: slice) -> Dataset:
    """Some rows of a data set, which is not cached."""
    labels = None if data.labels is None else data.labels[rows]
    return dataclasses.replace(data, examples=data.examples[rows], labels=labels, fingerprint="")


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    data = open_data("digits")
    return part(data, slice(0, 600)), part(held_out(data), slice(0, 150))


@pytest.fixture(scope="module")
def detector(digits: tuple[Dataset, Dataset]) -> CopyDetector:
    return CopyDetector(*digits, extractor_for(*digits))


def moved(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """All images (N, C, H, W) by the same whole pixels."""
    return shifted(images, torch.full((len(images),), down), torch.full((len(images),), right))


def changed(images: np.ndarray) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    noisy = images + random.normal(0, 10, images.shape)
    return {
        "exact": images,
        "mirrored": images[:, :, ::-1],
        "shifted": moved(torch.from_numpy(images).permute(0, 3, 1, 2), 1, 0).permute(0, 2, 3, 1).numpy(),
        "darker": (images * 0.9).astype(np.uint8),
        "noise": noisy.clip(0, 255).astype(np.uint8),
    }


def test_planted_copies_are_found_and_named(digits: tuple[Dataset, Dataset], detector: CopyDetector) -> None:
    rows = np.arange(40)
    for name, images in changed(np.array(digits[0].images[rows])).items():
        found = detector.detect(np.ascontiguousarray(images))
        assert found.copies.mean() >= 0.95, name
        assert (found.originals == rows).mean() >= 0.95, name
        assert found.exact.all() == (name == "exact")


def test_unseen_digits_are_no_copies(detector: CopyDetector) -> None:
    unseen = held_out(open_data("digits")).images[1000:1200]
    assert detector.detect(unseen).copies.mean() <= 0.03  # 1 % expected; 6 of 200 are the 99.5 % quantile of chance


def test_calibration_by_hand() -> None:
    """Of 199 ratios 0.01 to 1.99 in each search: median 1.0, lower tenth 0.208, so the scale is 0.792. k is 0.01 * 200 = 2: the
    second largest score, of ratio 0.02."""
    values = torch.arange(1, 200) / 100
    result = calibrated(values[:, None].repeat(1, 3), values, "199 images")
    assert result.medians.tolist() == pytest.approx([1.0] * 3)
    assert result.scales.tolist() == pytest.approx([0.792] * 3)
    assert result.threshold == pytest.approx(0.98 / 0.792)
    assert result.near == pytest.approx(0.01)
    scores, searches = result.scores(torch.tensor([[0.5, 0.01, 0.9], [0.02, 1.0, 1.0]]))
    assert searches.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([0.99 / 0.792, 0.98 / 0.792])


def test_the_threshold_holds_for_any_distribution() -> None:
    """The mean false positive rate over many calibrations is k / (n + 1), here 1 of 100."""
    generator = torch.Generator().manual_seed(0)
    rates: list[float] = []
    for _ in range(300):
        ratios = torch.rand(99, 3, generator=generator) ** 3
        result = calibrated(ratios, ratios[:, 0], "")
        scores, _ = result.scores(torch.rand(500, 3, generator=generator) ** 3)
        rates.append(float((scores > result.threshold).double().mean()))
    assert np.mean(rates) == pytest.approx(MAX_FALSE_POSITIVES, abs=0.003)


def test_registration_undoes_shift_mirror_and_crop() -> None:
    """Images of smooth noise: the search finds each one's own original, at a distance of about 0."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(30, 1, 8, 8, generator=generator)
    train = torch.nn.functional.interpolate(noise, (30, 30), mode="bicubic").clamp(0, 1).mul(255).to(torch.uint8)
    cropped = torch.nn.functional.interpolate(train[:, :, 1:28, 3:30].float(), (30, 30), mode="bilinear").to(
        torch.uint8
    )
    for images in (train, moved(train, 2, -1), train.flip(3), cropped):
        ratio, index, distance = search_pixels(images, train)
        assert index.tolist() == list(range(30))
        assert float(distance.max()) < 0.15 and float(ratio.max()) < 0.2
    assert float(search_pixels(train, train, torch.arange(30))[2].min()) > 0.5  # not itself


def test_a_half_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    train = torch.randint(0, 256, (30, 3, 16, 16), generator=generator, dtype=torch.uint8)
    other = torch.randint(0, 256, (30, 3, 16, 16), generator=generator, dtype=torch.uint8)
    other[:, :, 8:] = train[:, :, 8:]
    ratio, index = search_parts(other, train)
    assert index.tolist() == list(range(30)) and float(ratio.max()) < 0.05


def test_exact_copies_of_flat_images_count(digits: tuple[Dataset, Dataset]) -> None:
    """A flat image correlates with nothing, and is a copy all the same."""
    train = dataclasses.replace(
        digits[0], examples=np.concatenate([digits[0].images[:200], np.full((1, 28, 28, 1), 7, np.uint8)])
    )
    detector = CopyDetector(train, digits[1], extractor_for(*digits))
    found = detector.detect(np.full((1, 28, 28, 1), 7, np.uint8))
    assert found.copies.tolist() == [True] and found.originals.tolist() == [200]


def test_training_images_calibrate_where_few_are_held_out(digits: tuple[Dataset, Dataset]) -> None:
    train, test = part(digits[0], slice(0, 80)), part(digits[1], slice(0, 30))
    calibration = CopyDetector(train, test, extractor_for(*digits)).calibration
    assert calibration.n == 110
    assert calibration.source == "30 held-out images and 80 training images, each compared with all the others"


def test_clear_errors(digits: tuple[Dataset, Dataset], detector: CopyDetector) -> None:
    few, test = part(digits[0], slice(0, 40)), part(digits[1], slice(0, 40))
    with pytest.raises(DataError, match=r"has 80 images in all, and calibrating at .* takes 99"):
        CopyDetector(few, test, detector.extractor)
    with pytest.raises(DataError, match="has 1 training images, and finding copies takes 10"):
        CopyDetector(part(digits[0], slice(0, 1)), test, detector.extractor)
    with pytest.raises(DataError, match="14 x 28 x 1 and those of digits 28 x 28 x 1"):
        detector.detect(np.zeros((2, 14, 28, 1), np.uint8))
    assert small(np.zeros((2, 64, 48, 3), np.uint8)).shape == (2, 3, 32, 32)
