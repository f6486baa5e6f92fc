"""Image files in a folder or a zip: which belong to the set, their splits and labels, and decoding them.

cats/1.jpg dogs/2.jpg                       sub-folders are labels
train/cats/1.jpg test/cats/2.jpg            folders named train and test (or val, valid) are splits
a folder that holds one single folder       is that folder

Partners are the two halves of each image, or the files of the same names in a second folder (`paired`).
"""

from __future__ import annotations

import collections
import dataclasses
import io
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from ganvas.data import image
from ganvas.data.image import Broken
from ganvas.data.pairs import HALVES, halved
from ganvas.data.settings import DataSettings, parse_size
from ganvas.data.source import (
    Counter,
    Listing,
    Loaded,
    Part,
    Progress,
    background,
    block_rows,
    broken_message,
    hold_out,
    name_keys,
    shuffle,
    size_facts,
    size_rule,
    target_shape,
)
from ganvas.errors import DataError, UsageError

THREADS = 2
GROUP_BYTES = 2**28  # of whole photos in memory while their patches are shuffled
TRAIN_NAMES = frozenset({"train", "training"})
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first that is there is the test split


@dataclasses.dataclass
class Found:
    """What was found without opening a file. `names` are relative, with / between folders, sorted; their ends are among
    `suffixes`. `stamps` (name, size, time) identify the content; `ignored` are the other files."""

    suffixes: frozenset[str] = image.SUFFIXES
    names: list[str] = dataclasses.field(default_factory=list)
    stamps: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    problems: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)

    def wants(self, name: str) -> bool:
        """Whether a file is of the kind that was looked for, by its name."""
        return os.path.splitext(name)[1].lower() in self.suffixes


Opener = Callable[[str], BinaryIO]


@dataclasses.dataclass
class Files:
    """Image files of one place: what was found there, and how one of them is opened by its name."""

    found: Found
    root: Path
    open: Opener


def list_folder(path: Path, name: str, found: Found) -> Listing:
    """The images under a folder, as `scan_folder` found them."""
    root = path.resolve()
    _refuse_none(found, str(path))
    return _listing(found, name, root, lambda item: image.open_regular(root / item))


