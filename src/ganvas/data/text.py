"""Text as data: a UTF-8 file or a folder of them, cut into tokens that are characters or byte pairs.

story.txt                        any file whose name ends in .txt, .text or .md, or whose content is UTF-8
stories/a.txt stories/b.txt      joined in the order of their names, each ending its last line
train/a.txt test/b.txt           folders named train and test (or val, valid) are splits

The order of the text is kept: the held-out part is its last share (data.holdout). The vocabulary holds the characters of the
whole text, of both parts, so that none is unknown; byte pairs are learned on the training part only.
"""

from __future__ import annotations

import codecs
import collections
import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data import bytepairs
from ganvas.data.dataset import Dataset, make_fingerprint
from ganvas.data.folder import TEST_NAMES, TRAIN_NAMES
from ganvas.data.image import refuse_endless
from ganvas.data.settings import DataSettings
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError

SUFFIXES = frozenset({".txt", ".text", ".md"})
LARGEST = 256 * 2**20  # bytes of text, of all files together
MOST_FILES = 100_000
LOOKED_AT = 65536  # bytes of a file whose name says nothing
SHOWN_LINES, SHOWN_COLUMNS = 8, 100  # of the text, on its sheet
SHOWN_UNKNOWN = 8

Splits = dict[str, tuple[Path, ...]]


@dataclasses.dataclass(frozen=True)
class Source:
    """Files of text, by split; nothing is read yet."""

    name: str
    source: str
    files: Splits


# --- which files --------------------------------------------------------------------------------------------


def looks_like_text(path: Path) -> bool:
    """By the name, or else by the first bytes: UTF-8 without NUL."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(LOOKED_AT)
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a last character that is cut short is none the worse
    except (OSError, UnicodeDecodeError):
        return False
    return bool(head) and b"\0" not in head


def of_file(path: Path, name: str) -> Source:
    """One file as a source."""
    return Source(name, str(path.resolve()), {"train": (path,)})


def of_folder(path: Path, name: str, others: frozenset[str]) -> Source | None:
    """The text in a folder, or None where it holds none, or files whose names end in one of `others` as well: a folder of
    images may have a README."""
    found = list(itertools.islice(_walk(path), MOST_FILES + 1))
    if any(one.suffix.lower() in others for one in found):
        return None
    texts = sorted((one for one in found if one.suffix.lower() in SUFFIXES), key=lambda one: one.as_posix())
    if not texts:
        return None
    if len(found) > MOST_FILES:
        raise DataError(f"{path} holds more than {MOST_FILES:,} files: join them into fewer")
    return Source(name, str(path.resolve()), _splits(path, texts))


def _walk(root: Path) -> Iterable[Path]:
    """Every file that is not hidden; links to folders are not followed."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        yield from (Path(folder) / one for one in sorted(names) if not one.startswith("."))


def _splits(root: Path, texts: list[Path]) -> Splits:
    """By the folder in which a file lies, where there are folders for training and for testing."""
    by_folder: dict[str, list[Path]] = {}
    for one in texts:
        parts = one.relative_to(root).parts
        by_folder.setdefault(parts[0].lower() if len(parts) > 1 else "", []).append(one)
    train = next((name for name in by_folder if name in TRAIN_NAMES), None)
    test = next((name for name in TEST_NAMES if name in by_folder), None)
    if train is None or test is None:
        return {"train": tuple(texts)}
    return {"train": tuple(by_folder[train]), "test": tuple(by_folder[test])}


# --- reading ------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Read:
    """The text of one split. `notes` say what was changed."""

    text: str
    notes: list[str]


def read(paths: Iterable[Path]) -> Read:
    """The files, one after the other; a file that does not end its last line gets a line break where another follows."""
    texts: list[str] = []
    notes: list[str] = []
    left = LARGEST
    for path in paths:
        if texts and not texts[-1].endswith("\n"):
            texts[-1] += "\n"
        content = _bytes_of(path, left)
        left -= len(content)
        text, changed = decoded(content, str(path))
        texts.append(text)
        notes += [f"{path.name}: {one}" for one in changed]
    return Read("".join(texts), notes)


