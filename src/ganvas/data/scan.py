"""Which files lie in a folder or a zip, found by their names without opening any.

Links may point inside the folder only; hidden files are ignored; a zip is never unpacked to the disk.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ganvas.data import image
from ganvas.data.image import Broken
from ganvas.errors import DataError

Opener = Callable[[str], BinaryIO]
Problems = list[tuple[str, str]]  # name of a file, and why it cannot be used


@dataclasses.dataclass
class Files:
    """Files of one kind in one place. `names` are relative to `root`, with / between folders, sorted; `open` opens one of them
    by name, and raises Broken. `stamps` (name, size, time) identify the content; `ignored` are the other files."""

    root: Path
    open: Opener
    suffixes: frozenset[str]
    names: list[str] = dataclasses.field(default_factory=list)
    stamps: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    problems: Problems = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)

    def wants(self, name: str) -> bool:
        """Whether the name ends as those that are looked for."""
        return os.path.splitext(name)[1].lower() in self.suffixes


def scan_folder(path: Path, suffixes: frozenset[str] = image.SUFFIXES) -> Files:
    """Every file under a folder whose name ends in one of `suffixes`."""
    root = path.resolve()
    files = Files(root, lambda name: image.open_regular(root / name), suffixes)
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
    if entry.name.startswith(".") or entry.name == "__MACOSX":
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
        image.refuse_irregular(status.st_mode, status.st_size)
    except Broken as error:
        files.problems.append((name, str(error)))
        return False
    files.names.append(name)
    files.stamps.append((name, status.st_size, status.st_mtime_ns))
    return False


def scan_zip(path: Path, suffixes: frozenset[str] = image.SUFFIXES) -> Files:
    """Every member of a zip whose name ends in one of `suffixes`, from its directory alone. DataError where it is no zip, or
    damaged."""
    archive = _open_zip(path)
    files = Files(path.resolve(), lambda name: _unzipped(archive, name), suffixes)
    status = path.stat()
    files.stamps = [(str(path.resolve()), status.st_size, status.st_mtime_ns)]
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.filename
        if info.is_dir():
            continue
        if is_hidden(name) or not files.wants(name):
            files.ignored.append(name)
            continue
        reason = _zip_problem(info, seen)
        seen.add(name)
        if reason:
            files.problems.append((name, reason))
        else:
            files.names.append(name)
    files.names.sort()
    return files


def _open_zip(path: Path) -> zipfile.ZipFile:
    image.refuse_endless(path)
    try:
        return zipfile.ZipFile(path.resolve())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _zip_problem(info: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Why a member is refused, or None; `seen` are the names before it."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    mode = info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", path.parts[0]):
        return "its path leads out of the archive"
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is not an ordinary file"
    if info.filename in seen:
        return "the archive holds it twice"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.file_size == 0:
        return "the file is empty"
    if info.file_size > image.LARGEST_FILE:
        return f"{info.file_size:,} bytes unpacked; an image file may have {image.LARGEST_FILE:,} at most"
    return None


def _unzipped(archive: zipfile.ZipFile, name: str) -> BinaryIO:
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


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is hidden."""
    for piece in name.split("/"):
        if piece in (".", ".."):
            continue
        if piece.startswith(".") or piece == "__MACOSX":
            return True
    return False
