"""A data set ready for use, and its data card."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganvas.card import card
from ganvas.data.kinds import KINDS, Coded, Kind
from ganvas.data.layout import shortened
from ganvas.data.passed_over import sentence
from ganvas.data.settings import DataSettings, make_fingerprint
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.files import JsonObject
from ganvas.settings import as_dict

OBJECT_PREFIX = "python:"  # of the source of data that are a Python object: it names no place
SHOWN, SHOWN_CLASSES = 32, 10  # images and names of classes, in a notebook


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """One split. The images stand in a fixed shuffled order: any prefix is a fair sample.

    `examples`, read-only: images are uint8 (N, H, W, C), perhaps a memory map; audio is int16 (N, L); text is one row of
    token numbers (T,), parallel text rows of them (N, S). `labels` int64 (N,), numbers of `spec.classes`; `partners` like
    examples, or where `matched` is False another set, of a length of its own. `fingerprint` is of
    examples, labels, partners, classes and settings. `source` opens the set again. `problems` (file, reason) lists what
    was left out; `facts` are more values for the data card.
    """

    name: str
    split: str
    spec: DataSpec
    examples: np.ndarray
    labels: np.ndarray | None
    partners: np.ndarray | None
    fingerprint: str
    source: str
    settings: DataSettings
    matched: bool = True
    problems: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    _parts: dict[str, Dataset] = dataclasses.field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.examples)

    def __repr__(self) -> str:
        """Neither arrays nor paths of this machine: Dataset('digits', train, 6630 images of 28x28, 10 classes)."""
        _, of, size = self.kind.examples_in_words(self.spec).partition(" of ")
        classes = f", {len(self.spec.classes)} classes" if self.spec.classes else ""
        return f"Dataset({self.name!r}, {self.split}, {len(self)} {self.spec.unit}{of}{size}{classes})"

    def _repr_html_(self) -> str:
        """What a notebook shows: counts, shape, classes, and the first images."""
        from ganvas.data.image_array import ImageArray

        facts: dict[str, object] = {"kind": self.spec.kind, "shape": self.spec.shape}
        for name in ("train", "test"):
            part = self.part(name)
            if part is not None:
                facts[name] = f"{len(part):,} {self.spec.unit}"
        if self.spec.classes:
            more = (
                f" and {len(self.spec.classes) - SHOWN_CLASSES} more" if len(self.spec.classes) > SHOWN_CLASSES else ""
            )
            facts["classes"] = ", ".join(self.spec.classes[:SHOWN_CLASSES]) + more
        if self.problems:
            facts["omitted"] = f"{len(self.problems)} files"
        shown = ImageArray(self.images[:SHOWN])._repr_png_() if self.kind.is_image else None
        return card(f"{self.name} ({self.split})", facts, shown)

    @property
    def kind(self) -> Kind:
        """What to ask where kinds of data differ."""
        return KINDS[self.spec.kind]

    @property
    def images(self) -> np.ndarray:
        """The examples of a set of images; DataError for other kinds."""
        if not self.kind.is_image:
            raise DataError(f"{self.name} holds {self.spec.kind}, and this takes images")
        return self.examples

    @property
    def notes(self) -> list[str]:
        """Sentences on what a training will not see as one may have expected: files that are passed over, images that are
        resized, animations of which one frame is taken, labels that are not used, classes without a training image."""
        notes: list[str] = []
        if self.facts.get("passed_over"):
            notes.append(sentence(self.facts["passed_over"]))
        notes += self.facts.get("notes", [])
        if self.problems:
            name, reason = self.problems[0]
            notes.append(f"{len(self.problems)} unreadable files are omitted, such as {name}: {reason}")
        train = self.part("train")
        if train is not None and train.labels is not None:
            untrained = [name for name, count in _class_counts(train).items() if count == 0]
            if untrained:
                some = shortened(untrained)
                notes.append(f"{len(untrained)} of {len(self.spec.classes)} classes have nothing to train on: {some}")
        return notes

    def part(self, split: str) -> Dataset | None:
        """The split of that name ("train" or "test") of the same source, or None where it has none."""
        return self if split == self.split else self._parts.get(split)

    def first(self, count: int) -> Dataset:
        """The same data with the first `count` examples of each split, for a trial. They have no fingerprint, so that nothing
        computed from them is kept."""
        parts: dict[str, Dataset] = {}
        for name in ("train", "test"):
            part = self.part(name)
            if part is None:
                continue
            labels = None if part.labels is None else part.labels[:count]
            partners = None if part.partners is None else part.partners[:count]
            parts[name] = dataclasses.replace(
                part, examples=part.examples[:count], labels=labels, partners=partners, fingerprint="", _parts=parts
            )
        return parts[self.split]

    def coded_like(self, spec: DataSpec) -> Dataset:
        """The same data in the code of `spec`, which is of the same kind: text in that vocabulary, DataError where it lacks
        characters."""
        splits = self.kind.recoded(self, spec)
        return self if splits is None else datasets_of(splits, self.source, self.settings)[self.split]

    def card(self) -> JsonObject:
        """All that is worth knowing before a training, ready for JSON. Reads every image once.

        `channels`: for each the least, the greatest, the mean and the standard deviation of the bytes of this
        split. `duplicates`: images that are bit-equal to an earlier one of their split, and test images that
        occur in training.
        """
        splits: dict[str, Dataset] = {}
        counts: dict[str, int] = {}
        classes: dict[str, dict[str, int]] = {}
        partners: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for name in ("train", "test"):
            part = self.part(name)
            if part is None:
                continue
            splits[name] = part
            counts[name] = len(part)
            classes[name] = _class_counts(part)
            sizes[name] = part.examples.nbytes
            if part.partners is not None:
                partners[name] = len(part.partners)
        return {
            "name": self.name,
            "source": self.source,
            "kind": self.spec.kind,
            "split": self.split,
            "shape": list(self.spec.shape),
            "counts": counts,
            "classes": classes,
            "paired": self.spec.paired,
            "partners": partners,
            **self.kind.card(splits, self),
            "problems": list(map(list, self.problems)),
            "settings": as_dict(self.settings),
            "bytes": sizes,
            "fingerprint": self.fingerprint,
            **self.facts,
            "notes": self.notes,
        }


def subset(data: Dataset, rows: np.ndarray, name: str) -> Dataset:
    """Rows (n,) of a split as labelled images of their own, in that order and perhaps several times; see `labelled_set`."""
    assert data.labels is not None
    return labelled_set(data, np.array(data.images[rows]), data.labels[rows], name)


def labelled_set(like: Dataset, images: np.ndarray, labels: np.ndarray, name: str) -> Dataset:
    """Images uint8 (n, H, W, C) and labels (n,) as a data set with the classes and settings of another one, without a test split.

    It is a Python object: no path opens it again. Its fingerprint follows from the bytes.
    """
    labels = np.asarray(labels, np.int64)
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(labels.astype("<i8").tobytes())
    spec = dataclasses.replace(
        like.spec, name=name, count=len(images), paired=False, unpaired=False, total_variance=_total_variance(images),
        class_counts=tuple(np.bincount(labels, minlength=len(like.spec.classes)).tolist()),
    )  # fmt: skip
    images.setflags(write=False)
    return Dataset(
        name=name, split="train", spec=spec, examples=images, labels=labels, partners=None,
        fingerprint=make_fingerprint(digest.hexdigest(), like.settings), source=OBJECT_PREFIX + name, settings=like.settings,
    )  # fmt: skip


def _total_variance(images: np.ndarray) -> float:
    """See DataSpec: sums of integers, image by image, so that no copy in floats is needed."""
    total = np.zeros(images.shape[1:], np.int64)
    squares = np.zeros(images.shape[1:], np.int64)
    for image in images:
        wide = image.astype(np.int64)
        total += wide
        squares += wide * wide
    n = len(images)
    return float((squares / n - (total / n) ** 2).sum() / 127.5**2)


def missing_split(name: str, split: str, holdout: float) -> DataError:
    """Why there is no such split."""
    if split not in ("train", "test"):
        return DataError(f"split must be one of train, test (got {split!r})")
    why = "data.holdout is 0" if holdout == 0 else f"a share of {holdout:g} of so few images is none"
    return DataError(f"{name} has no {split} split of its own, and {why}: raise data.holdout")


def _class_counts(part: Dataset) -> dict[str, int]:
    if part.labels is None:
        return {}
    counts = np.bincount(part.labels, minlength=len(part.spec.classes))
    return dict(zip(part.spec.classes, counts.tolist(), strict=True))


def datasets_of(splits: Mapping[str, Coded], source: str, settings: DataSettings) -> dict[str, Dataset]:
    """Splits that know each other, of data without labels."""
    datasets: dict[str, Dataset] = {}
    for split, coded in splits.items():
        datasets[split] = Dataset(
            name=coded.spec.name,
            split=split,
            spec=coded.spec,
            examples=coded.examples,
            labels=None,
            partners=coded.partners,
            fingerprint=make_fingerprint(coded.digest, settings),
            source=source,
            settings=settings,
            facts=coded.facts,
            _parts=datasets,
        )
    return datasets
