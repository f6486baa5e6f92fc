"""`measure`: all figures of a set of samples against real data, each with its reference.

What depends on the real data alone (features, moments, radii, references) is computed once and kept in the cache by
`store`, so that measuring during a training costs only the samples.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.figure import Better, Figure
from ganvas.metrics import modes
from ganvas.metrics.copying import check_images, find_copies
from ganvas.metrics.extractors import Extractor, Progress, check_choice, choose_extractor, extract, numerals
from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.kernel import kernel_distance, kernel_within
from ganvas.metrics.labels import class_numbers
from ganvas.metrics.precision_recall import Overlap, overlap, squared_radii
from ganvas.metrics.store import remembered
from ganvas.networks.features.digits import digit_network_card

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

NEIGHBOURS = 5  # neighbours of precision, recall, density, coverage
MAX_PAIRS = 10_000  # images at most where all pairs are compared
MAX_REFERENCE_IMAGES = 10_000  # held-out images at most
TRUSTED_ACCURACY = 0.9  # accuracy from which the digit network is trusted with the data's labels

FROM_HALVES = "half of the training images (there is no test split), the other half being the real ones"
FROM_TRAINING = "training images, each compared with all the others (there is no test split)"


def measure(
    images: np.ndarray,
    train: Dataset,
    test: Dataset | None = None,
    *,
    features: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """Every figure of `images` uint8 (n, H, W, C) by name; the Fréchet distance is the primary one.

    `reference` is the same figure with held-out real images in place of samples: what a perfect generator would get.
    It is of `reference_n` images, and `reference_from` says where they come from: `test`, or, where there is none, half
    of the training images, and then the other half are the real ones. Held-out images are never among the real
    ones. Where there are fewer held-out images than samples, figures that depend on their number have a
    `value_at_reference_n` too: of that many samples, to be compared with the reference.

    Keys and numbers of images:

    FD[network]   Fréchet distance of all n samples from all real images (`n_real`, at most 50,000, or 10,000
                  for networks trained on photos). Its bias falls with n: compare figures of one n.
    KD[network]   kernel distance, without bias, of at most 10,000 samples and as many real ones; may be below 0.
    precision, recall, density, coverage
                  with as many real images as samples (n = `n_real`, at most 10,000), and the reference too with as
                  many real as held-out: these depend on the balance of the two. `k` is 5, less for a handful of
                  images.
    modes         modes covered `of` those in the data, by the rule and `level` in ganvas.metrics.modes: the data's
                  classes where the digit network reads them (accuracy at least 0.9 on held-out images; one
                  numeral an image, or one a channel), else k-means clusters of real features. `kind` says which.
    entropy       of the histogram of modes, in nats; `of` is that of equal shares.
    KL            divergence of that histogram from the real images', in nats.
    copies        samples nearer to a training image than 99 % of held-out ones are (ganvas.metrics.copying);
                  `exact` of them are training images, byte for byte. The reference is scaled to n.

    `features` is one of ganvas.metrics.extractors.FEATURES; that module says how "auto" decides. `seed` chooses which samples are
    taken where not all are. `progress(what, done, of)` hears of the slow parts.
    DataError for too few images or another shape.
    """
    _check(images, train, features)

    # What the real data say, from the cache where it is there.
    real = _split(train, test)
    reading = _reading(real)
    extractor = choose_extractor(features, images.shape[1:], reading is not None)
    real_stats = _real_stats(real, extractor, progress)

    # The features of the samples.
    # Samples in a folder may be sorted by class, so a part of them must not be the first ones.
    images = images[np.random.default_rng(seed).permutation(len(images))]
    fake = extract(extractor, images, "samples", progress)

    # All figures, by name.
    figures = {
        **_distances(fake, real_stats, real, extractor),
        **_overlaps(fake, real_stats, real, extractor),
        **_modes(images, fake, real_stats, extractor, reading),
    }
    return _with_source(figures, real) | {"copies": _copies(images, train, test)}


def measure_distances(
    images: np.ndarray,
    train: Dataset,
    test: Dataset | None = None,
    *,
    features: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """FD and KD alone, as `measure` has them."""
    _check(images, train, features)
    real = _split(train, test)
    extractor = choose_extractor(features, images.shape[1:], _reading(real) is not None)
    fake = extract(extractor, images, "images", progress)
    real_stats = _real_stats(real, extractor, progress)
    return _with_source(_distances(fake, real_stats, real, extractor), real)


def extractor_for(train: Dataset, test: Dataset | None = None, features: str = "auto") -> Extractor:
    """The feature network that `measure` takes for these data."""
    check_choice(features)
    return choose_extractor(features, train.images.shape[1:], _reading(_split(train, test)) is not None)


def _with_source(figures: dict[str, Figure], split: _Split) -> dict[str, Figure]:
    """Figures that say which images their reference is of."""
    return {name: figure.replace(reference_from=split.reference_from) for name, figure in figures.items()}


def _check(images: np.ndarray, train: Dataset, features: str) -> None:
    check_choice(features)
    check_images(images, train)
    if len(images) < 2:
        raise DataError("measuring needs at least 2 samples; a few thousand give figures that mean something")


@dataclasses.dataclass(frozen=True)
class _Split:
    """Real images, held-out images, and what tells this pair apart (None where it has no fingerprint)."""

    real: np.ndarray
    held_out: np.ndarray
    real_labels: np.ndarray | None
    held_labels: np.ndarray | None
    classes: tuple[str, ...]
    reference_from: str
    fingerprints: tuple[str, ...]

    @property
    def keep(self) -> bool:
        return bool(self.fingerprints) and all(self.fingerprints)


@dataclasses.dataclass(frozen=True)
class _Reading:
    """The digit network reads these data: `held_out` and `true` (T, numerals) int64, `real` (10, ...) counts of the
    real labels."""

    held_out: Tensor
    true: Tensor
    real: Tensor

    @property
    def per_image(self) -> int:
        return self.held_out.shape[1]


def _split(train: Dataset, test: Dataset | None) -> _Split:
    if test is not None and len(test.images) >= 2:
        if test.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"the test images are {test.images.shape[1:]} and the training images {train.images.shape[1:]}"
            )
        if len(train.images) < 2:
            raise DataError("measuring needs at least 2 training images")
        return _Split(
            real=train.images,
            held_out=test.images[:MAX_REFERENCE_IMAGES],
            real_labels=train.labels,
            held_labels=_rows(test.labels, slice(MAX_REFERENCE_IMAGES)),
            classes=train.spec.classes,
            reference_from=f"{len(test.images)} test images",
            fingerprints=(train.fingerprint, test.fingerprint),
        )
    if len(train.images) < 4:
        raise DataError(
            f"measuring needs at least 4 training images where there is no test split (there are {len(train.images)})"
        )
    half = len(train.images) - len(train.images) // 2
    held_out = slice(half, half + MAX_REFERENCE_IMAGES)
    return _Split(
        real=train.images[:half],
        held_out=train.images[held_out],
        real_labels=_rows(train.labels, slice(half)),
        held_labels=_rows(train.labels, held_out),
        classes=train.spec.classes,
        reference_from=FROM_HALVES,
        fingerprints=(train.fingerprint, "halves") if train.fingerprint else (),
    )


def _rows(labels: np.ndarray | None, rows: slice) -> np.ndarray | None:
    return None if labels is None else labels[rows]


def _reading(split: _Split) -> _Reading | None:
    """What the digit network reads in the held-out images, if it reads their labels well enough."""
    numbers = class_numbers(split.classes, split.real.shape[-1])
    if split.held_labels is None or split.real_labels is None or numbers is None:
        return None
    per_image = len(numbers[0])
    table = torch.tensor(numbers)
    true = table[torch.from_numpy(np.array(split.held_labels))]

    def compute() -> dict[str, Tensor]:
        return {"held": numerals(split.held_out, per_image)}

    held_out = remembered(
        "numerals",
        [*split.fingerprints, digit_network_card()["sha256"], MAX_REFERENCE_IMAGES, per_image],
        split.keep,
        compute,
    )["held"]
    if float((held_out == true).all(1).double().mean()) < TRUSTED_ACCURACY:
        return None
    return _Reading(held_out, true, _histogram(table[torch.from_numpy(np.array(split.real_labels))]))


def _histogram(read: Tensor) -> Tensor:
    """Counts with an axis of 10 for each numeral, of (N, numerals)."""
    axes = read.shape[1]
    place = torch.tensor([10**power for power in reversed(range(axes))])
    return torch.bincount((read * place).sum(1), minlength=10**axes).view([10] * axes)


def _real_stats(split: _Split, extractor: Extractor, progress: Progress | None) -> dict[str, Tensor]:
    """Of the real images: `real` and `held` features, moments of the real ones, `within` (their mean kernel),
    k-means `centres`, the histogram `clusters` of the real ones and its `confusion`."""

    def compute() -> dict[str, Tensor]:
        real = extract(extractor, split.real[: extractor.limit], "training images", progress)
        held_out = extract(extractor, split.held_out[: extractor.limit], "held-out images", progress)
        within = torch.tensor(kernel_within(real[:MAX_PAIRS]), dtype=torch.float64)
        return {
            "real": real,
            "held": held_out,
            "within": within,
            **Moments().add(real).state(),
            **_clusters(real, held_out),
        }

    return remembered(
        "features",
        [*split.fingerprints, extractor.key, extractor.limit, MAX_REFERENCE_IMAGES, MAX_PAIRS],
        split.keep,
        compute,
    )


def _clusters(real: Tensor, held_out: Tensor) -> dict[str, Tensor]:
    real = real[:MAX_PAIRS]
    centres = modes.cluster_centres(real, modes.cluster_count(len(real)))
    assigned = modes.nearest_row(real, centres)
    # A held-out image belongs to the cluster of its nearest real image; the nearest centre may be another's.
    true = assigned[modes.nearest_row(held_out, real)]
    confusion = modes.confusion_matrix(true, modes.nearest_row(held_out, centres), len(centres))
    return {
        "centres": centres,
        "clusters": torch.bincount(assigned, minlength=len(centres)),
        "confusion": confusion,
    }


def _distances(fake: Tensor, real_stats: dict[str, Tensor], split: _Split, extractor: Extractor) -> dict[str, Figure]:
    real, held_out = real_stats["real"], real_stats["held"]
    reference_n = min(len(fake), len(held_out))
    moments, within = Moments(real_stats), float(real_stats["within"])

    def compute() -> dict[str, Tensor]:
        return {
            "frechet": torch.tensor(_frechet(held_out[:reference_n], moments), dtype=torch.float64),
            "kernel": torch.tensor(
                kernel_distance(held_out[:reference_n], real[:MAX_PAIRS], within_b=within), dtype=torch.float64
            ),
        }

    reference = remembered(
        "distance-reference",
        [*split.fingerprints, extractor.key, extractor.limit, MAX_REFERENCE_IMAGES, MAX_PAIRS, reference_n],
        split.keep,
        compute,
    )
    fair = _frechet(fake[:reference_n], moments) if reference_n < len(fake) else None
    frechet = Figure(
        value=_frechet(fake, moments),
        better="lower",
        n=len(fake),
        reference=float(reference["frechet"]),
        reference_n=reference_n,
        value_at_reference_n=fair,
        network=extractor.key,
        warning=extractor.warning,
        primary=True,
        details={"n_real": len(real)},
    )
    kernel = Figure(
        value=kernel_distance(fake[:MAX_PAIRS], real[:MAX_PAIRS], within_b=within),
        better="lower",
        n=min(MAX_PAIRS, len(fake)),
        reference=float(reference["kernel"]),
        reference_n=reference_n,
        network=extractor.key,
        warning=extractor.warning,
        details={"n_real": min(MAX_PAIRS, len(real))},
    )
    return {f"FD[{extractor.name}]": frechet, f"KD[{extractor.name}]": kernel}


def _frechet(features: Tensor, real: Moments) -> float:
    own = Moments().add(features)
    return frechet_distance(own.mean, own.covariance, real.mean, real.covariance)


def _overlaps(fake: Tensor, real_stats: dict[str, Tensor], split: _Split, extractor: Extractor) -> dict[str, Figure]:
    real = extractor.for_neighbours(real_stats["real"][:MAX_PAIRS])
    held_out = extractor.for_neighbours(real_stats["held"])
    fake = extractor.for_neighbours(fake)
    n = min(len(fake), len(real))
    reference_n = min(n, len(held_out))
    k = min(NEIGHBOURS, n - 1, reference_n - 1)

    def compute() -> dict[str, Tensor]:
        reference = overlap(real[:reference_n], held_out[:reference_n], k)
        return {"radii": squared_radii(real[:n], k), "reference": torch.tensor(reference, dtype=torch.float64)}

    features = [extractor.key, extractor.limit, extractor.by_direction]
    parts = [*split.fingerprints, *features, MAX_REFERENCE_IMAGES, MAX_PAIRS, n, reference_n, k]
    stored = remembered("balls", parts, split.keep, compute)
    shares = overlap(real[:n], fake[:n], k, real_radii=stored["radii"])
    references = Overlap(*stored["reference"].tolist())
    fair = overlap(real[:reference_n], fake[:reference_n], k) if reference_n < n else None
    figures: dict[str, Figure] = {}
    for name in Overlap._fields:
        figures[name] = Figure(
            value=getattr(shares, name),
            better="higher",
            n=n,
            reference=getattr(references, name),
            reference_n=reference_n,
            value_at_reference_n=None if fair is None else getattr(fair, name),
            network=extractor.key,
            warning=extractor.warning,
            details={"n_real": n, "k": k},
        )
    return figures


def _modes(
    images: np.ndarray, fake: Tensor, real_stats: dict[str, Tensor], extractor: Extractor, reading: _Reading | None
) -> dict[str, Figure]:
    if reading is not None:
        # The features hold the numerals already, if each channel has its own.
        if extractor.numerals and reading.per_image == images.shape[-1]:
            samples = extractor.numerals(fake)
        else:
            samples = numerals(images, reading.per_image)
        held_out, real = reading.held_out, reading.real
        confusion = modes.confusion_matrix(reading.true.flatten(), held_out.flatten(), 10)
        kind, count = "classes that the digit network reads", _histogram
    else:
        centres, real, confusion = real_stats["centres"], real_stats["clusters"], real_stats["confusion"]
        samples, held_out = modes.nearest_row(fake, centres), modes.nearest_row(real_stats["held"], centres)
        kind = "k-means clusters of real features"

        def count(read: Tensor) -> Tensor:
            return torch.bincount(read, minlength=len(centres))

    reference_n = min(len(samples), len(held_out))
    return _mode_figures(
        count(samples), count(samples[:reference_n]), count(held_out[:reference_n]), real, confusion, kind
    )


def _mode_figures(
    samples: Tensor, fair: Tensor, held_out: Tensor, real: Tensor, confusion: Tensor, kind: str
) -> dict[str, Figure]:
    """Of histograms over the modes: `fair` of as many samples as there are held-out images, `held_out` of those."""
    present = real > 0
    of = int(present.sum())
    n, reference_n = int(samples.sum()), int(held_out.sum())

    def covered(counts: Tensor) -> int:
        return int((modes.covered(counts, confusion) & present).sum())

    def divergence(counts: Tensor) -> float:
        return modes.divergence(counts[present], real[present])

    def figure(measure: Callable[[Tensor], float], better: Better, of: float | None = None, **more: float) -> Figure:
        return Figure(
            value=measure(samples),
            better=better,
            n=n,
            reference=measure(held_out),
            reference_n=reference_n,
            value_at_reference_n=measure(fair) if reference_n < n else None,
            of=of,
            details={"kind": kind, **more},
        )

    return {
        "modes": figure(covered, "higher", of=of, level=modes.SIGNIFICANCE),
        "entropy": figure(modes.entropy, "higher", of=math.log(of)),
        "KL": figure(divergence, "lower"),
    }


def _copies(images: np.ndarray, train: Dataset, test: Dataset | None) -> Figure:
    copies = find_copies(images, train, test)
    source = FROM_TRAINING
    if test is not None and len(test.images):
        source = f"{len(test.images)} test images"
    return Figure(
        value=int(copies.near.sum()),
        better="lower",
        n=len(images),
        reference=round(copies.reference, 2),
        reference_from=source,
        of=len(images),
        details={"exact": copies.exact, "threshold": copies.threshold},
    )
