"""Files that a loader passes over: what they are, how many, and what reads them.

8 files passed over: 5 HEIC photos (IMG_1.heic, ...; pip install "ganvas[heic]" reads them), 3 texts (a.txt, ...)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from ganvas.data.file_kinds import ARCHIVES, ARRAYS, HEIC, IMAGES, OTHER_IMAGES, RAW, SOUNDS, TEXTS, VIDEOS, WAV

SHOWN_PER_GROUP = 2  # names of a group
SYSTEM = frozenset({"@eadir", "$recycle.bin", "lost+found", "__macosx", "#recycle", "system volume information"})
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})
HIDDEN_SYSTEM = (".thumbnails", ".trash-", ".trash", ".trashes", ".spotlight-v100", ".fseventsd")

NO_TEXT = (
    IMAGES | HEIC | SOUNDS | VIDEOS | ARRAYS | ARCHIVES | RAW | OTHER_IMAGES | frozenset({".jxl"})
)  # of which a folder may be full that has a README
KINDS_OF_DATA = {
    IMAGES | HEIC: "images",
    SOUNDS: "sounds",
    VIDEOS: "videos",
    TEXTS: "texts",
    ARRAYS: "files of arrays",
}
SINGULAR = {
    "images": "image",
    "sounds": "sound",
    "videos": "video",
    "texts": "text",
    "files of arrays": "file of arrays",
}


class Group(NamedTuple):
    """One kind of file (one, many), and what to do about it."""

    one: str
    many: str
    advice: str = ""


class PassedOver(TypedDict):
    """A group on the data card. `files` are a few of their names."""

    what: str
    count: int
    files: list[str]
    advice: str


LACKED = Group("image", "images", "the Pillow installed here does not read this kind: pip install -U pillow")
UNREAD = {
    HEIC: Group("HEIC photo", "HEIC photos", 'pip install "ganvas[heic]" reads them'),
    frozenset({".jxl"}): Group("JPEG XL image", "JPEG XL images", "convert them to PNG, for example with djxl"),
    IMAGES: Group("image", "images"),
    RAW: Group("camera RAW file", "camera RAW files", "export them as JPEG, PNG or TIFF"),
    OTHER_IMAGES: Group("image of another kind", "images of other kinds", "convert them to PNG"),
    WAV: Group("sound", "sounds"),
    SOUNDS: Group("sound", "sounds", 'pip install "ganvas[audio]" reads FLAC, Ogg and MP3 as clips'),
    VIDEOS: Group("video", "videos"),
    TEXTS: Group("text", "texts"),
    ARRAYS: Group("file of arrays", "files of arrays", "name one as the data to train on it"),
    ARCHIVES: Group("archive", "archives", "unpack them, or name one as the data"),
}


def skipped(piece: str) -> str | None:
    """Why a file or folder of that name is never looked at: "system" or "hidden"; None for all others."""
    lower = piece.lower()
    if lower in SYSTEM or lower in SYSTEM_FILES or lower.startswith(HIDDEN_SYSTEM):
        return "system"
    if piece.startswith(".") and piece not in (".", ".."):
        return "hidden"
    return None


def is_skipped(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is never looked at."""
    return any(skipped(piece) for piece in name.split("/"))


def groups(ignored: Sequence[str], wanted: frozenset[str] = IMAGES) -> list[PassedOver]:
    """What files of these names are, where those that end in `wanted` were looked for. Of a folder that is not looked at, the
    folder is counted."""
    members: dict[Group, list[str]] = {}
    for name in ignored:
        group, shown = _group(name)
        if group is UNREAD[IMAGES] and ".png" in wanted:
            group = LACKED
        names = members.setdefault(group, [])
        if shown not in names[-1:]:  # the files of one folder follow each other
            names.append(shown)
    listed: list[PassedOver] = []
    for group, names in members.items():
        what = group.one if len(names) == 1 else group.many
        listed.append({"what": what, "count": len(names), "files": names[:SHOWN_PER_GROUP], "advice": group.advice})
    return sorted(listed, key=lambda one: (not one["advice"], -one["count"], one["what"]))


def sentence(passed: Sequence[PassedOver]) -> str:
    """All groups in one line."""
    total = sum(one["count"] for one in passed)
    parts: list[str] = []
    for one in passed:
        names = ", ".join(one["files"])
        if one["count"] > len(one["files"]):
            names += ", ..."
        advice = f"; {one['advice']}" if one["advice"] else ""
        parts.append(f"{one['count']} {one['what']} ({names}{advice})")
    return f"{total} {'file' if total == 1 else 'files'} passed over: {', '.join(parts)}"


def mixed(count: int, taken: str, ignored: Sequence[str]) -> list[str]:
    """A sentence that a folder holds several kinds of data, of which `count` files are `taken`; nothing where it holds one."""
    counts: dict[str, int] = {}
    for name in ignored:
        suffix = os.path.splitext(name)[1].lower()
        for suffixes, kind in KINDS_OF_DATA.items():
            if suffix in suffixes and kind != taken and not is_skipped(name):
                counts[kind] = counts.get(kind, 0) + 1
    if not counts:
        return []
    listed: list[str] = []
    for kind, number in ((taken, count), *counts.items()):
        listed.append(f"{number} {SINGULAR[kind] if number == 1 else kind}")
    return [f"mixed kinds of data: {', '.join(listed[:-1])} and {listed[-1]}. Only the {taken} are taken"]


def _group(name: str) -> tuple[Group, str]:
    """The group of a file, and the name to count: its own, or that of the folder that is not looked at."""
    pieces = name.split("/")
    for depth, piece in enumerate(pieces, 1):
        reason = skipped(piece)
        if reason == "system":
            return Group("system file or folder", "system files and folders"), "/".join(pieces[:depth])
        if reason == "hidden":
            return Group("hidden file", "hidden files"), "/".join(pieces[:depth])
    suffix = os.path.splitext(name)[1].lower()
    for suffixes, group in UNREAD.items():
        if suffix in suffixes:
            return group, name
    return Group("other file", "other files"), name
