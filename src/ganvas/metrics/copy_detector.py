"""Which images are copies of training images, even shifted, mirrored, cropped, noisy or in part: with a calibrated threshold.

Three searches look for the training image that an image may have been copied from:

    pixels    correlation of brightness after registration: mirrored or not, shifted by up to 2 pixels, enlarged by up to 1 / 0.9
    features  distance of the feature network, of the image and of its mirror image
    parts     as pixels, of each half alone (left, right, top, bottom), mirrored or not, shifted by up to 1 pixel

Each distance is divided by the mean distance of the next nearest training images (Carlini et al. 2023, arXiv:2301.13188):
a blurred or very common image is near to many training images, a copy to one only. The first few are left out of the mean, so
that duplicates among the training images do not hide a copy.

What is suspiciously near is read from held-out real images: each search is put on one scale by their median and lower tenth, the
largest value over the searches is an image's score, and the threshold is chosen so that a new held-out image exceeds it with
probability 0.01 at most (the order statistic of conformal prediction, exact for any distribution).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.augment import shifted
from ganvas.errors import DataError
from ganvas.metrics.copying import area_means, check_images, image_digests
from ganvas.metrics.extractors import Extractor, extract
from ganvas.metrics.store import remembered

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_FALSE_POSITIVES = 0.01  # share of held-out images above the threshold, at most
MIN_CALIBRATION = 99  # calibration images at least: the smallest n with 1 / (n + 1) <= 0.01
MAX_CALIBRATION = 1000  # calibration images at most
MIN_TRAIN_IMAGES = 10  # training images: fewer have no neighbours to compare a distance with
MAX_SEARCHED = 50_000  # training images looked at
DETECTOR_SIDE = 32  # images are compared at most at this size
COARSE_SIDE = 16  # candidates are found at this size
CANDIDATES = 48  # candidates of each image
PART_CANDIDATES = 24  # candidates of each half
OMITTED_CANDIDATES = 4  # nearest candidates that are not in the mean: the copy, and duplicates of its original
MIN_HALF_VARIANCE = 0.1  # a half with less than this share of the image's variance says nothing
SEARCHES = ("pixels", "features", "parts")
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
HALVES = {"left": (0, 1, 0, 0.5), "right": (0, 1, 0.5, 1), "top": (0, 0.5, 0, 1), "bottom": (0.5, 1, 0, 1)}
REGISTERED_PER_BLOCK = 16  # images registered at a time


class Found(NamedTuple):
    """The best training image of each of n images, by each search."""

    ratios: Tensor
    """(n, 3) by `SEARCHES`: distance over the mean distance of the next nearest; 0 is a copy, about 0.8 is usual."""
    indices: Tensor
    """(n, 3) int64, of the training images."""
    distances: Tensor
    """(n,) of the search by pixels: sqrt(2 - 2 * correlation), 0 to 2."""


@dataclass(frozen=True)
class Calibration:
    """What the distances of held-out images say about what is suspicious."""

    medians: Tensor
    """(3,), of the ratios."""
    scales: Tensor
    """(3,), median minus lower tenth."""
    threshold: float
    """Score above which an image is called a copy."""
    near: float
    """Registered pixel distance below which two images are near-duplicates: half of what 1 % of held-out images have."""
    n: int
    source: str
    """Where the calibration images come from, in words."""

    def scores(self, ratios: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) scores and (n,) numbers of the searches that gave them, of ratios (n, 3)."""
        return ((self.medians - ratios) / self.scales).max(1)


class Detected(NamedTuple):
    """What the detector says about n images."""

    copies: np.ndarray
    """(n,) bool."""
    exact: np.ndarray
    """(n,) bool: equal to a training image in every byte."""
    scores: np.ndarray
    """(n,) float64; copies lie above the threshold."""
    searches: list[str]
    """Which search gave the score."""
    originals: np.ndarray
    """(n,) int64: the training image found by that search."""