def list_zip(path: Path, name: str) -> Listing:
    """The images in a zip file, which is never unpacked to the disk."""
    archive = open_zip(path)
    found = scan_zip(archive, path)
    _refuse_none(found, str(path))
    return _listing(found, name, path.resolve(), lambda item: unzipped(archive, item))


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive; DataError where it is none, or damaged."""
    image.refuse_endless(path)
    try:
        return zipfile.ZipFile(path.resolve())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def scan_folder(root: Path, suffixes: frozenset[str] = image.SUFFIXES) -> Found:
    """Every file under `root` of such a name, without opening any. Links may point inside the folder only; hidden files
    are ignored."""
    found = Found(suffixes)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            found.problems.append((folder or ".", f"the folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            folders += _judge_entry(found, root, entry, name)
    for rows in (found.names, found.stamps, found.problems):
        rows.sort()
    return found


def scan_zip(archive: zipfile.ZipFile, path: Path, suffixes: frozenset[str] = image.SUFFIXES) -> Found:
    """Every member of such a name of the zip at `path`, from its directory alone."""
    found, seen = Found(suffixes), set()
    status = path.stat()
    found.stamps = [(str(path.resolve()), status.st_size, status.st_mtime_ns)]
    for info in archive.infolist():
        name = info.filename
        if info.is_dir():
            continue
        if is_hidden(name) or not found.wants(name):
            found.ignored.append(name)
            continue
        reason = _zip_problem(info, name, seen)
        seen.add(name)
        if reason:
            found.problems.append((name, reason))
        else:
            found.names.append(name)
    found.names.sort()
    return found


def _judge_entry(found: Found, root: Path, entry: os.DirEntry[str], name: str) -> list[str]:
    """Puts a file at its place in `found`; a folder is returned, to be scanned."""
    if entry.name.startswith(".") or entry.name == "__MACOSX":
        found.ignored.append(name)
        return []
    try:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
            if found.wants(name) or entry.is_dir():
                found.problems.append((name, "it is a link that leads out of the folder"))
            else:
                found.ignored.append(name)
            return []
        if entry.is_dir(follow_symlinks=False):
            return [name]
        status = entry.stat()
    except (OSError, RuntimeError) as error:  # a link to nothing, or to itself
        reason = getattr(error, "strerror", None) or str(error)
        found.problems += [(name, reason)] if found.wants(name) else []
        return []
    if not found.wants(name) or stat.S_ISDIR(status.st_mode):
        found.ignored.append(name)
        return []
    try:
        image.refuse_irregular(status.st_mode, status.st_size)
    except Broken as error:
        found.problems.append((name, str(error)))
        return []
    found.names.append(name)
    found.stamps.append((name, status.st_size, status.st_mtime_ns))
    return []


def _zip_problem(info: zipfile.ZipInfo, name: str, seen: set[str]) -> str | None:
    path = PurePosixPath(name.replace("\\", "/"))
    kind = info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", path.parts[0]):
        return "its path leads out of the archive"
    if kind and stat.S_IFMT(kind) not in (0, stat.S_IFREG):
        return "it is not an ordinary file"
    if name in seen:
        return "the archive holds it twice"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.file_size == 0:
        return "the file is empty"
    if info.file_size > image.LARGEST_FILE:
        return f"{info.file_size:,} bytes unpacked; an image file may have {image.LARGEST_FILE:,} at most"
    return None


def unzipped(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    """One member in memory, never more of it than its directory entry declares."""
    size = archive.getinfo(name).file_size
    try:
        with archive.open(name) as member:
            content = member.read(size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise Broken(str(error)) from error
    if len(content) != size:
        raise Broken(f"the archive declares {size:,} bytes for it and holds another number")
    return io.BytesIO(content)


def _listing(found: Found, name: str, root: Path, opener: Opener) -> Listing:
    identity = json.dumps([str(root), found.stamps, found.problems])
    files = Files(found, root, opener)
    return Listing(name, str(root), identity, lambda settings, progress: _load(files, settings, progress), files)


def _refuse_none(found: Found, where: str) -> None:
    if found.names:
        return
    if found.problems:
        raise DataError(broken_message(where, found.problems, 0))
    suffixes = " ".join(sorted(image.SUFFIXES))
    if found.ignored:
        some = ", ".join(found.ignored[:3]) + (", ..." if len(found.ignored) > 3 else "")
        raise DataError(
            f"no images in {where}, only {len(found.ignored)} other files ({some}). Images end in {suffixes}, sound in .wav"
        )
    raise DataError(f"{where} is empty; put images or .wav files into it (sub-folders are labels)")


def paired(listing: Listing, other: Listing) -> Listing:
    """The images of one listing with those of the other of the same names, endings aside, as partners."""
    files, others = listing.files, other.files
    identity = json.dumps([listing.identity, other.identity, "by name"])
    return Listing(
        listing.name,
        listing.source,
        identity,
        lambda settings, progress: _load(files, settings, progress, others),
    )


def _load(files: Files, settings: DataSettings, progress: Progress, others: Files | None = None) -> Loaded:
    """Reads every header, decides shape, splits and labels, and leaves the decoding to the blocks."""
    found, root = files.found, files.root
    problems = list(found.problems)
    names, shapes = _headers(found.names, files.open, problems)
    reader = Reader(files, settings)
    if others is not None and names:
        names, shapes, reader.partners = _matched(names, shapes, files, others, settings, problems)
        reader.others = others
    elif settings.pairs in HALVES:
        names, shapes = _in_halves(names, shapes, problems)
    if settings.fit == "tile" and names:
        names, shapes = _that_hold_a_patch(names, shapes, settings, problems)
    if not names:
        raise DataError(broken_message(str(root), problems, 0))
    shape = target_shape(shapes[:, :2], _common_channels(shapes[:, 2], settings), settings)
    tree = arrange(names)
    facts = {
        "ignored_files": len(found.ignored),
        "unused_folders": tree.unused,
        "original_sizes": size_facts(shapes[:, :2]),
        "size_rule": size_rule(shapes[:, :2], settings),
    }
    counter = Counter(progress, sum(len(rows) for rows in tree.rows.values()))
    parts = {
        split: _part(names, shapes, rows, tree.labels, shape, reader, problems, counter)
        for split, rows in ordered(names, tree, settings).items()
        if len(rows)
    }
    return Loaded(str(root), parts, tree.classes, not settings.skip_broken, problems, facts)


@dataclasses.dataclass
class Tree:
    """What the folders say. `rows` of `names` by split, `labels` (N,) of all names or None, `unused` (folder,
    count)."""

    rows: dict[str, np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    unused: dict[str, int]


def arrange(names: Sequence[str]) -> Tree:
    """Splits and labels of relative names. A folder around everything is left aside; labels need two folders at
    least, and no image beside them."""
    paths = [name.split("/") for name in names]
    while len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths):
        paths = [path[1:] for path in paths]
    tops = {path[0] for path in paths} if all(len(path) > 1 for path in paths) else set()
    known = {top.lower(): top for top in tops}
    train = next((known[name] for name in TRAIN_NAMES if name in known), None)
    test = next((known[name] for name in TEST_NAMES if name in known), None)
    splits = {"train": train, "test": test} if train and test else {"train": None}
    rows = {
        split: np.array([i for i, path in enumerate(paths) if top in (None, path[0])]) for split, top in splits.items()
    }
    used = np.concatenate(list(rows.values()))
    inner = [path[1:] for path in paths] if len(splits) == 2 else paths
    unused = collections.Counter(path[0] for path in paths) if len(splits) == 2 else {}
    unused = {top: count for top, count in unused.items() if top not in (train, test)}
    folders = {inner[row][0] for row in used} if all(len(inner[row]) > 1 for row in used) else set()
    if len(folders) < 2:
        return Tree(rows, None, (), unused)
    classes = tuple(sorted(folders))
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers.get(path[0], -1) for path in inner], dtype=np.int64)
    return Tree(rows, labels, classes, unused)


def ordered(names: Sequence[str], tree: Tree, settings: DataSettings) -> dict[str, np.ndarray]:
    """Rows by split in the shuffled order, with a test split held out where there is none."""
    keys = name_keys(names)
    if "test" in tree.rows:
        return {split: rows[np.argsort(keys[rows], kind="stable")] for split, rows in tree.rows.items()}
    train, test = hold_out(keys, tree.labels, settings.holdout)
    return {"train": train, "test": test}


def _headers(names: Sequence[str], opener: Opener, problems: list[tuple[str, str]]) -> tuple[list[str], np.ndarray]:
    """Names with a sound header and their (H, W, C) (N, 3); the others go to `problems`."""
    good, shapes = [], []
    for name in names:
        try:
            with opener(name) as file:
                shapes.append(image.header(file))
            good.append(name)
        except Broken as error:
            problems.append((name, str(error)))
    return good, np.array(shapes).reshape(-1, 3)


def _in_halves(names: list[str], shapes: np.ndarray, problems: list[tuple[str, str]]) -> tuple[list[str], np.ndarray]:
    """Names and shapes of the halves; images without two equal ones go to `problems`."""
    even = (shapes[:, 1] % 2 == 0) & (shapes[:, 1] > 0)
    problems += [
        (name, f"{shape[1]} pixels wide, so it has no two equal halves")
        for name, shape, good in zip(names, shapes.tolist(), even, strict=True)
        if not good
    ]
    kept = [name for name, good in zip(names, even, strict=True) if good]
    return kept, shapes[even] // np.array([1, 2, 1])


def _matched(
    names: list[str],
    shapes: np.ndarray,
    files: Files,
    others: Files,
    settings: DataSettings,
    problems: list[tuple[str, str]],
) -> tuple[list[str], np.ndarray, dict[str, str]]:
    """Names that have a sound partner of the same size, their shapes (with the channels of both), and partners by name.

    All that have none are told in one error, or go to `problems` where broken images are skipped.
    """
    here, there = str(files.root), str(others.root)
    good = set(names)
    everything = _keys(sorted({*files.found.names, *(name for name, _ in problems)}), here)
    mine = {key: name for key, name in everything.items() if name in good}
    theirs = _keys(others.found.names, there)
    lonely = [(name, f"no partner in {there}") for key, name in mine.items() if key not in theirs]
    left = [  # the partner of a broken image is not to blame
        (f"{there}/{name}", f"no image of that name in {here}") for key, name in theirs.items() if key not in everything
    ]
    both = {mine[key]: theirs[key] for key in mine if key in theirs}
    if not both:
        some = f"{names[0]}, ..." if names else "nothing"
        raise DataError(
            f"no image in {there} has the name of one in {here} (there: {others.found.names[0]}, ...; here: {some}):"
            " partners have the same path and name, endings aside; data.unpaired=true takes any"
        )
    told: list[tuple[str, str]] = []
    sound, sizes = _headers(list(both.values()), others.open, told)
    known = dict(zip(sound, sizes.tolist(), strict=True))
    by_name = dict(zip(names, shapes.tolist(), strict=True))
    told = [(f"{there}/{name}", reason) for name, reason in [*others.found.problems, *told]]
    unequal = [
        (name, f"{_size(by_name[name])}, its partner {_size(known[partner])}")
        for name, partner in both.items()
        if partner in known and known[partner][:2] != by_name[name][:2]
    ]
    if not settings.skip_broken and (lonely or left or unequal):
        raise DataError(_unmatched_message(here, there, lonely + left, unequal))
    problems += [*lonely, *left, *unequal, *told]
    refused = {name for name, _ in unequal}
    kept = [name for name in names if name in both and both[name] in known and name not in refused]
    channels = [[*by_name[name][:2], max(by_name[name][2], known[both[name]][2])] for name in kept]
    return kept, np.array(channels).reshape(-1, 3), both


def _keys(names: Sequence[str], where: str) -> dict[str, str]:
    """Names by what they share with their partner's: without the folders around everything, and without the ending."""
    paths = [name.split("/") for name in names]
    while paths and len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths):
        paths = [path[1:] for path in paths]
    found: dict[str, str] = {}
    for path, name in zip(paths, names, strict=True):
        key = os.path.splitext("/".join(path))[0]
        if key in found:
            raise DataError(
                f"{where} holds {found[key]} and {name}, which differ in the ending only: it is not clear whose partner is whose"
            )
        found[key] = name
    return found


