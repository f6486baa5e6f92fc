"""What a trained method, or anybody's samples, give away of the training images: copies, duplicates, membership, extraction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Encodes, HasDiscriminator, HasLikelihood, Samples, Tokenizes
from ganvas.data import Dataset
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.defaults import CHUNK, MEASURED_SEED
from ganvas.errors import DataError, RunError, UsageError
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.copy_detector import MAX_FALSE_POSITIVES, CopyDetector, small
from ganvas.metrics.copy_detector import search_pixels as nearest_registered
from ganvas.metrics.copying import check_images, image_digests, nearest_distances
from ganvas.metrics.evaluate import extractor_for
from ganvas.metrics.membership import Auc, auc, share_interval
from ganvas.sampling import finished_samples

AUDITED_SAMPLES = 1000  # samples of a run
TRIES_PER_CLASS = 200  # samples of each rare class
MEMBERSHIP_IMAGES = 1000  # training images, and held-out images, of the membership tests
MIN_HELD_OUT = 10  # held-out images of a membership test
FEW_IMAGES = 100  # a class with at most so many training images is tried by extraction
MAX_RARE_CLASSES = 3  # at most, the rarest first
KEPT_PAIRS = 40  # pairs that the result keeps
IMPORTANCE_DRAWS = 8  # draws per image where the likelihood is a bound

_Score = Callable[[Batch], Tensor]
"""Scores (n,) of a batch's images, larger for images that the method knows."""


@dataclass(frozen=True)
class Pair:
    """A sample beside the training image that it is nearest to."""

    sample: int
    """Its number among the samples."""
    original: int
    """Number of the training image."""
    score: float
    """How near, on the scale of the calibration; above the threshold it is a copy."""
    search: str
    """"pixels", "features" or "parts"."""
    copy: bool
    exact: bool
    images: tuple[np.ndarray, np.ndarray] = field(repr=False)
    """Both, uint8 (H, W, C)."""


@dataclass(frozen=True)
class Duplicates:
    """Images that occur more than once."""

    what: str
    n: int
    exact: int
    """Equal in every byte to another one."""
    near: int | None = None
    """At less than half of the registered distance that 1 % of held-out images have; None: not counted."""
    reference: int | None = None
    """Near-duplicates among as many training images."""


@dataclass(frozen=True)
class Membership:
    """Whether a score tells training images from held-out ones."""

    test: str
    auc: Auc
    members: int
    others: int
    help: str


@dataclass(frozen=True)
class Extraction:
    """Samples of one class with few training images, and how many of these were found among them."""

    label: str
    training_images: int
    tries: int
    copies: int
    originals: int
    """Different training images of which there is a copy."""


