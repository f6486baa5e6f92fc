"""Decoded images in one file of the cache, mapped instead of read.

    magic, then for each split: images, partners (uint8) and labels (int64), each from a multiple of 64
    JSON of what lies where, its SHA-256, its length (8 bytes), magic

The JSON stands at the end because how many images were readable is known last. It holds a digest of the data,
taken over all of a small pack and over evenly spaced blocks of a large one; a pack whose length, JSON or digest is
wrong is made anew.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NotRequired, TypedDict

import numpy as np

from ganvas.data.kinds import KINDS
from ganvas.data.label_agreement import LabelAgreement
from ganvas.data.odd_images import OddImages
from ganvas.data.source import Block, Loaded, Part, broken_message
from ganvas.data.spec import Facts
from ganvas.errors import DataError, GanvasError
from ganvas.files import write_aside

PACK_VERSION = 5
MAGIC = b"ganvas-pack-1\n\0\0"
FOOTER_BYTES = 32 + 8 + len(MAGIC)
UNUSED_SECONDS = 60 * 86400  # seconds
SAMPLED_BLOCK, SAMPLED_BLOCKS = 64 * 1024, 1024


@dataclasses.dataclass
class Split:
    """One split out of a pack or out of memory. `digest` is of its images, labels, partners and class names."""

    images: np.ndarray
    labels: np.ndarray | None
    partners: np.ndarray | None
    digest: str


@dataclasses.dataclass
class Packed:
    splits: dict[str, Split]
    classes: tuple[str, ...]
    total_variance: float
    problems: tuple[tuple[str, str], ...]
    facts: Facts
    matched: bool = True


class _Entry(TypedDict):
    """Where an array lies in the file."""

    offset: int
    shape: list[int]


class _SplitEntry(TypedDict):
    images: _Entry
    partners: _Entry | None
    labels: _Entry | None
    digest: str


class _Index(TypedDict):
    """The JSON at the end of a pack."""

    version: int
    splits: dict[str, _SplitEntry]
    classes: Sequence[str]
    total_variance: float
    problems: Sequence[Sequence[str]]
    facts: Facts
    matched: NotRequired[bool]
    end: int
    digest: str


def in_memory(loaded: Loaded) -> Packed:
    """Everything drawn into arrays; for sources that are small."""
    splits, total_variance, notes = {}, 0.0, _Notes(loaded)
    for name, part in loaded.parts.items():
        watcher = _Watcher(part, loaded.classes, notes)
        images = np.concatenate(list(watcher.images(part.blocks())))
        partners = None
        if part.partner_blocks is not None:
            partners = np.concatenate(list(watcher.partners(part.partner_blocks())))
        for array in (images, partners):
            if array is not None:
                array.setflags(write=False)
        splits[name] = Split(images, watcher.labels, partners, watcher.digest())
        if name == "train":
            total_variance = watcher.total_variance
    problems = notes.checked({name: len(split.images) for name, split in splits.items()})
    return Packed(splits, loaded.classes, total_variance, problems, notes.facts(), loaded.matched)


def in_cache(path: Path, loaded: Loaded) -> Packed:
    """Writes the pack aside, puts it in place and maps it. Two processes may do so at once: the same pack wins
    twice."""
    _sweep(path.parent)
    try:
        write_aside(path, lambda file: _write(file, loaded))
    except GanvasError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{error}. Decoded images are kept in the cache; the variable GANVAS_CACHE can name another folder"
        ) from error
    packed = opened(path)
    if packed is None:
        raise DataError(f"the pack {path} was written and cannot be read again; is the disk sound?")
    return packed


def _sweep(folder: Path) -> None:
    """Deletes packs that nobody opened for `UNUSED_SECONDS` seconds, and what a killed process left half written a day ago."""
    for pattern, age in ((".*.part", 86400), ("*.pack", UNUSED_SECONDS)):
        for left in folder.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > age:
                    left.unlink()


def opened(path: Path) -> Packed | None:
    """The pack as read-only maps, or None where there is none that is whole."""
    try:
        with open(path, "rb") as file:
            index = _index(file)
        packed = None if index is None else _packed(path, index)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if packed is not None:
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(path)  # last used now: see _sweep
    return packed


def _packed(path: Path, index: _Index) -> Packed:
    splits: dict[str, Split] = {}
    for name, entry in index["splits"].items():
        labels = partners = None
        if entry["labels"] is not None:
            labels = _read_labels(path, entry["labels"])
        if entry["partners"] is not None:
            partners = _mapped(path, entry["partners"])
        splits[name] = Split(_mapped(path, entry["images"]), labels, partners, entry["digest"])
    problems = tuple((str(name), str(reason)) for name, reason in index["problems"])
    facts = {**index["facts"], "pack": str(path)}
    return Packed(splits, tuple(index["classes"]), index["total_variance"], problems, facts, index.get("matched", True))


def _write(file: BinaryIO, loaded: Loaded) -> None:
    file.write(MAGIC)

    # The arrays of each split.
    splits: dict[str, _SplitEntry] = {}
    total_variance, notes = 0.0, _Notes(loaded)
    for name, part in loaded.parts.items():
        watcher = _Watcher(part, loaded.classes, notes)
        images = _append(file, part.shape, watcher.images(part.blocks()))
        if images["shape"][0] == 0:  # every image of the split was left out
            continue
        partners = None
        if part.partner_blocks is not None:
            partners = _append(file, part.shape, watcher.partners(part.partner_blocks()))
            if partners["shape"][0] == 0 or (loaded.matched and partners["shape"] != images["shape"]):
                notes.checked({name: images["shape"][0]})
                raise DataError(f"the partners of {loaded.where} changed while they were read; try again")
        labels = None
        if watcher.labels is not None:
            labels = _append(file, (), iter([watcher.labels.astype("<i8")]))
        splits[name] = {
            "images": images,
            "partners": partners,
            "labels": labels,
            "digest": watcher.digest(),
        }
        if name == "train":
            total_variance = watcher.total_variance
    problems = notes.checked({name: entry["images"]["shape"][0] for name, entry in splits.items()})

    # The index.
    _pad(file)
    file.flush()
    end = file.tell()
    digest = _sampled_digest(file.fileno(), end)
    file.seek(end)
    index: _Index = {
        "version": PACK_VERSION,
        "splits": splits,
        "classes": loaded.classes,
        "total_variance": total_variance,
        "problems": problems,
        "facts": notes.facts(),
        "matched": loaded.matched,
        "end": end,
        "digest": digest,
    }
    text = json.dumps(index).encode()
    file.write(text + hashlib.sha256(text).digest() + len(text).to_bytes(8, "little") + MAGIC)


def _append(file: BinaryIO, shape: tuple[int, ...], blocks: Iterator[np.ndarray]) -> _Entry:
    _pad(file)
    offset, count = file.tell(), 0
    for block in blocks:
        file.write(np.ascontiguousarray(block).data)
        count += len(block)
    return {"offset": offset, "shape": [count, *shape]}


def _pad(file: BinaryIO) -> None:
    file.write(b"\0" * (-file.tell() % 64))


def _index(file: BinaryIO) -> _Index | None:
    size = os.fstat(file.fileno()).st_size
    if size < len(MAGIC) + FOOTER_BYTES:
        return None
    file.seek(size - FOOTER_BYTES)
    tail = file.read(FOOTER_BYTES)
    length = int.from_bytes(tail[32:40], "little")
    if tail[40:] != MAGIC or length > size - FOOTER_BYTES:
        return None
    file.seek(size - FOOTER_BYTES - length)
    text = file.read(length)
    if hashlib.sha256(text).digest() != tail[:32]:
        return None
    index: _Index = json.loads(text)
    if index["version"] != PACK_VERSION or index["end"] != size - FOOTER_BYTES - length:
        return None
    if _sampled_digest(file.fileno(), index["end"]) != index["digest"]:
        return None
    return index


def _sampled_digest(handle: int, end: int) -> str:
    count = min(SAMPLED_BLOCKS, -(-end // SAMPLED_BLOCK))
    starts = np.linspace(0, max(0, end - SAMPLED_BLOCK), count).astype(np.int64)
    digest = hashlib.sha256()
    for start in starts.tolist():
        os.lseek(handle, start, os.SEEK_SET)
        digest.update(os.read(handle, min(SAMPLED_BLOCK, end - start)))
    return digest.hexdigest()


def _mapped(path: Path, entry: _Entry) -> np.ndarray:
    return np.memmap(path, dtype=np.uint8, mode="r", offset=entry["offset"], shape=tuple(entry["shape"]))


def _read_labels(path: Path, entry: _Entry) -> np.ndarray:
    return np.fromfile(path, dtype="<i8", count=entry["shape"][0], offset=entry["offset"]).astype(np.int64)


def _plural(count: int, unit: str) -> str:
    if count == 1:
        unit = unit.removesuffix("s")
    return f"{count} {unit}"


class _Notes:
    """What is learned of a source while its blocks pass by: problems, and counts for the data card."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._problems = set(loaded.problems)
        self._counts: dict[str, collections.Counter[str]] = {}
        self._is_image = KINDS[loaded.kind].is_image
        self.odd_images = OddImages()
        self.label_agreement = LabelAgreement()

    def look_at(self, block: Block) -> None:
        """At the images of a block, where the source has images."""
        if not self._is_image:
            return
        self.odd_images.add(block.images, block.names)
        if block.labels is not None:
            self.label_agreement.add(block.images, block.labels)

    def add(self, block: Block) -> None:
        self._problems.update(block.problems)
        for name, counts in block.counted.items():
            self._counts.setdefault(name, collections.Counter()).update(counts)

    def facts(self) -> Facts:
        """Those of the source, with what was counted."""
        facts = dict(self._loaded.facts)
        for name, counts in self._counts.items():
            facts[name] = dict(sorted(counts.items()))
        if self._is_image:
            facts |= self.odd_images.facts()
            agreement = self.label_agreement.share()
            if agreement is not None:
                facts["label_agreement"] = agreement
            notes = [*facts.get("notes", []), *self.odd_images.notes()]
            if notes:
                facts["notes"] = notes
        return facts

    def checked(self, counts: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
        """All problems, sorted. DataError for what cannot be trained on; `counts` are the images that were readable, by split."""
        problems, good = sorted(self._problems), sum(counts.values())
        where, unit = self._loaded.where, self._loaded.unit
        if problems and (self._loaded.strict or not good):
            raise DataError(broken_message(where, problems, good, unit))
        if counts.get("train", 0) < 2:
            skipped = ""
            if problems:
                skipped = f" ({len(problems)} unreadable)"
            raise DataError(
                f"{where} has {_plural(counts.get('train', 0), unit)}{' to train on' if counts.get('test') else ''}{skipped}; "
                "a data set takes two at least, and training hundreds to be of use"
            )
        return tuple(problems)


class _Watcher:
    """Takes labels, digest and total variance of a part while its blocks pass by."""

    def __init__(self, part: Part, classes: tuple[str, ...], notes: _Notes) -> None:
        self._notes = notes
        self._hash = hashlib.sha256(json.dumps([part.shape, classes]).encode())
        self._labels: list[np.ndarray] = []
        self._sum = np.zeros(part.shape)
        self._squares = 0.0
        self._count = 0

    def images(self, blocks: Iterator[Block]) -> Iterator[np.ndarray]:
        for block in blocks:
            self._notes.add(block)
            if block.labels is not None:
                self._labels.append(block.labels)
            if not len(block.images):
                continue
            self._hash.update(np.ascontiguousarray(block.images).data)
            values = block.images.astype(np.float64)
            self._sum += values.sum(axis=0)
            self._squares += float(np.vdot(values, values))
            self._count += len(values)
            self._notes.look_at(block)
            yield block.images

    def partners(self, blocks: Iterator[Block]) -> Iterator[np.ndarray]:
        for block in blocks:
            self._notes.add(block)
            if len(block.images):
                self._hash.update(np.ascontiguousarray(block.images).data)
                yield block.images

    @property
    def labels(self) -> np.ndarray | None:
        """(N,) int64 of all images so far, or None where they have none."""
        return np.concatenate(self._labels).astype(np.int64) if self._labels else None

    def digest(self) -> str:
        """Of everything that passed; to be asked once, at the end."""
        if self.labels is not None:
            self._hash.update(self.labels.astype("<i8").tobytes())
        return self._hash.hexdigest()

    @property
    def total_variance(self) -> float:
        """Mean squared distance from the mean image, bytes scaled to [-1, 1], summed over an image's values."""
        if not self._count:
            return 0.0
        mean = self._sum / self._count
        return max(0.0, self._squares / self._count - float(np.vdot(mean, mean))) * (2 / 255) ** 2