def _unmatched_message(here: str, there: str, lonely: list[tuple[str, str]], unequal: list[tuple[str, str]]) -> str:
    """Everything that is wrong with the pairs in one message; a long list is cut."""
    told = lonely + unequal
    lines = [f"  {name}: {reason}" for name, reason in told[:20]]
    lines += [f"  ... and {len(told) - 20} more"] if len(told) > 20 else []
    head = f"{len(told)} images of {here} and {there} do not pair:"
    return "\n".join([head, *lines, "Restore or remove them; data.skip_broken=true leaves them out."])


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def _that_hold_a_patch(
    names: list[str], shapes: np.ndarray, settings: DataSettings, problems: list[tuple[str, str]]
) -> tuple[list[str], np.ndarray]:
    """Without the images that are too small for data.fit=tile, which go to `problems`."""
    size = parse_size(settings.size)
    if size is None:
        raise UsageError("data.fit=tile cuts images into patches and must be told their size, such as data.size=96")
    large = np.asarray((shapes[:, :2] >= size).all(1))
    wanted = f"{size[0]} x {size[1]}"
    problems += [
        (name, f"{shape[0]} x {shape[1]} pixels hold no patch of {wanted}")
        for name, shape, good in zip(names, shapes, large, strict=True)
        if not good
    ]
    return [name for name, good in zip(names, large, strict=True) if good], shapes[large]