@dataclass(frozen=True)
class Audit:
    """The result of an audit. `flagged` and `verdict` say it in a word and in a sentence."""

    n: int
    copies: int
    exact: int
    interval: tuple[float, float]
    """95 % interval of the share of copies."""
    originals: int
    """Different training images of which there is a copy."""
    threshold: float
    calibration_n: int
    calibration_source: str
    features: str
    pairs: list[Pair]
    """The most suspicious first, copies or not."""
    duplicates: list[Duplicates]
    membership: list[Membership]
    extraction: list[Extraction]
    notes: list[str]
    """What was not measured, and why."""
    fail_above: float | None = None
    weights: str = ""
    """SHA-256 of the weights' file of the method; "" where it is of no run."""
    step: int | None = None
    """Training steps that these weights had seen; None where nobody knows."""

    @property
    def share(self) -> float:
        """Copies per sample."""
        return self.copies / self.n

    @property
    def flagged(self) -> bool:
        """True where there are more copies than chance explains: the interval lies above the false positive rate."""
        return self.interval[0] > MAX_FALSE_POSITIVES

    @property
    def failed(self) -> bool:
        """True where the share of copies is above `fail_above`."""
        return self.fail_above is not None and self.share > self.fail_above

    @property
    def verdict(self) -> str:
        """One sentence."""
        what = f"{self.copies} of {self.n} samples ({self.share:.1%}) are copies of {self.originals} training image"
        what += "" if self.originals == 1 else "s"
        if self.flagged:
            return f"copies: {what}; of unseen real images at most {MAX_FALSE_POSITIVES:.0%} are that near to one"
        if self.copies:
            return f"no sign of copying: {what}, no more than chance explains (at most {MAX_FALSE_POSITIVES:.0%})"
        return f"no sign of copying: none of {self.n} samples is a copy of a training image"

    @property
    def failure(self) -> str:
        """Why the audit failed, in one sentence; "" where it did not."""
        if not self.failed:
            return ""
        return (
            f"{self.copies} of {self.n} samples ({self.share:.2%}) are copies of training images, more than"
            f" --fail-above {self.fail_above:g}"
        )

    def as_dict(self) -> JsonObject:
        """Plain values for JSON."""
        pairs: list[JsonObject] = []
        for pair in self.pairs:
            pairs.append(
                {
                    "sample": pair.sample, "original": pair.original, "score": pair.score, "search": pair.search,
                    "copy": pair.copy, "exact": pair.exact,
                }
            )  # fmt: skip
        membership: list[JsonObject] = []
        for test in self.membership:
            membership.append(
                {
                    "test": test.test, "auc": test.auc.value, "low": test.auc.low, "high": test.auc.high,
                    "members": test.members, "others": test.others, "help": test.help,
                }
            )  # fmt: skip
        return {
            "verdict": self.verdict, "flagged": self.flagged, "failed": self.failed, "fail_above": self.fail_above,
            "n": self.n, "copies": self.copies, "exact": self.exact, "share": self.share, "interval": list(self.interval),
            "originals": self.originals, "false_positive_rate": MAX_FALSE_POSITIVES, "threshold": self.threshold,
            "calibration": {"n": self.calibration_n, "source": self.calibration_source}, "features": self.features,
            "pairs": pairs, "duplicates": [vars(one) for one in self.duplicates], "membership": membership,
            "extraction": [vars(one) for one in self.extraction], "notes": self.notes, "weights": self.weights, "step": self.step,
        }  # fmt: skip


def audit(
    method: Method | None,
    data: Dataset,
    samples: np.ndarray | None = None,
    *,
    count: int = AUDITED_SAMPLES,
    seed: int = MEASURED_SEED,
    tries: int = TRIES_PER_CLASS,
    fail_above: float | None = None,
) -> Audit:
    """Copies, duplicates, membership and extraction of a trained method against `data`, the images that it was trained on.

    `samples` uint8 (n, H, W, C) are audited in place of `count` samples of the method from seed `seed` on; without a method they
    are all there is to audit. `tries` are the samples of each class with few training images, for class-conditional methods.
    `fail_above` is the share of copies above which the result is `failed`.

    Copies are what is nearer to a training image than held-out images are; `ganvas.metrics.copy_detector` says how the threshold
    is chosen, so that 1 % of unseen real images at most would be called copies. DataError for samples of another size or too few
    images to calibrate with; RunError for a method without samples.
    """
    _check(method, data, samples, count, tries, fail_above)
    train, test = data.part("train") or data, data.part("test")
    images = samples
    if images is None:
        assert method is not None
        images = np.asarray(finished_samples(method, count, seed))
    check_images(images, train)
    detector = CopyDetector(train, test, extractor_for(train, test))
    detected = detector.detect(images)

    # The most suspicious pairs: exact copies first, then by score.
    pairs: list[Pair] = []
    order = np.lexsort((-detected.scores, ~detected.exact))
    for row in order[:KEPT_PAIRS].tolist():
        original = int(detected.originals[row])
        pairs.append(
            Pair(
                row, original, float(detected.scores[row]), detected.searches[row], bool(detected.copies[row]),
                bool(detected.exact[row]), (np.asarray(images[row]), np.asarray(train.images[original])),
            )
        )  # fmt: skip

    notes: list[str] = []
    copies = int(detected.copies.sum())
    return Audit(
        n=len(images),
        copies=copies,
        exact=int(detected.exact.sum()),
        interval=share_interval(copies, len(images)),
        originals=len(np.unique(detected.originals[detected.copies])),
        threshold=detector.calibration.threshold,
        calibration_n=detector.calibration.n,
        calibration_source=detector.calibration.source,
        features=detector.extractor.name,
        pairs=pairs,
        duplicates=_duplicates(images, train, test, detector.calibration.near),
        membership=_membership(method, images, train, test, notes),
        extraction=_extraction(method, detector, tries, seed, notes),
        notes=notes,
        fail_above=fail_above,
    )


