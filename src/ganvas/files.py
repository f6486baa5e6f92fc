"""Writing so that nothing is lost: aside, fsync, rename, fsync of the folder. And where our cache lives."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ganvas.errors import GanvasError, RunError

MAX_SETTINGS_BYTES = 64 * 2**20  # a settings.json larger than that is not one of ours

JsonObject = dict[str, Any]
"""A JSON object as it is read; whoever reads a value knows its type."""


@contextlib.contextmanager
def explained(path: Path | str, doing: str = "write") -> Iterator[None]:
    """Turns an OSError inside the block into a GanvasError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "the disk is full: free some space and continue; what was saved before is intact",
            errno.EDQUOT: "your quota is used up: free some space and continue; what was saved before is intact",
            errno.EACCES: "no permission: choose another folder or change its rights",
            errno.EPERM: "not permitted: choose another folder or change its rights",
            errno.EROFS: "the file system is read-only: choose another folder",
        }.get(error.errno or 0, error.strerror or str(error))
        raise GanvasError(f"cannot {doing} {path}: {advice}") from error


def sync_folder(folder: Path) -> None:
    """Makes a rename inside `folder` survive a power cut."""
    if sys.platform == "win32":  # a folder cannot be opened there, and needs no fsync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_aside(path: Path | str, write: Callable[[BinaryIO], object]) -> None:
    """Calls `write(file)` on a file beside `path`, and puts it in place only when it is whole and on the disk."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside, 0o666 & ~_umask())  # mkstemp gives 0600; a result is as readable as any new file
            os.replace(aside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise
        sync_folder(path.parent)


def write_bytes(path: Path | str, content: bytes) -> None:
    """`path` holds `content`, or what it held before; never a part of it."""
    write_aside(path, lambda file: file.write(content))


def write_text(path: Path | str, content: str) -> None:
    """`write_bytes` in UTF-8; of a name that is none, such as an old Latin-1 folder's, the bytes as \\xe9."""
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """$GANVAS_CACHE, or `ganvas` in the user's cache folder ($XDG_CACHE_HOME, ~/.cache, ~/Library/Caches, %LOCALAPPDATA%)."""
    own = os.environ.get("GANVAS_CACHE")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ganvas"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text that anybody may have written. ValueError where it is none, also where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path, otherwise: str = "") -> JsonObject:
    """A JSON object from a file of bounded size. RunError says what is wrong, and `otherwise`, what to do about it."""
    with explained(path, "read"):
        if path.stat().st_size > MAX_SETTINGS_BYTES:
            raise RunError(f"{path} is larger than {MAX_SETTINGS_BYTES} bytes, so it is not one of ours")
        text = path.read_bytes()
    advice = f": {otherwise}" if otherwise else ""
    try:
        content = parse_json(text)
    except ValueError as error:
        raise RunError(f"{path} is not valid JSON ({error}){advice}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} must hold a JSON object, and holds a {type(content).__name__}{advice}")
    return content