class CopyDetector:
    """Finds copies of training images; the threshold comes from held-out ones.

    DataError for fewer than 99 images to calibrate with: those of `test`, and where these are fewer, training images too, each
    compared with all the others.
    """

    def __init__(self, train: Dataset, test: Dataset | None, extractor: Extractor) -> None:
        if len(train.images) < MIN_TRAIN_IMAGES:
            raise DataError(
                f"{train.name} has {len(train.images)} training images, and finding copies takes {MIN_TRAIN_IMAGES} at least:"
                " with fewer there are no neighbours to compare a distance with"
            )
        self.train = train
        self.images = train.images[:MAX_SEARCHED]
        self.extractor = extractor
        self._small = small(self.images)
        self._digests = image_digests(self.images)
        keep = bool(train.fingerprint) and (test is None or bool(test.fingerprint))
        parts = [train.fingerprint, test.fingerprint if test is not None else None, extractor.key, _constants()]

        def compute() -> dict[str, Tensor]:
            features = extract(extractor, self.images, "training images")
            return {"features": features}

        self._features = remembered("copy-features", parts, keep, compute)["features"]
        self.calibration = self._calibrated(test, parts, keep)

    def _calibrated(self, test: Dataset | None, parts: list[object], keep: bool) -> Calibration:
        held_out = test.images[:MAX_CALIBRATION] if test is not None else self.images[:0]
        missing = max(0, MIN_CALIBRATION - len(held_out))
        # Where there are enough held-out images, they alone count: training images may be near to each other.
        rows = np.arange(0)
        if missing:
            rows = np.arange(min(len(self.images), MAX_CALIBRATION))
        n = len(held_out) + len(rows)
        if n < MIN_CALIBRATION:
            raise DataError(
                f"{self.train.name} has {n} images in all, and calibrating at a false positive rate of {MAX_FALSE_POSITIVES:g}"
                f" takes {MIN_CALIBRATION} at least: without them nobody can say what is suspiciously near"
            )

        def compute() -> dict[str, Tensor]:
            found: list[Found] = []
            if len(held_out):
                found.append(self.search(held_out))
            if len(rows):
                found.append(self.search(self.images[rows], itself=rows))
            return {
                "ratios": torch.cat([one.ratios for one in found]),
                "distances": torch.cat([one.distances for one in found]),
            }

        stored = remembered("copy-calibration", parts, keep, compute)
        source = f"{len(held_out)} held-out images"
        if missing and len(held_out):
            source += f" and {len(rows)} training images, each compared with all the others"
        elif missing:
            source = f"{len(rows)} training images, each compared with all the others (there is no test split)"
        return calibrated(stored["ratios"], stored["distances"], source)

    def detect(self, images: np.ndarray) -> Detected:
        """Which of `images` uint8 (n, H, W, C) are copies of training images. DataError for another shape."""
        check_images(images, self.train)
        found = self.search(images)
        scores, searches = self.calibration.scores(found.ratios)
        originals = found.indices.gather(1, searches[:, None])[:, 0].numpy().copy()
        names = [SEARCHES[i] for i in searches.tolist()]

        # An equal image is a copy, however flat it is, and its original is known.
        order = np.argsort(self._digests, kind="stable")
        own = image_digests(images)
        places = np.searchsorted(self._digests[order], own).clip(max=len(order) - 1)
        exact = self._digests[order][places] == own
        originals[exact] = order[places][exact]
        copies = (scores.numpy() > self.calibration.threshold) | exact
        return Detected(copies, exact, scores.double().numpy(), names, originals)

    def search(self, images: np.ndarray, itself: np.ndarray | None = None) -> Found:
        """The best training image of each of `images` by each search. `itself` (n,): image i is that training image, which is
        not to be found."""
        exclude = None if itself is None else torch.from_numpy(itself)
        x = small(images)
        pixel_ratios, pixel_indices, distances = search_pixels(x, self._small, exclude)
        feature_ratios, feature_indices = self._by_features(images, exclude)
        part_ratios, part_indices = search_parts(x, self._small, exclude)
        return Found(
            torch.stack([pixel_ratios, feature_ratios, part_ratios], 1),
            torch.stack([pixel_indices, feature_indices, part_indices], 1),
            distances,
        )

    def _by_features(self, images: np.ndarray, exclude: Tensor | None) -> tuple[Tensor, Tensor]:
        k = min(CANDIDATES, len(self._features))
        plain = extract(self.extractor, images, "images")
        mirrored = extract(self.extractor, np.ascontiguousarray(images[:, :, ::-1]), "mirrored images")
        nearest: list[Tensor] = []
        indices: list[Tensor] = []
        for start in range(0, len(images), 256):
            rows = slice(start, start + 256)
            distances = torch.cdist(plain[rows], self._features)
            distances = torch.minimum(distances, torch.cdist(mirrored[rows], self._features))
            if exclude is not None:
                distances.scatter_(1, exclude[rows, None], torch.inf)
            chosen = distances.topk(k, largest=False)
            nearest.append(chosen.values)
            indices.append(chosen.indices[:, 0])
        return _ratio(torch.cat(nearest)), torch.cat(indices)