def _check(
    method: Method | None, data: Dataset, samples: np.ndarray | None, count: int, tries: int, fail_above: float | None
) -> None:
    if method is None and samples is None:
        raise UsageError("an audit needs a method, or samples, or both")
    if not data.kind.is_image:
        raise DataError(f"an audit compares images, and {data.name} holds {data.spec.kind}")
    if samples is None and not isinstance(method, Samples):
        name = "" if method is None else method.name
        raise RunError(f"{name} generates no images from noise, so there is nothing to audit: give it samples")
    if samples is None and count < 1:
        raise UsageError(f"count must be at least 1 (got {count})")
    if tries < 0:
        raise UsageError(f"tries must be at least 0 (got {tries})")
    if fail_above is not None and not 0 <= fail_above < 1:
        raise UsageError(f"fail_above is a share from 0 to below 1, such as 0.02 for 2 % (got {fail_above:g})")


# --- duplicates ---------------------------------------------------------------------------------------------------------


def _duplicates(images: np.ndarray, train: Dataset, test: Dataset | None, near: float) -> list[Duplicates]:
    """Among the samples, among the training images, and test images that are training images."""
    n = min(len(images), AUDITED_SAMPLES, len(train.images))
    found: list[Duplicates] = []
    if n > 2:
        own, reference = _near_duplicates(images[:n], near), _near_duplicates(train.images[:n], near)
        found.append(Duplicates("samples, among themselves", n, _repeated(image_digests(images[:n])), own, reference))
    of_train = image_digests(train.images)
    found.append(Duplicates("training images, among themselves", len(of_train), _repeated(of_train)))
    if test is not None and len(test.images):
        of_test = image_digests(test.images)
        found.append(
            Duplicates("held-out images that are training images", len(of_test), int(np.isin(of_test, of_train).sum()))
        )
    return found


def _near_duplicates(images: np.ndarray, near: float) -> int:
    """How many of `images` have another one at a registered distance below `near`."""
    x = small(images)
    return int((nearest_registered(x, x, torch.arange(len(x)))[2] < near).sum())


def _repeated(hashes: np.ndarray) -> int:
    """How many of the hashes occur more than once."""
    _, counts = np.unique(hashes, return_counts=True)
    return int(counts[counts > 1].sum())


# --- membership ---------------------------------------------------------------------------------------------------------


def _membership(
    method: Method | None, images: np.ndarray, train: Dataset, test: Dataset | None, notes: list[str]
) -> list[Membership]:
    """Every test that the method's abilities allow; the distance to the nearest sample needs no method."""
    if test is None or len(test.images) < MIN_HELD_OUT:
        held_out = 0 if test is None else len(test.images)
        notes.append(
            f"membership not tested: it takes {MIN_HELD_OUT} held-out images at least, and there are {held_out};"
            " raise data.holdout"
        )
        return []
    rows = np.arange(min(MEMBERSHIP_IMAGES, len(train.images))), np.arange(min(MEMBERSHIP_IMAGES, len(test.images)))
    tests: list[Membership] = []

    def add(name: str, scores: tuple[Tensor, Tensor], help: str) -> None:
        tests.append(Membership(name, auc(*scores), len(rows[0]), len(rows[1]), help))

    distances: list[Tensor] = []
    for part, chosen in zip((train, test), rows, strict=True):
        distances.append(-nearest_distances(part.images[chosen], images))
    add("nearest sample", (distances[0], distances[1]), "distance to the nearest sample, of the images at 16 x 16")
    if method is None:
        return tests
    if isinstance(method, HasDiscriminator):
        add(
            "discriminator",
            _scores(train, test, rows, method.device, partial(_logits, method)),
            "logit of the discriminator",
        )
    again = _reconstructs(method)
    if again is not None:
        help = "squared error of the image that is encoded and decoded"
        add("reconstruction", _scores(train, test, rows, method.device, partial(_reconstruction, again)), help)
    if isinstance(method, HasLikelihood):
        add(
            "likelihood",
            _scores(train, test, rows, method.device, partial(_log_likelihood, method)),
            "log-likelihood, or its lower bound",
        )
    return tests


