"""What was dropped on the page: single images, and data sets of many files. Everything is bounded, and named by ids of ours.

images/STORE_ID.png        an image, decoded by a process of its own and written anew
images/STORE_ID.json       its name, size and where it comes from
shares/STORE_ID.zip        a model with its card, to be downloaded
data/STORE_ID/files/...    the files of a data set, under names of ours
data/STORE_ID/data.json    its name and state;  data/STORE_ID/card.json, grid.png: what it holds
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

from ganvas.data.file_kinds import ARRAYS, CATALOGUES, HEIC, IMAGES, SOUNDS, TABLES, TEXTS, VIDEOS, VOLUMES
from ganvas.errors import DataError, UsageError
from ganvas.files import JsonObject, write_text
from ganvas.strict_json import dumps
from ganvas.studio.runs import read_json

MAX_UPLOAD_BYTES = 4 * 2**30  # bytes of a file of a data set
MAX_IMAGE_UPLOAD_BYTES = 64 * 2**20  # bytes of a single image
MAX_SET_BYTES = 16 * 2**30  # bytes of all files of a data set
MAX_SET_FILES = 200_000  # of a data set
MAX_SETS = 200
MAX_SHARES = 10  # the oldest are removed beyond that
MAX_IMAGES = 1000  # the oldest are removed beyond that
MIN_FREE_BYTES = 512 * 2**20  # bytes that stay free on the disk
STORE_ID = re.compile(r"[a-z0-9]{16}")
READ = (
    IMAGES | HEIC | SOUNDS | VIDEOS | TEXTS | TABLES | CATALOGUES | VOLUMES | ARRAYS
    | {".zip", ".tar", ".gz", ".idx", ".idx1-ubyte", ".idx3-ubyte"}
)  # fmt: skip
MAX_NAME_PARTS = 4  # of a relative name: sub-folders are labels


class NotHere(DataError):
    """An id that stands for nothing (any more)."""


def new_id() -> str:
    """80 random bits."""
    return secrets.token_hex(8)


class Store:
    """Images and data sets of one studio folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images_folder, self.data_folder, self.shares_folder = folder / "images", folder / "data", folder / "shares"
        for place in (self.images_folder, self.data_folder, self.shares_folder):
            place.mkdir(parents=True, exist_ok=True)

    # --- images ---------------------------------------------------------------------------------------------------------

    def image(self, name: str) -> Path:
        """The file of an image; DataError where there is none."""
        path = self.images_folder / f"{name}.png"
        if not STORE_ID.fullmatch(name) or not path.is_file():
            raise NotHere("this image is not here (any more): drop it again")
        return path

    def image_facts(self, name: str) -> JsonObject:
        """What is known of it."""
        self.image(name)
        return read_json(self.images_folder / f"{name}.json")

    def images(self, kind: str = "") -> list[JsonObject]:
        """The facts of all images, the newest first; `kind`: only uploads, or only results."""
        found: list[tuple[float, JsonObject]] = []
        for path in self.images_folder.glob("*.json"):
            facts = read_json(path)
            if not kind or facts.get("kind") == kind:
                found.append((float(facts.get("created", 0)), facts))
        return [facts for _, facts in sorted(found, key=lambda one: -one[0])]

    def keep_image(self, content: bytes, facts: JsonObject) -> JsonObject:
        """Writes a PNG of ours with its facts; returns them with its id."""
        name = new_id()
        path = self.images_folder / f"{name}.png"
        path.write_bytes(content)
        return self.note_image(name, facts)

    def note_image(self, name: str, facts: JsonObject) -> JsonObject:
        """The facts of an image whose file is there; the oldest images beyond the limit go."""
        facts = {"id": name, "created": time.time(), **facts}
        write_text(self.images_folder / f"{name}.json", dumps(facts))
        old = sorted(self.images_folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in old[: max(0, len(old) - MAX_IMAGES)]:
            self.remove_image(path.stem)
        return facts

    def remove_image(self, name: str) -> None:
        """Deletes an image; nothing happens where it is gone."""
        if STORE_ID.fullmatch(name):
            for suffix in ("json", "png", "npz"):
                (self.images_folder / f"{name}.{suffix}").unlink(missing_ok=True)

    # --- models to share ------------------------------------------------------------------------------------------------

    def keep_share(self, path: Path) -> str:
        """Takes over a .zip and returns its id; the oldest ones go."""
        number = new_id()
        os.replace(path, self.shares_folder / f"{number}.zip")
        old = sorted(self.shares_folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
        for one in old[: max(0, len(old) - MAX_SHARES)]:
            one.unlink(missing_ok=True)
        return number

    def shared(self, number: str) -> Path:
        """Its file."""
        path = self.shares_folder / f"{number}.zip"
        if not STORE_ID.fullmatch(number) or not path.is_file():
            raise NotHere("this file is not here (any more): make it again")
        return path

    # --- data sets ------------------------------------------------------------------------------------------------------

    def new_data(self, name: str) -> JsonObject:
        """An empty data set, to be filled."""
        if len(self.data_sets()) >= MAX_SETS:
            raise UsageError(f"there are {MAX_SETS} data sets, which is the limit: remove some")
        number = new_id()
        (self.data_folder / number / "files").mkdir(parents=True)
        return self._write(
            number, {"id": number, "name": name, "state": "filling", "files": 0, "bytes": 0, "created": time.time()}
        )

    def data(self, number: str) -> JsonObject:
        """The facts of a data set, with its card where it was looked at; DataError where there is none."""
        folder = self._folder(number)
        facts = read_json(folder / "data.json")
        if (folder / "card.json").is_file():
            facts["card"] = read_json(folder / "card.json")
        facts["has_grid"] = (folder / "grid.png").is_file()
        return facts

    def data_sets(self) -> list[JsonObject]:
        """All of them, the newest first."""
        found = [self.data(path.name) for path in self.data_folder.iterdir() if (path / "data.json").is_file()]
        return sorted(found, key=lambda facts: -facts["created"])

    def source(self, number: str) -> Path:
        """What `--data` takes: the one file, or the folder of files."""
        files = self._folder(number) / "files"
        entries = list(files.iterdir())
        return entries[0] if len(entries) == 1 and entries[0].is_file() else files

    def grid(self, number: str) -> Path:
        """The image of examples."""
        path = self._folder(number) / "grid.png"
        if not path.is_file():
            raise NotHere("this data set has no grid of images")
        return path

    def change_data(self, number: str, **facts: object) -> JsonObject:
        """Writes new facts."""
        return self._write(number, {**read_json(self._folder(number) / "data.json"), **facts})

    def remove_data(self, number: str) -> None:
        """Deletes a data set with its files."""
        shutil.rmtree(self._folder(number))

    async def receive(self, number: str, name: str, chunks: AsyncIterator[bytes]) -> JsonObject:
        """Writes one more file; DataError or UsageError where it is too large, of an unknown kind or badly named."""
        facts = read_json(self._folder(number) / "data.json")
        if facts["state"] != "filling":
            raise UsageError("this data set is complete: make a new one")
        if facts["files"] >= MAX_SET_FILES:
            raise UsageError(f"a data set has at most {MAX_SET_FILES} files: put them into a .zip")
        path = self._folder(number) / "files" / safe_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path = path.with_name(f"{new_id()}-{path.name}")
        size = await write_bounded(path, chunks, min(MAX_UPLOAD_BYTES, MAX_SET_BYTES - facts["bytes"]))
        # The facts may have changed while the file came: another one came beside it.
        facts = read_json(self._folder(number) / "data.json")
        return self._write(number, {**facts, "files": facts["files"] + 1, "bytes": facts["bytes"] + size})

    def _folder(self, number: str) -> Path:
        folder = self.data_folder / number
        if not STORE_ID.fullmatch(number) or not (folder / "data.json").is_file():
            raise NotHere("this data set is not here (any more)")
        return folder

    def _write(self, number: str, facts: JsonObject) -> JsonObject:
        write_text(self.data_folder / number / "data.json", dumps(facts))
        return facts


def safe_name(name: str) -> str:
    """A relative name of plain parts: sub-folders stay, since they are labels; nothing leads out of the folder.

    UsageError for a kind of file that no data are made of.
    """
    parts = [part for part in re.split(r"[/\\]", unicodedata.normalize("NFC", name)) if part not in ("", ".", "..")]
    plain: list[str] = []
    for part in parts[-MAX_NAME_PARTS:]:
        cleaned = re.sub(r"[^\w .()+-]", "_", part).strip(" .")[:100]
        plain.append(cleaned or "_")
    if not plain:
        raise UsageError("a file needs a name")
    suffix = os.path.splitext(plain[-1])[1].lower()
    if suffix not in READ:
        raise UsageError(
            f"{plain[-1]} is of no kind that data are made of: images, videos, sounds, texts, pairs of texts (.tsv, .csv, .jsonl,"
            " .po, .mo), meshes (.obj, .stl, .ply, .binvox), .zip, .tar, .npz, .npy, .parquet"
        )
    return "/".join(plain)


async def write_bounded(path: Path, chunks: AsyncIterator[bytes], most: int) -> int:
    """Writes what comes, at most `most` bytes; nothing is left where it does not end well. Returns the bytes."""
    free = shutil.disk_usage(path.parent).free - MIN_FREE_BYTES
    aside, size = path.with_name(f".{new_id()}.part"), 0
    try:
        with open(aside, "xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise UsageError(f"the file is larger than {most / 2**20:,.0f} MiB, which is the limit")
                if size > free:
                    raise UsageError("the disk is nearly full: free some space, then drop the file again")
                file.write(chunk)
        if not size:
            raise DataError("the file is empty")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return size
