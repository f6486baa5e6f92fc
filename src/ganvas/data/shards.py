"""Tar files of images, as webdataset writes them or as any folder packs into one; nothing is unpacked to the disk.

wds:shards-{000..009}.tar     ten files of images; 0001.jpg with 0001.cls (a number) or 0001.json ("label") beside it
photos.tar                    one file; its folders are labels and splits where no .cls says the labels
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import re
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ganvas.data import image
from ganvas.data.image import Broken
from ganvas.data.passed_over import is_skipped
from ganvas.data.scan import Files, stamp
from ganvas.errors import DataError
from ganvas.files import parse_json

SHARDS_PREFIX = "wds:"
BRACE_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
MAX_SHARDS = 10_000
MAX_MEMBERS = 10_000_000
MAX_LABEL_BYTES = 2**16  # bytes of a .cls or .json


@dataclasses.dataclass(frozen=True)
class Member:
    """Where a file lies in its shard."""

    shard: Path
    start: int
    size: int


def expanded(pattern: str) -> list[Path]:
    """The files of a pattern such as `shards-{000..009}.tar`, one or none range in it. DataError for those that are not there."""
    match = BRACE_RANGE.search(pattern)
    names = [pattern]
    if match:
        first, last = int(match[1]), int(match[2])
        if not 0 <= last - first < MAX_SHARDS:
            raise DataError(f"{pattern}: {{FIRST..LAST}} must rise, over {MAX_SHARDS:,} files at most")
        width = len(match[1])
        names = [
            f"{pattern[: match.start()]}{number:0{width}d}{pattern[match.end() :]}" for number in range(first, last + 1)
        ]
    paths = [Path(name).expanduser() for name in names]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"there is no file {missing[0]}{more}: wds: takes the paths of .tar files on this machine")
    return paths


def scan_shards(paths: list[Path]) -> Files:
    """Every image in the tar files, with labels from .cls or .json files of the same key."""
    wanted = image.suffixes()
    members: dict[str, Member] = {}
    root = paths[0].resolve() if len(paths) == 1 else paths[0].resolve().parent
    files = Files(root, functools.partial(_opened, members), wanted)
    labels: dict[str, int | str] = {}
    for path in paths:
        files.stamps.append(stamp(path))
        prefix = f"{path.stem}/" if len(paths) > 1 else ""
        _scan(path, prefix, files, members, labels)
    if labels:
        files.labels = {name: labels.get(_key(name)) for name in files.names}
    files.names.sort()
    return files


def _scan(path: Path, prefix: str, files: Files, members: dict[str, Member], labels: dict[str, int | str]) -> None:
    image.refuse_endless(path)
    try:
        with tarfile.open(path, "r:") as archive:
            for number, info in enumerate(archive):
                if number >= MAX_MEMBERS:
                    raise DataError(f"{path} holds more than {MAX_MEMBERS:,} files")
                if info.isdir():
                    continue
                name = prefix + info.name.removeprefix("./")
                if is_skipped(name):
                    files.ignored.append(name)
                    continue
                if name.endswith((".cls", ".json")) and info.isreg() and info.size <= MAX_LABEL_BYTES:
                    label = _label(name, archive.extractfile(info))
                    if label is not None:
                        labels[_key(name)] = label
                        continue
                if not files.wants(name):
                    files.ignored.append(name)
                    continue
                reason = _problem(info, name, name in members)
                if reason:
                    files.problems.append((name, reason))
                    continue
                files.names.append(name)
                members[name] = Member(path, info.offset_data, info.size)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        advice = (
            " (a compressed one has to be unpacked first: gunzip)"
            if path.suffix in (".gz", ".tgz", ".xz", ".zst")
            else ""
        )
        raise DataError(f"cannot read the tar file {path}: {error}{advice}") from error


def _problem(info: tarfile.TarInfo, name: str, seen: bool) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return "its path leads out of the archive"
    if not info.isreg() or info.issparse():
        return "it is not an ordinary file"
    if seen:
        return "the archive holds it twice"
    try:
        image.refuse_irregular(stat.S_IFREG, info.size)
    except Broken as error:
        return str(error)
    return None


def _opened(members: dict[str, Member], name: str) -> BinaryIO:
    member = members[name]
    try:
        with open(member.shard, "rb") as file:
            file.seek(member.start)
            content = file.read(member.size)
    except OSError as error:
        raise Broken(error.strerror or str(error)) from error
    if len(content) != member.size:
        raise Broken("the archive is cut short")
    return io.BytesIO(content)


def _key(name: str) -> str:
    """What files of one example share: the name up to the first dot behind the folders."""
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.partition('.')[0]}"


def _label(name: str, file: object) -> int | str | None:
    """The label in a .cls or .json file, or None where it has none."""
    if not isinstance(file, io.BufferedIOBase):
        return None
    text = file.read(MAX_LABEL_BYTES).decode("utf-8", "replace").strip()
    if os.path.splitext(name)[1] == ".cls":
        return int(text) if text.lstrip("-").isdecimal() else text or None
    try:
        content = parse_json(text)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    for column in ("label", "cls", "class", "class_name"):
        if isinstance(content.get(column), int | str):
            return content[column]
    return None