@torch.no_grad()
def _scores(
    train: Dataset, test: Dataset, rows: tuple[np.ndarray, np.ndarray], device: torch.device, score: _Score
) -> tuple[Tensor, Tensor]:
    """The scores (m,) of training images and (n,) of held-out ones."""
    both: list[Tensor] = []
    for part, chosen in zip((train, test), rows, strict=True):
        blocks: list[Tensor] = []
        for start in range(0, len(chosen), CHUNK):
            batch = examples_of(part, chosen[start : start + CHUNK], device=device, seed=start)
            blocks.append(score(batch).detach().float().cpu().flatten())
        both.append(torch.cat(blocks))
    return both[0], both[1]


def _logits(method: HasDiscriminator, batch: Batch) -> Tensor:
    # A discriminator that sees several images at once gives fewer logits; each counts for all of its images.
    logits = method.discriminate(batch, batch.real).flatten()
    return logits.repeat_interleave(len(batch) // max(1, len(logits)))


def _reconstructs(method: Method) -> Callable[[Batch], Tensor] | None:
    """A function that gives a batch's images encoded and decoded, in [-1, 1]; None where the method cannot do that."""
    if isinstance(method, Tokenizes):
        tokenizer = method
        return lambda batch: tokenizer.from_codes(tokenizer.to_codes(batch.real))
    if not isinstance(method, Encodes) or not isinstance(method, Samples):
        return None
    encoder, sampler = method, method

    def again(batch: Batch) -> Tensor:
        labels = batch.label if sampler.labels(range(1)) is not None else None
        return sampler.generate(encoder.encode(batch.real, labels), labels)

    return again


def _reconstruction(again: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
    return -(again(batch) - batch.real).square().flatten(1).mean(1)


def _log_likelihood(method: HasLikelihood, batch: Batch) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return -method.likelihood(batch.real, batch.label, samples=IMPORTANCE_DRAWS, generator=generator).nats


# --- extraction ---------------------------------------------------------------------------------------------------------


def _extraction(
    method: Method | None, detector: CopyDetector, tries: int, seed: int, notes: list[str]
) -> list[Extraction]:
    """`tries` samples of each of the rarest classes, and how many are copies of training images of that class."""
    train = detector.train
    if method is None or not tries:
        return []
    if not isinstance(method, Samples) or method.labels(range(1)) is None or train.labels is None:
        notes.append("no extraction by class: the method is not class-conditional")
        return []
    counts = np.bincount(train.labels, minlength=len(train.spec.classes))
    rare = [int(number) for number in np.argsort(counts, kind="stable") if 0 < counts[number] <= FEW_IMAGES][
        :MAX_RARE_CLASSES
    ]
    if not rare:
        notes.append(f"no extraction by class: every class has more than {FEW_IMAGES} training images")
    tried: list[Extraction] = []
    for number in rare:
        detected = detector.detect(np.asarray(finished_samples(method, tries, seed, label=number)))
        of_class = detected.copies & (train.labels[detected.originals] == number)
        originals = len(np.unique(detected.originals[of_class]))
        tried.append(Extraction(train.spec.classes[number], int(counts[number]), tries, int(of_class.sum()), originals))
    return tried