def _common_channels(channels: np.ndarray, settings: DataSettings) -> int:
    if settings.channels != "auto":
        return int(settings.channels)
    if settings.alpha == "keep" and bool(np.isin(channels, (2, 4)).any()):
        return 4
    return 1 if bool((channels <= 2).all()) else 3


@dataclasses.dataclass
class Reader:
    """Reads an image by name, or a pair: two halves of one file, or a file here and the one of `partners` in `others`."""

    files: Files
    settings: DataSettings
    others: Files | None = None
    partners: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def in_pairs(self) -> bool:
        return self.others is not None or self.settings.pairs in HALVES

    def read(self, name: str, shape: tuple[int, int, int]) -> list[np.ndarray]:
        """The image, or input and target, each (n, H, W, C), `shape` without n: one, or all patches. Raises Broken."""
        settings, paper = self.settings, background(self.settings)
        with self.files.open(name) as file:
            found = [image.decode(file)]
        if self.others is not None:
            try:
                with self.others.open(self.partners[name]) as file:
                    found.append(image.decode(file))
            except Broken as error:
                raise Broken(f"its partner {self.partners[name]}: {error}") from error
        elif settings.pairs in HALVES:
            found = list(halved(found[0], settings.pairs, name))
        seen = [image.to_channels(np.ascontiguousarray(one), shape[2], paper) for one in found]
        if settings.fit == "tile":
            return [image.patches(one, shape[:2]) for one in seen]
        return [image.fit(one, shape[:2], settings.fit, paper)[None] for one in seen]