def _bytes_of(path: Path, most: int) -> bytes:
    refuse_endless(path)
    try:
        if path.stat().st_size > most:
            raise DataError(
                f"{path} makes this more than {LARGEST // 2**20} MiB of text, the most that is read here: take a part of it"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def decoded(content: bytes, where: str) -> tuple[str, list[str]]:
    """(text, what was changed) of bytes in UTF-8; DataError says where they are not."""
    notes = []
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
        notes.append("a byte order mark at its start was left out")
    # The mark of UTF-16 is no UTF-8; without it every other byte of plain English is NUL.
    nul = content.find(b"\0")
    if nul >= 0:
        line = content.count(b"\n", 0, nul) + 1
        raise DataError(f"{where} is not text: byte {nul} (line {line}) is NUL. If it is UTF-16, save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where} is not UTF-8: byte {error.start} (line {line}) is 0x{content[error.start]:02x}."
            " Save it as UTF-8, for example with: iconv -f latin1 -t utf-8"
        ) from None
    returns = text.count("\r")
    if returns:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append(f"{returns:,} line ends of \\r\\n or \\r were made \\n")
    if not text.strip():
        raise DataError(f"{where} holds nothing but blanks")
    return text, notes


# --- tokens -------------------------------------------------------------------------------------------------


def encode(text: str, spec: DataSpec, where: str) -> np.ndarray:
    """Token numbers (T,) int16 of a text; DataError names characters that the vocabulary lacks."""
    base = len(spec.tokens) - len(spec.merges)
    return _encoded(text, spec.tokens[:base], spec.merges, where)


def decode(numbers: np.ndarray, tokens: tuple[str, ...]) -> str:
    """The text of token numbers (T,)."""
    return "".join(map(tokens.__getitem__, numbers.tolist()))


def _encoded(text: str, characters: tuple[str, ...], merges: tuple[tuple[int, int], ...], where: str) -> np.ndarray:
    numbers = _numbers(text, characters, where)
    if merges:
        return bytepairs.encode(text, {one: number for number, one in enumerate(characters)}, merges)
    return numbers.astype(np.int16)


def _numbers(text: str, characters: tuple[str, ...], where: str) -> np.ndarray:
    """The place of each character of a text among `characters`; DataError for those that are not there."""
    points, known = _points(text), _points("".join(characters))
    order = np.argsort(known)
    numbers = order[np.searchsorted(known, points, sorter=order).clip(max=len(known) - 1)]
    strange = points[known[numbers] != points]
    if len(strange):
        raise DataError(_unknown(strange, where))
    return numbers


def _unknown(strange: np.ndarray, where: str) -> str:
    values, counts = np.unique(strange, return_counts=True)
    often = np.argsort(-counts, kind="stable")[:SHOWN_UNKNOWN]
    shown = ", ".join(f"{chr(values[i])!r} ({counts[i]:,} of them)" for i in often)
    more = f" and {len(values) - SHOWN_UNKNOWN} more" if len(values) > SHOWN_UNKNOWN else ""
    return (
        f"{where} has characters that the vocabulary lacks, so the method never learned of them: {shown}{more}."
        " Replace them, or train on a text that has them"
    )


def _points(text: str) -> np.ndarray:
    """Code points (n,) uint32."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


# --- data sets ----------------------------------------------------------------------------------------------


def datasets(source: Source, settings: DataSettings) -> dict[str, Dataset]:
    """Every split of the source as token numbers (T,) int16."""
    texts = {name: read(paths) for name, paths in source.files.items()}
    notes = [note for one in texts.values() for note in one.notes]
    parts = {name: one.text for name, one in texts.items()}
    if "test" not in parts:
        parts = _held_out(parts["train"], settings.holdout)
    if len(parts["train"]) < 2:
        raise DataError(
            f"{source.source} has {len(parts['train'])} character{'s' * (len(parts['train']) != 1)} to train on;"
            " training needs two at least, and hundreds of thousands to be of use"
        )
    characters = _characters(parts.values(), source.source)
    merges = _merges(parts["train"], characters, settings)
    tokens = bytepairs.texts_of(characters, merges)
    return _made(source, settings, parts, tokens, merges, notes)


def recoded(data: Dataset, spec: DataSpec) -> Dataset:
    """The same text in another vocabulary: that of the data that a method was trained on."""
    assert data.spec.kind == spec.kind == "text"
    parts = {
        name: decode(part.examples, part.spec.tokens)
        for name in ("train", "test")
        if (part := data.part(name)) is not None
    }
    source = Source(data.name, data.source, {})
    _numbers("".join(parts.values()), spec.tokens[: len(spec.tokens) - len(spec.merges)], data.source)
    made = _made(source, data.settings, parts, spec.tokens, spec.merges, list(data.facts.get("changed", ())))
    return made[data.split]


def _held_out(text: str, share: float) -> dict[str, str]:
    """Its last share is the test split; none where that is empty."""
    cut = len(text) - round(len(text) * share)
    return {"train": text[:cut], "test": text[cut:]} if 0 < cut < len(text) else {"train": text}


def _characters(texts: Iterable[str], where: str) -> tuple[str, ...]:
    """Every character that occurs, by code point."""
    points = np.unique(np.concatenate([np.unique(_points(text)) for text in texts]))
    if len(points) > 2**15:
        raise DataError(f"{where} has {len(points):,} different characters, more than {2**15:,}: it is hardly text")
    return tuple(map(chr, points.tolist()))


def _merges(text: str, characters: tuple[str, ...], settings: DataSettings) -> tuple[tuple[int, int], ...]:
    if settings.tokens == "characters":
        return ()
    if settings.vocabulary <= len(characters):
        raise DataError(
            f"data.vocabulary={settings.vocabulary} leaves no room for byte pairs beside the {len(characters)} characters of"
            " the text: raise it, or choose data.tokens=characters"
        )
    counts = collections.Counter(bytepairs.pieces_of(text))
    numbers = {one: number for number, one in enumerate(characters)}
    return tuple(bytepairs.learn(counts, numbers, settings.vocabulary))


def _made(
    source: Source, settings: DataSettings, parts: Mapping[str, str], tokens: tuple[str, ...],
    merges: tuple[tuple[int, int], ...], notes: list[str],
) -> dict[str, Dataset]:  # fmt: skip
    characters = tokens[: len(tokens) - len(merges)]
    facts = _facts(parts, tokens, merges, notes)
    made: dict[str, Dataset] = {}
    for name, text in parts.items():
        numbers = _encoded(text, characters, merges, source.source)
        numbers.setflags(write=False)
        digest = hashlib.sha256(json.dumps([tokens, merges]).encode() + numbers.tobytes()).hexdigest()
        spec = DataSpec(source.name, 1, 1, 1, len(numbers), kind="text", tokens=tokens, merges=merges)
        made[name] = Dataset(
            name=source.name, split=name, spec=spec, examples=numbers, labels=None, partners=None,
            fingerprint=make_fingerprint(digest, settings), source=source.source, settings=settings,
            facts=facts, _parts=made,
        )  # fmt: skip
    return made


def _facts(
    parts: Mapping[str, str], tokens: tuple[str, ...], merges: tuple[tuple[int, int], ...], notes: list[str]
) -> dict[str, Any]:
    train = parts["train"]
    lines = train.split("\n", SHOWN_LINES)
    return {
        "characters": {name: len(text) for name, text in parts.items()},
        "lines": {name: text.count("\n") + (not text.endswith("\n")) for name, text in parts.items()},
        "different_characters": len(tokens) - len(merges),
        "vocabulary": len(tokens),
        "longest_token": max(tokens, key=len),
        "entropy": round(_entropy(train), 4),
        "changed": notes,
        "first_lines": [line[:SHOWN_COLUMNS] for line in lines[:SHOWN_LINES]],
    }


def _entropy(text: str) -> float:
    """Bits per character that knowing how often each occurs leaves open."""
    counts = np.unique(_points(text), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
