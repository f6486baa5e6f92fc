"""Samples beside real images, in a fraction of a second: diversity, gap, coverage, near-duplicates, contrast.

Volumes and videos are compared as images too, whose channels are the depths, or a few frames (Kind.as_images); by their values
only, since features of single images say little of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data import Dataset
from ganvas.data.spec import Window
from ganvas.metrics.extractors import choose_extractor
from ganvas.metrics.modes import cluster_centres, entropy, nearest_row
from ganvas.sampling import to_uint8

TRAINING_IMAGES = 512  # that samples are compared with
STATISTICS_SAMPLES = 128  # and as many held-out images
CLUSTERS = 10
COVERAGE_NEIGHBOURS = 5
MAX_LABELLED = 4096  # images at most in which marks of the label are looked for
MIN_IMAGES_PER_CLASS = 5  # at least, on the average, for that
MIN_LABELLED, MAX_CHANCE = 100, 0.9  # images whose label another one has; share that agrees by chance
MAX_FLOATS = 2**25  # values of images that are in memory as floats at a time
MIN_DISTANCE = 1e-6  # to divide by, where all images are the same
COMPARED_SIDE = 16  # pixels are compared in images reduced to this size


@dataclass(frozen=True)
class Descriptors:
    """Images as they are compared: `features` (n, 64) of the digit network, `pixels` (n, P) in [-1, 1] of reduced images.
    Of other kinds both are the same."""

    features: Tensor
    pixels: Tensor


def describe(images: Tensor, by_features: bool = True) -> Descriptors:
    """Descriptors of images (n, C, H, W) in [-1, 1] on the CPU; values that are not finite count as 0."""
    images = torch.nan_to_num(images.float(), 0.0, 1.0, -1.0).clamp(-1, 1)
    reduced = F.adaptive_avg_pool2d(images, (min(COMPARED_SIDE, images.shape[2]), min(COMPARED_SIDE, images.shape[3])))
    pixels = reduced.flatten(1)
    if not by_features:
        return Descriptors(pixels, pixels)
    grey = to_uint8(images.mean(1, keepdim=True))
    extractor = choose_extractor("digits", (grey.shape[1], grey.shape[2], 1), True)
    return Descriptors(extractor.features(grey).clone(), pixels)


class Reference:
    """The real images: TRAINING_IMAGES of the training split, and what STATISTICS_SAMPLES held-out ones score beside them."""

    def __init__(self, data: Dataset) -> None:
        self.by_features = data.kind.is_image
        self.held_out = _held_out(data)
        self.real = _described(data, min(TRAINING_IMAGES, len(data.examples)))
        count = len(self.real.features)

        # How far real images are from each other.
        distances = torch.cdist(self.real.features, self.real.features)
        self.mean_distance = max(MIN_DISTANCE, off_diagonal_mean(distances))
        pixel_distances = torch.cdist(self.real.pixels, self.real.pixels)
        self.mean_pixel_distance = max(MIN_DISTANCE, off_diagonal_mean(pixel_distances))

        # The neighbourhood of each (coverage, precision), and their clusters (modes).
        neighbours = min(COVERAGE_NEIGHBOURS, count - 1)
        self.radii = distances.kthvalue(neighbours + 1, dim=1).values  # the nearest one is the image itself
        self.centres = cluster_centres(self.real.features, min(CLUSTERS, count))

        # How near the nearest other one is. Of as many images as there are samples: more images have nearer neighbours.
        self.duplicate_distance = 0.5 * float(nearest_other(self.real.pixels).quantile(0.05))
        nearest = nearest_other(self.real.pixels[:STATISTICS_SAMPLES])
        self.nearest_distance = max(MIN_DISTANCE, float(nearest.median()))

        scores, _ = self.compare(self.held_out)
        self.facts = {f"reference/{key}": value for key, value in scores.items()}
        self.facts["data/label_leak"] = label_leak(data)
        self.facts["data/labels_above_chance"] = self.labels_above_chance(data)

    def labels_above_chance(self, data: Dataset) -> float:
        """How many standard errors above chance the nearest other image, by features or by pixels, has an image's label: near 0
        where labels say nothing of the images. NaN without labels, or with too few images of a class to tell."""
        if data.labels is None or not data.kind.is_image:
            return float("nan")
        labels = torch.from_numpy(np.array(data.labels[: len(self.real.features)]))
        others = (labels[:, None] == labels).sum(1) - 1
        counted = others > 0
        chance = float(others[counted].float().mean()) / max(1, len(labels) - 1)
        if int(counted.sum()) < MIN_LABELLED or chance > MAX_CHANCE:
            return float("nan")
        error = (chance * (1 - chance) / int(counted.sum())) ** 0.5
        agreements: list[float] = []
        for points in (self.real.features, self.real.pixels):
            nearest = torch.cdist(points, points).fill_diagonal_(float("inf")).argmin(1)
            agreements.append(float((labels[nearest] == labels)[counted].float().mean()))
        return (max(agreements) - chance) / error

    def compare(self, images: Tensor) -> tuple[dict[str, float], Descriptors]:
        """Numbers of images (n, C, H, W) in [-1, 1] against the real ones, and their descriptors."""
        those, real = describe(images, self.by_features), self.real
        among = off_diagonal_mean(torch.cdist(those.features, those.features))
        pixels_among = off_diagonal_mean(torch.cdist(those.pixels, those.pixels))
        to_real = torch.cdist(those.features, real.features)
        pixels_to_real = torch.cdist(those.pixels, real.pixels)
        gap = 2 * float(to_real.mean()) - among - self.mean_distance
        pixel_gap = 2 * float(pixels_to_real.mean()) - pixels_among - self.mean_pixel_distance
        near = to_real <= self.radii
        nearest = nearest_other(those.pixels)
        counts = torch.bincount(nearest_row(those.features, self.centres), minlength=len(self.centres))
        numbers = {
            "diversity": among / self.mean_distance,
            "pixel_diversity": pixels_among / self.mean_pixel_distance,
            "gap": gap / self.mean_distance,
            "pixel_gap": pixel_gap / self.mean_pixel_distance,
            "coverage": float(near.any(0).float().mean()),
            "precision": float(near.any(1).float().mean()),
            "modes": float(np.exp(entropy(counts))),
            "top_mode_share": float(counts.max() / counts.sum()),
            "near_duplicates": float((nearest < self.duplicate_distance).float().mean()),
            "nearest": float(nearest.median()) / self.nearest_distance,
        }
        return {**numbers, **pixel_statistics(images)}, those


def _held_out(data: Dataset) -> Tensor:
    """SAMPLES images that are not compared with: held-out ones, else the next training images, else the same ones."""
    test = data.part("test")
    if test is not None and len(test.examples) >= COVERAGE_NEIGHBOURS:
        return _images(test, 0, STATISTICS_SAMPLES)
    first = TRAINING_IMAGES if len(data.examples) > TRAINING_IMAGES else 0
    return _images(data, first, first + STATISTICS_SAMPLES)


def _images(data: Dataset, start: int, end: int) -> Tensor:
    """Examples of a split as images (n, C, H, W) in [-1, 1]."""
    rows = np.arange(start, min(end, len(data.examples)))
    return data.kind.as_images(data.kind.batch(data, rows, Window(), "cpu").real)


def _described(data: Dataset, count: int) -> Descriptors:
    """Descriptors of the first examples, large ones in parts."""
    at_once = max(1, MAX_FLOATS // max(1, int(np.prod(data.examples.shape[1:]))))
    parts = []
    for start in range(0, count, at_once):
        parts.append(describe(_images(data, start, min(count, start + at_once)), data.kind.is_image))
    return Descriptors(torch.cat([part.features for part in parts]), torch.cat([part.pixels for part in parts]))


def pixel_statistics(images: Tensor) -> dict[str, float]:
    """Range, standard deviation and clipping of images in [-1, 1]."""
    values = torch.nan_to_num(images.float())
    flat = values.flatten()
    some = flat[:: max(1, len(flat) // 50_000)]
    low, high = torch.quantile(some, torch.tensor([0.01, 0.99])).tolist()
    return {
        "low": low,
        "high": high,
        "mean": float(values.mean()),
        "std": float(values.std()),
        "contrast": float(values.flatten(1).std(1).mean()),
        "saturated": float((values.abs() > 0.99).float().mean()),
    }


def label_leak(data: Dataset) -> float:
    """How much of a single pixel the label explains: the largest share of a pixel's variance that lies between the classes
    (epsilon squared, without the bias of few images). Near 1: the label is drawn into the images. NaN where there are no
    labels, or too few images of a class; pixels that hardly ever vary are left out."""
    if data.labels is None or not data.kind.is_image:
        return float("nan")
    count = min(MAX_LABELLED, MAX_FLOATS // max(1, int(np.prod(data.images.shape[1:]))))
    labels = np.asarray(data.labels[:count])
    _, member, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or len(labels) < MIN_IMAGES_PER_CLASS * len(counts):
        return float("nan")
    pixels = torch.from_numpy(np.array(data.images[:count])).flatten(1).float()
    pixels -= pixels.mean(0)
    sums = torch.zeros(len(counts), pixels.shape[1]).index_add_(0, torch.from_numpy(member), pixels)
    total = pixels.square().sum(0)
    between = (sums.square() / torch.from_numpy(counts)[:, None]).sum(0)
    varying = total > 0.1 * total.mean()
    if not bool(varying.any()):
        return float("nan")
    unexplained = (1 - between[varying] / total[varying]) * (len(labels) - 1) / (len(labels) - len(counts))
    return 1 - float(unexplained.min())


def off_diagonal_mean(distances: Tensor) -> float:
    """Mean of (n, n) without its diagonal; 0 for one row."""
    n = len(distances)
    return float(distances.sum() - distances.diagonal().sum()) / max(1, n * (n - 1))


def nearest_other(points: Tensor) -> Tensor:
    """Distance (n,) from each row to the nearest other row."""
    # By subtraction: the quick way by products leaves copies a little apart.
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(float("inf")).min(1).values


def mean_length(difference: Tensor) -> float:
    """Mean length of the rows."""
    return float(difference.norm(dim=1).mean())
