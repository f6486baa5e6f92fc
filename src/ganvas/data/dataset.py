"""A data set ready for use, and its sheet."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.settings import as_dict

CHUNK = 256  # images


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """One split. The images stand in a fixed shuffled order: any prefix is a fair sample.

    `examples`, read-only: images are uint8 (N, H, W, C), perhaps a memory map; audio is int16 (N, L); text is one row of
    token numbers (T,). `labels` int64 (N,), numbers of `spec.classes`; `partners` like examples, or where
    `matched` is False another set, of a length of its own. `fingerprint` is of
    examples, labels, partners, classes and settings. `source` opens the set again. `problems` (file, reason) lists what
    was left out; `facts` is what else is known, for the sheet.
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

    @property
    def images(self) -> np.ndarray:
        """The examples of a set of images; DataError for other kinds."""
        if self.spec.kind != "images":
            raise DataError(f"{self.name} holds {self.spec.kind}, and this takes images")
        return self.examples

    def part(self, split: str) -> Dataset | None:
        """The split of that name ("train" or "test") of the same source, or None where it has none."""
        return self if split == self.split else self._parts.get(split)

    def sheet(self) -> dict[str, Any]:
        """All that is worth knowing before a training, ready for JSON. Reads every image once.

        `channels`: for each the least, the greatest, the mean and the standard deviation of the bytes of this
        split. `duplicates`: images that are bit-equal to an earlier one of their split, and test images that
        occur in training.
        """
        splits = {name: part for name in ("train", "test") if (part := self.part(name)) is not None}
        of_images = (
            {
                "channels": _channel_facts(self.examples),
                "total_variance": self.spec.total_variance,
            }
            if self.spec.kind == "images"
            else {}
        )
        repeated = {} if self.spec.kind == "text" else {"duplicates": _duplicates(splits)}
        return {
            "name": self.name,
            "source": self.source,
            "kind": self.spec.kind,
            "split": self.split,
            "shape": list(self.spec.shape),
            "counts": {name: len(part) for name, part in splits.items()},
            "classes": {name: _class_counts(part) for name, part in splits.items()},
            "paired": self.spec.paired,
            "partners": {name: len(part.partners) for name, part in splits.items() if part.partners is not None},
            **of_images,
            **repeated,
            "problems": [list(problem) for problem in self.problems],
            "settings": as_dict(self.settings),
            "bytes": {name: part.examples.nbytes for name, part in splits.items()},
            "fingerprint": self.fingerprint,
            **self.facts,
        }


def make_fingerprint(digest: str, settings: DataSettings) -> str:
    """Hexadecimal; equal where a training would see the same bytes in the same way."""
    return hashlib.sha256(json.dumps([digest, chosen(settings)], sort_keys=True).encode()).hexdigest()


def chosen(settings: DataSettings) -> dict[str, Any]:
    """The settings that are not at their defaults: a setting that a later version adds changes nothing known. Not where
    partners lie, since their images are compared."""
    usual = as_dict(DataSettings())
    found = {name: value for name, value in as_dict(settings).items() if value != usual[name]}
    return {name: value for name, value in found.items() if name != "partner"}


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


def _channel_facts(images: np.ndarray) -> list[dict[str, float]]:
    """From the histogram of each channel: exact, and one pass over the bytes."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(images), CHUNK):
        block = np.asarray(images[start : start + CHUNK])
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    values = np.arange(256)
    facts = []
    for row in counts:
        total, present = int(row.sum()), np.flatnonzero(row)
        mean = float(row @ values) / total
        deviation = float(np.sqrt(row @ (values - mean) ** 2 / total))
        facts.append(
            {"min": int(present[0]), "max": int(present[-1]), "mean": round(mean, 4), "std": round(deviation, 4)}
        )
    return facts


def _duplicates(splits: dict[str, Dataset]) -> dict[str, int]:
    digests = {name: _image_digests(part.examples) for name, part in splits.items()}
    found = {f"within_{name}": len(rows) - len(set(rows)) for name, rows in digests.items()}
    if len(digests) == 2:
        known = set(digests["train"])
        found["test_in_train"] = sum(row in known for row in digests["test"])
    return found


def _image_digests(images: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images]
