"""Text as data: a UTF-8 file or a folder of them, cut into tokens that are characters or byte pairs.

story.txt                        any file whose name ends in .txt, .text or .md, or whose content is UTF-8
stories/a.txt stories/b.txt      joined in the order of their names, each ending its last line
train/a.txt test/b.txt           folders named train and test (or val, valid) are splits

The order of the text is kept: the held-out part is its last share (data.holdout). The vocabulary holds the characters of the
whole text, of both parts, so that none is unknown; byte pairs are learned on the training part only.
"""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from ganvas.data import bytepairs, tokens
from ganvas.data.dataset import Dataset, datasets_of
from ganvas.data.file_kinds import TEXTS
from ganvas.data.image import refuse_endless
from ganvas.data.kinds.text import coded
from ganvas.data.layout import TEST_NAMES, TRAIN_NAMES, first_value
from ganvas.data.passed_over import NO_TEXT, groups, mixed, skipped
from ganvas.data.settings import DataSettings
from ganvas.errors import DataError

MAX_TEXT_BYTES = 256 * 2**20  # bytes of text, of all files together
MAX_FILES = 100_000
TEXT_HEAD_BYTES = 65536  # bytes of a file whose name says nothing

Splits = dict[str, tuple[Path, ...]]


@dataclasses.dataclass(frozen=True)
class Source:
    """Files of text, by split; nothing is read yet. `ignored` are the other files of a folder, by their names in it."""

    name: str
    source: str
    files: Splits
    ignored: tuple[str, ...] = ()


# --- which files --------------------------------------------------------------------------------------------


def looks_like_text(path: Path) -> bool:
    """By the name, or else by the first bytes: UTF-8 without NUL."""
    if path.suffix.lower() in TEXTS:
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(TEXT_HEAD_BYTES)
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a last character that is cut short is none the worse
    except (OSError, UnicodeDecodeError):
        return False
    return bool(head) and b"\0" not in head


def of_file(path: Path, name: str) -> Source:
    """One file as a source."""
    return Source(name, str(path.resolve()), {"train": (path,)})


def of_folder(path: Path, name: str, others: frozenset[str]) -> Source | None:
    """The text in a folder, or None where it holds none, or files whose names end in one of `others` as well, or more images,
    sounds, videos, arrays or archives that are not read: a folder of images may have a README."""
    texts: list[Path] = []
    ignored: list[str] = []
    unread = 0
    files = list(itertools.islice(walk(path, ignored), MAX_FILES + 1))
    for file in files:
        suffix = file.suffix.lower()
        if suffix in others:
            return None
        if suffix in TEXTS:
            texts.append(file)
        else:
            unread += suffix in NO_TEXT
            ignored.append(file.relative_to(path).as_posix())
    if not texts or unread > len(texts):
        return None
    texts.sort(key=Path.as_posix)
    if len(files) > MAX_FILES:
        raise DataError(f"{path} holds more than {MAX_FILES:,} files: join them into fewer")
    return Source(name, str(path.resolve()), splits_by_folder(path, texts), tuple(ignored))


def walk(root: Path, ignored: list[str]) -> Iterable[Path]:
    """Every file that is to be looked at; the names of others, and of their folders, are added to `ignored`. Links to folders
    are not followed."""
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            if skipped(name):
                ignored.append((Path(folder) / name).relative_to(root).as_posix())
        folders[:] = sorted(name for name in folders if not skipped(name))
        for name in sorted(names):
            if not skipped(name):
                yield Path(folder) / name


def splits_by_folder(root: Path, files: list[Path]) -> Splits:
    """Files of each split, by the folder in which they lie, where there are folders for training and for testing."""
    by_folder: dict[str, list[Path]] = {}
    for file in files:
        parts = file.relative_to(root).parts
        folder = parts[0].lower() if len(parts) > 1 else ""
        by_folder.setdefault(folder, []).append(file)
    train_names = [name for name in by_folder if name in TRAIN_NAMES]
    train = first_value(by_folder, train_names)
    test = first_value(by_folder, TEST_NAMES)
    if train is None or test is None:
        return {"train": tuple(files)}
    return {"train": tuple(train), "test": tuple(test)}


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
    left = MAX_TEXT_BYTES
    for path in paths:
        if texts and not texts[-1].endswith("\n"):
            texts[-1] += "\n"
        content = bytes_of(path, left)
        left -= len(content)
        text, changed = decoded(content, str(path))
        texts.append(text)
        for change in changed:
            notes.append(f"{path.name}: {change}")
    return Read("".join(texts), notes)


def bytes_of(path: Path, most: int) -> bytes:
    refuse_endless(path)
    try:
        if path.stat().st_size > most:
            raise DataError(
                f"{path} makes this more than {MAX_TEXT_BYTES // 2**20} MiB of text, the most that is read here: "
                "take a part of it"
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


# --- data sets ----------------------------------------------------------------------------------------------


def datasets(source: Source, settings: DataSettings) -> dict[str, Dataset]:
    """Every split of the source as token numbers (T,) int16."""
    parts: dict[str, str] = {}
    notes: list[str] = []
    for split, paths in source.files.items():
        content = read(paths)
        parts[split] = content.text
        notes += content.notes
    if "test" not in parts:
        parts = _held_out(parts["train"], settings.holdout)
    if len(parts["train"]) < 2:
        raise DataError(
            f"{source.source} has {len(parts['train'])} character{'s' * (len(parts['train']) != 1)} to train on;"
            " training needs two at least, and hundreds of thousands to be of use"
        )
    characters = tokens.characters_of(parts.values(), source.source)
    merges = tokens.learn_merges(parts["train"], characters, settings)
    vocabulary = bytepairs.texts_of(characters, merges)
    splits = coded(source.name, source.source, parts, vocabulary, merges, notes)
    if source.ignored:
        passed = {
            "passed_over": groups(source.ignored, TEXTS),
            "notes": mixed(_count(source), "texts", source.ignored),
        }
        for split, one in splits.items():
            splits[split] = one._replace(facts={**one.facts, **passed})
    return datasets_of(splits, source.source, settings)


def _count(source: Source) -> int:
    return sum(len(paths) for paths in source.files.values())


def _held_out(text: str, share: float) -> dict[str, str]:
    """Its last share is the test split; none where that is empty."""
    cut = len(text) - round(len(text) * share)
    if not 0 < cut < len(text):
        return {"train": text}
    return {"train": text[:cut], "test": text[cut:]}
