"""The manifest of a shared model: size and SHA-256 of each file, so that a changed or mixed copy is noticed.

README.md is not in it: its owner may edit the card on the hub. The manifest says that the files belong together; the revision
that one asks for says whose they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from ganvas.errors import RunError
from ganvas.files import JsonObject, explained, parse_json, sha256, write_text

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_manifest(folder: Path, names: Iterable[str]) -> None:
    """Writes manifest.json of the files `names` in `folder`."""
    files: JsonObject = {}
    for name in sorted(names):
        files[name] = {"size": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
    write_text(folder / MANIFEST, json.dumps({"files": files}, indent=2))


def check_manifest(folder: Path, needed: Iterable[str]) -> None:
    """RunError where a file differs from the manifest, or where the manifest omits one of `needed`. Its names are names of files,
    so it cannot point to another folder. Without a manifest nothing is checked."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    files = _read(path)
    for name in needed:
        if name not in files:
            raise RunError(f"{path} does not name {name}: get the folder again")
    for name, entry in files.items():
        file = folder / name
        if not file.is_file():
            if name in needed:
                raise RunError(f"{file} is missing, and {MANIFEST} names it: get the folder again")
            continue
        if file.stat().st_size != entry["size"] or sha256(file) != entry["sha256"]:
            raise RunError(
                f"{file} is not the file that {MANIFEST} names (its SHA-256 should be {entry['sha256']}): it was changed or cut"
                " short. Get the folder again, or name a revision that is intact"
            )


def _read(path: Path) -> JsonObject:
    with explained(path, "read"), open(path, "rb") as file:
        text = file.read(MAX_MANIFEST_BYTES + 1)
    try:
        files = parse_json(text)["files"] if len(text) <= MAX_MANIFEST_BYTES else None
    except (ValueError, KeyError, TypeError):
        files = None
    if not isinstance(files, dict) or not all(_is_entry(name, entry) for name, entry in files.items()):
        raise RunError(f"{path} is damaged: it must hold the size and SHA-256 of each file. Get the folder again")
    return files


def _is_entry(name: str, entry: object) -> bool:
    if Path(name).name != name or name in ("", ".", ".."):
        return False
    if not isinstance(entry, dict) or type(entry.get("size")) is not int:
        return False
    digest = entry.get("sha256")
    return isinstance(digest, str) and _DIGEST.fullmatch(digest) is not None