def _part(
    names: Sequence[str],
    shapes: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray | None,
    shape: tuple[int, int, int],
    reader: Reader,
    problems: list[tuple[str, str]],
    counter: Counter,
) -> Part:
    part = Part(shape, lambda: decoded(0))
    tiles = reader.settings.fit == "tile"

    def images(row: int, which: int) -> np.ndarray | None:
        """What one file gives, (n, H, W, C)."""
        try:
            return reader.read(names[row], shape)[which]
        except Broken as error:
            problems.append((names[row], str(error)))
            return None

    def decoded(which: int) -> Iterator[np.ndarray]:
        """Both images of a pair are decoded in either round: one that cannot be read takes its partner with it."""
        kept: list[int] = []
        step = block_rows(shape)
        with ThreadPoolExecutor(THREADS) as pool:
            for group in _groups(rows, shapes) if tiles else np.split(rows, range(step, len(rows), step)):
                found = zip(group.tolist(), pool.map(images, group.tolist(), [which] * len(group)), strict=True)
                sound = [(row, several) for row, several in found if several is not None]
                counter.add(len(group))
                if not sound:
                    continue
                owners = np.concatenate([np.full(len(several), row) for row, several in sound])
                block = np.concatenate([several for _, several in sound])
                if tiles:  # neighbours in a photo are much alike, and any part of the set should be a fair sample
                    order = shuffle(len(block))
                    owners, block = owners[order], block[order]
                kept += owners.tolist()
                yield from np.split(block, range(step, len(block), step))
        part.labels = None if labels is None else labels[kept]

    if reader.in_pairs:
        part.partner_blocks = lambda: decoded(1)
    return part


def _groups(rows: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """`rows` in groups that are decoded together, GROUP_BYTES each, one image at least."""
    sizes = shapes[rows].prod(axis=1)
    return np.split(rows, np.flatnonzero(np.diff(np.cumsum(sizes) // GROUP_BYTES)) + 1)


def is_hidden(name: str) -> bool:
    return any((piece.startswith(".") and piece not in (".", "..")) or piece == "__MACOSX" for piece in name.split("/"))
