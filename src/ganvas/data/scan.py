"""Which files lie in a folder or a zip, found by their names without opening any.

Links may point inside the folder only; hidden files and folders of the system are ignored; a zip is never unpacked to the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np

from ganvas.data import image
from ganvas.data.image import Broken
from ganvas.data.passed_over import is_skipped, skipped
from ganvas.errors import DataError

Opener = Callable[[str], BinaryIO]
Problems = list[tuple[str, str]]  # name of a file, and why it cannot be used
Stamp = tuple[str, int, int]
"""Path or name of a file, its size and its time: others where its content may have changed."""
MAX_VIDEO_BYTES = 64 * 2**30  # bytes of one file
UTF8_NAME = 0x800  # flag of a zip's member


class Headers(NamedTuple):
    """Files that can be used, by `names`, and the (H, W, C) of their images, (N, 3); `problems` are those of the others.
    `moving` are the names of animations and stacks of pages, of which the first frame is taken; `reduced` those of very large
    JPEGs, of which a part of the size is decoded."""

    names: list[str]
    shapes: np.ndarray
    problems: Problems
    moving: Sequence[str] = ()
    reduced: Sequence[str] = ()


@dataclasses.dataclass
class Files:
    """Files of one kind in one place. `names` are relative to `root`, with / between folders, sorted; `open` opens one of them
    by name, and raises Broken. `stamps` (name, size, time) identify the content; `ignored` are the other files."""

    root: Path
    open: Opener
    suffixes: frozenset[str]
    names: list[str] = dataclasses.field(default_factory=list)
    stamps: list[Stamp] = dataclasses.field(default_factory=list)
    problems: Problems = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)
    labels: Mapping[str, int | str | None] = dataclasses.field(default_factory=dict)
    """By name, where something else than folders says them; `classes` are their names, where they are numbers."""
    classes: tuple[str, ...] = ()
    headers: Headers | None = None
    """Of the images, once they were read."""
    largest: int = image.MAX_IMAGE_BYTES
    """Bytes of one file."""

    def wants(self, name: str) -> bool:
        """Whether the name ends as those that are looked for."""
        return os.path.splitext(name)[1].lower() in self.suffixes

    def outnumbered_by(self, suffixes: frozenset[str]) -> bool:
        """Whether more of the ignored files end in one of `suffixes` than there are files of those that were looked for."""
        others = 0
        for name in self.ignored:
            others += Path(name).suffix.lower() in suffixes and not is_skipped(name)
        return others > len(self.names) + len(self.problems)

    def identity(self, kind: str | None = None) -> str:
        """For Listing: another text where the content may have changed. The same files read as another kind of data are
        another source: `kind` names it, None for images."""
        content = [str(self.root), self.stamps, self.problems, self.ignored]
        return json.dumps(content if kind is None else [kind, *content])


def stamp(path: Path) -> Stamp:
    """Of one file, by its whole path."""
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns


def scan_videos(path: Path, suffixes: frozenset[str] = frozenset()) -> Files:
    """The videos of a folder, which may be much larger than images; or one file."""
    if path.is_dir():
        return scan_folder(path, suffixes, MAX_VIDEO_BYTES)
    place, size, time = stamp(path)
    files = Files(
        path.resolve(), lambda name: image.open_regular(path, MAX_VIDEO_BYTES), frozenset({path.suffix.lower()})
    )
    files.names, files.stamps = [path.name], [(place, size, time)]
    return files


def scan_folder(path: Path, suffixes: frozenset[str] | None = None, largest: int = image.MAX_IMAGE_BYTES) -> Files:
    """Every file under a folder whose name ends in one of `suffixes`, those of images where None, of `largest` bytes at most."""
    root = path.resolve()
    suffixes = image.suffixes() if suffixes is None else suffixes
    files = Files(root, lambda name: image.open_regular(root / name, largest), suffixes, largest=largest)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            files.problems.append((folder or ".", f"the folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _add_entry(files, entry, name):
                folders.append(name)
    for rows in (files.names, files.stamps, files.problems):
        rows.sort()
    return files


def _add_entry(files: Files, entry: os.DirEntry[str], name: str) -> bool:
    """Puts a file where it belongs in `files`; True for a folder, which is to be scanned."""
    if skipped(entry.name):
        files.ignored.append(name)
        return False
    try:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(files.root):
            if files.wants(name) or entry.is_dir():
                files.problems.append((name, "it is a link that leads out of the folder"))
            else:
                files.ignored.append(name)
            return False
        if entry.is_dir(follow_symlinks=False):
            return True
        status = entry.stat()
    except (OSError, RuntimeError) as error:  # a link to nothing, or to itself
        if files.wants(name):
            files.problems.append((name, getattr(error, "strerror", None) or str(error)))
        return False
    if not files.wants(name) or stat.S_ISDIR(status.st_mode):
        files.ignored.append(name)
        return False
    try:
        image.refuse_irregular(status.st_mode, status.st_size, files.largest)
    except Broken as error:
        files.problems.append((name, str(error)))
        return False
    files.names.append(name)
    files.stamps.append((name, status.st_size, status.st_mtime_ns))
    return False


def scan_zip(path: Path, suffixes: frozenset[str] | None = None) -> Files:
    """Every member of a zip whose name ends in one of `suffixes` (those of images where None), from its directory alone.
    DataError where it is no zip, or damaged."""
    suffixes = image.suffixes() if suffixes is None else suffixes
    archive = _open_zip(path)
    members: dict[str, zipfile.ZipInfo] = {}
    files = Files(path.resolve(), functools.partial(_unzipped, archive, members), suffixes)
    files.stamps = [stamp(path)]
    for info in archive.infolist():
        name = member_name(info)
        if name.endswith("/"):
            continue
        if is_skipped(name) or not files.wants(name):
            files.ignored.append(name)
            continue
        reason = _zip_problem(info, name, name in members)
        if reason:
            files.problems.append((name, reason))
        else:
            files.names.append(name)
        members.setdefault(name, info)
    files.names.sort()
    return files


def member_name(info: zipfile.ZipInfo) -> str:
    """The name of a zip's member, with / between folders.

    Windows PowerShell 5 writes backslashes. Names that are not marked as UTF-8 are taken as such where they can be: macOS
    does not mark them.
    """
    name = info.filename
    if not info.flag_bits & UTF8_NAME:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _open_zip(path: Path) -> zipfile.ZipFile:
    image.refuse_endless(path)
    try:
        return zipfile.ZipFile(path.resolve())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _zip_problem(info: zipfile.ZipInfo, name: str, seen: bool) -> str | None:
    """Why a member of this name is refused, or None; `seen`: there was one before it."""
    path = PurePosixPath(name)
    mode = info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", path.parts[0]):
        return "its path leads out of the archive"
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is not an ordinary file"
    if seen:
        return "the archive holds it twice"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.file_size == 0:
        return "the file is empty"
    if info.file_size > image.MAX_IMAGE_BYTES:
        return f"{info.file_size:,} bytes unpacked; an image file may have {image.MAX_IMAGE_BYTES:,} at most"
    return None


def _unzipped(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> BinaryIO:
    """One member in memory, never more of it than its directory entry declares."""
    size = members[name].file_size
    try:
        with archive.open(members[name]) as member:
            content = member.read(size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise Broken(str(error)) from error
    if len(content) != size:
        raise Broken(f"the archive declares {size:,} bytes for it and holds another number")
    return io.BytesIO(content)