def calibrated(ratios: Tensor, distances: Tensor, source: str) -> Calibration:
    """The calibration by ratios (n, 3) and registered pixel distances (n,) of n >= 99 held-out images."""
    medians = ratios.quantile(0.5, 0)
    scales = (medians - ratios.quantile(0.1, 0)).clamp_min(1e-3)
    scores = ((medians - ratios) / scales).amax(1)
    n = len(ratios)
    # P(a new score exceeds the k-th largest of n) = k / (n + 1).
    k = int(MAX_FALSE_POSITIVES * (n + 1) + 1e-9)
    threshold = float(scores.sort(descending=True).values[k - 1])
    near = float(distances.sort().values[k - 1]) / 2
    return Calibration(medians, scales, threshold, near, n, source)


# --- search by pixels and by parts --------------------------------------------------------------------------------------


def small(images: np.ndarray) -> Tensor:
    """uint8 (n, C, h, w) of images uint8 (n, H, W, C), h and w at most 32: means of areas."""
    return area_means(images, DETECTOR_SIDE)


def search_pixels(x: Tensor, train: Tensor, exclude: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Of images (n, C, h, w) uint8 among `train` (M, C, h, w) uint8: ratio (n,), index (n,) and registered distance (n,) of the
    nearest. `exclude` (n,) are indices not to be found."""
    height, width = x.shape[2:]

    # Candidates: the whole image against the whole, and against nine windows of 0.9 of the height and width.
    pairs: list[tuple[Tensor, tuple[int, int, int, int]]] = []
    for down, right in SHIFTS:
        query = shifted(x, torch.full((len(x),), down), torch.full((len(x),), right))
        pairs.append((query, (0, height, 0, width)))
    window_height, window_width = round(0.9 * height), round(0.9 * width)
    for down, right in itertools.product((0, 0.5, 1), (0, 0.5, 1)):
        top, left = round(down * (height - window_height)), round(right * (width - window_width))
        pairs.append((x, (top, top + window_height, left, left + window_width)))
    chosen = _candidates(pairs, train, CANDIDATES, exclude)

    grids, masks = _views(height, width)
    distances = registered(x, train, chosen, grids, masks)
    ordered = distances.sort(1)
    indices = chosen.gather(1, ordered.indices[:, :1])[:, 0]
    return _ratio(ordered.values), indices, ordered.values[:, 0]


def search_parts(x: Tensor, train: Tensor, exclude: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """As `search_pixels`, of the half whose ratio is least: ratio (n,) and index (n,)."""
    height, width = x.shape[2:]
    variance = x.float().flatten(1).var(1)
    grids, masks = _views(height, width, most=1, zooms=())
    best = torch.full((len(x),), torch.inf)
    indices = torch.zeros(len(x), dtype=torch.int64)
    for top, bottom, left, right in HALVES.values():
        window = (round(top * height), round(bottom * height), round(left * width), round(right * width))
        rows, columns = slice(*window[:2]), slice(*window[2:])
        own = x[:, :, rows, columns]
        chosen = _candidates([(own, window)], train, PART_CANDIDATES, exclude)
        # The half in the training image's place; of a mirrored copy it is the other half of this image.
        half = torch.zeros(height, width)
        half[rows, columns] = 1
        distances = registered(x, train, chosen, grids, masks * half)
        ordered = distances.sort(1)
        ratio = _ratio(ordered.values)
        flat = own.float().flatten(1).var(1) < MIN_HALF_VARIANCE * variance
        ratio = torch.where(flat, 1.0, ratio)
        better = ratio < best
        best = torch.where(better, ratio, best)
        indices = torch.where(better, chosen.gather(1, ordered.indices[:, :1])[:, 0], indices)
    return best, indices


def registered(x: Tensor, train: Tensor, chosen: Tensor, grids: Tensor, masks: Tensor) -> Tensor:
    """Distances sqrt(2 - 2 * correlation) of images (n, C, h, w) to their candidates `chosen` (n, k) after the best of V views,
    (n, k). `masks` (V, h, w) are 1 where pixels count. Mean and contrast of those pixels are removed."""
    views, height, width = masks.shape
    channels = x.shape[1]
    mask = masks.flatten(1).repeat(1, channels)  # (V, D)
    count = mask.sum(1).clamp_min(1)
    results: list[Tensor] = []
    for start in range(0, len(x), REGISTERED_PER_BLOCK):
        block = x[start : start + REGISTERED_PER_BLOCK].float() / 255
        n = len(block)
        candidates = train[chosen[start : start + REGISTERED_PER_BLOCK]].flatten(2).float() / 255  # (n, k, D)
        repeated = block[:, None].expand(-1, views, -1, -1, -1).reshape(n * views, channels, height, width)
        moved = F.grid_sample(repeated, grids.repeat(n, 1, 1, 1), padding_mode="border", align_corners=False)
        moved = moved.view(n, views, -1) * mask  # (n, V, D)

        # Sums over the pixels that count give means, variances and the covariance.
        sum_x, sum_xx = moved.sum(2), moved.square().sum(2)
        sum_t = (candidates @ mask.T).transpose(1, 2)  # (n, V, k)
        sum_tt = (candidates.square() @ mask.T).transpose(1, 2)
        covariance = moved @ candidates.transpose(1, 2) - sum_x[:, :, None] * sum_t / count[:, None]
        variance_x = (sum_xx - sum_x.square() / count).clamp_min(0)
        variance_t = (sum_tt - sum_t.square() / count[:, None]).clamp_min(0)
        # A flat image correlates with nothing.
        scale = (variance_x[:, :, None] * variance_t).sqrt().clamp_min(1e-4)
        correlation = (covariance / scale).amax(1)  # (n, k)
        results.append((2 - 2 * correlation).clamp_min(0).sqrt())
    return torch.cat(results)


def _views(
    height: int, width: int, most: int = 2, zooms: tuple[tuple[float, int], ...] = ((0.95, 3), (0.9, 5))
) -> tuple[Tensor, Tensor]:
    """Grids (V, h, w, 2) for grid_sample that bring an image to where it may have come from, and masks (V, h, w) of where it
    then lies: shifted by up to `most` pixels, and for each of `zooms` (size, steps) shrunk into steps x steps places; each of
    them mirrored too."""
    places: list[tuple[float, float, float]] = []
    for dy, dx in itertools.product(range(-most, most + 1), repeat=2):
        places.append((1.0, dy, dx))
    for size, steps in zooms:
        for down, right in itertools.product(np.linspace(-0.5, 0.5, steps), repeat=2):
            places.append((size, float(down) * (1 - size) * height, float(right) * (1 - size) * width))
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) * 2 / height - 1, (torch.arange(width) + 0.5) * 2 / width - 1, indexing="ij"
    )
    grids: list[Tensor] = []
    masks: list[Tensor] = []
    for size, dy, dx in places:
        grid_x, grid_y = (x - dx * 2 / width) / size, (y - dy * 2 / height) / size
        inside = ((grid_x.abs() <= 1) & (grid_y.abs() <= 1)).float()
        for sign in (1, -1):
            grids.append(torch.stack([grid_x * sign, grid_y], -1))
            masks.append(inside)
    return torch.stack(grids), torch.stack(masks)


def _candidates(
    pairs: list[tuple[Tensor, tuple[int, int, int, int]]], train: Tensor, k: int, exclude: Tensor | None
) -> Tensor:
    """Indices (n, k) of the training images that correlate most with an image, or with its mirror image, as coarse images: over
    `pairs` of images (n, C, ...) and the window (top, bottom, left, right) of the training images that they are compared with."""
    k = min(k, len(train) - (exclude is not None))
    values: Tensor | None = None
    indices = torch.zeros(0, dtype=torch.int64)
    last: tuple[int, int, int, int] | None = None
    keys = torch.zeros(0)
    for images, window in pairs:
        if window != last:
            keys, last = standardised(train[:, :, window[0] : window[1], window[2] : window[3]]), window
        for query in (images, images.flip(3)):
            queries = standardised(query)
            best: list[Tensor] = []
            where: list[Tensor] = []
            for start in range(0, len(queries), 512):
                similarity = queries[start : start + 512] @ keys.T
                if exclude is not None:
                    similarity.scatter_(1, exclude[start : start + 512, None], -2.0)
                top = similarity.topk(k)
                best.append(top.values)
                where.append(top.indices)
            if values is None:
                values, indices = torch.cat(best), torch.cat(where)
            else:
                values, indices = _merged(values, indices, torch.cat(best), torch.cat(where), k)
    return indices


def _merged(values: Tensor, indices: Tensor, more: Tensor, which: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of two lists per row, each index once, with its larger value."""
    values, indices = torch.cat([values, more], 1), torch.cat([indices, which], 1)
    values, order = values.sort(1, descending=True)
    indices = indices.gather(1, order)
    # The same index again, later in the order, comes last.
    by_index, place = indices.sort(dim=1, stable=True)
    again = torch.zeros_like(by_index, dtype=torch.bool)
    again[:, 1:] = by_index[:, 1:] == by_index[:, :-1]
    repeated = torch.zeros_like(again).scatter_(1, place, again)
    chosen = values.masked_fill(repeated, -3.0).topk(k)
    return chosen.values, indices.gather(1, chosen.indices)


def standardised(images: Tensor) -> Tensor:
    """Coarse images as rows (n, C * h * w), h and w at most 16, of mean 0 and length 1 (of a flat image 0)."""
    parts: list[Tensor] = []
    for block in images.split(4096):
        height, width = block.shape[2:]
        x = F.adaptive_avg_pool2d(block.float(), (min(COARSE_SIDE, height), min(COARSE_SIDE, width))).flatten(1)
        x = x - x.mean(1, keepdim=True)
        parts.append(x / x.norm(dim=1, keepdim=True).clamp_min(1e-6))
    return torch.cat(parts)


def _ratio(ordered: Tensor) -> Tensor:
    """The least distance over the mean of the later ones, of distances (n, k) in ascending order."""
    finite = ordered.isfinite().all(0).sum()  # an excluded image is the last one
    k = int(finite)
    others = ordered[:, min(OMITTED_CANDIDATES, max(1, k - 1)) : k]
    return ordered[:, 0] / others.mean(1).clamp_min(1e-6)


def _constants() -> list[object]:
    return [
        1,
        MAX_CALIBRATION,
        MAX_SEARCHED,
        DETECTOR_SIDE,
        COARSE_SIDE,
        CANDIDATES,
        PART_CANDIDATES,
        OMITTED_CANDIDATES,
        MIN_HALF_VARIANCE,
    ]
