"""Downloads of files whose SHA-256 is known: data sets and weights alike.

A download continues where it stopped, also from another mirror and in a later process: what counts is the SHA-256 of the whole
file. It is written aside, under the name with `.part` at its end, and renamed when it is intact. One process downloads at a
time, others wait for it; never more than one byte beyond the right size is read.

$GANVAS_MIRROR names a server (URL) that is asked first: see `mirrored`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ganvas import files
from ganvas.errors import GanvasError

TIMEOUT_SECONDS = 30.0  # seconds without a byte
TRIES_PER_MIRROR = 3  # times a mirror may break off and be asked for the rest
BYTES_PER_READ = 256 * 1024  # bytes read at once

Progress = Callable[[int], None]  # bytes that are there so far


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """One file: its size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


class DownloadError(GanvasError):
    """No address gave the file."""

    def __init__(self, failures: Sequence[str]) -> None:
        super().__init__("\n".join(failures))
        self.failures = list(failures)
        """One an address, `URL: reason`."""


class _Failed(Exception):
    """An address that cannot give the file."""


class _Interrupted(Exception):
    """An answer that ended early; asking again for the rest may help."""


def is_intact(path: Path, remote: RemoteFile) -> bool:
    """Whether the file has the right size and SHA-256."""
    # The size first: nobody waits for the hash of a file that cannot be it.
    return path.is_file() and path.stat().st_size == remote.size and files.sha256(path) == remote.sha256


def mirrored(remote: RemoteFile, group: str, urls: Sequence[str]) -> list[str]:
    """`urls`, behind $GANVAS_MIRROR/`group`/NAME where that variable is set."""
    own = os.environ.get("GANVAS_MIRROR")
    first = [f"{own.rstrip('/')}/{group}/{remote.name}"] if own else []
    return [*first, *urls]


def download(remote: RemoteFile, urls: Sequence[str], folder: Path, progress: Progress = lambda done: None) -> Path:
    """Brings one file into `folder`, from the first of `urls` that has it; DownloadError says why each of them failed.

    Nothing is asked for where the file is there already, as after another process has downloaded it.
    """
    target, aside = folder / remote.name, folder / f"{remote.name}.part"
    failures = []
    with files.explained(folder), _locked(folder, remote.name):
        if is_intact(target, remote):
            return target
        for url in urls:
            try:
                _complete(remote, url, aside, progress)
            except _Failed as error:
                failures.append(f"{url}: {error}")
            else:
                _put_in_place(aside, target)
                return target
    raise DownloadError(failures)


def _complete(remote: RemoteFile, url: str, aside: Path, progress: Progress) -> None:
    """Completes `aside` from one URL, or _Failed. What has another SHA-256 is deleted; what is only too short is kept."""
    reason, resumed = "", aside.exists()
    for _ in range(TRIES_PER_MIRROR):
        # Ask for what is missing.
        try:
            _append(remote, url, aside, progress)
        except _Interrupted as error:
            reason = str(error)
            continue
        size = aside.stat().st_size
        if size < remote.size:
            reason = f"broke off after {size:,} of {remote.size:,} bytes"
            continue
        # Check the whole.
        if is_intact(aside, remote):
            return
        aside.unlink()
        reason = "the file has another SHA-256 than it should"
        if not resumed:
            break
        resumed = False  # the part that was there may have been wrong: once more from the start
    raise _Failed(reason)


def _append(remote: RemoteFile, url: str, aside: Path, progress: Progress) -> None:
    """Asks for what is missing and writes it behind what is there, up to one byte more than the right size."""
    present = aside.stat().st_size if aside.exists() else 0
    if present >= remote.size:
        return
    headers = {"User-Agent": "ganvas"} | ({"Range": f"bytes={present}-"} if present else {})
    with _opened(url, headers, aside) as response:
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {present}-")
        present = present if response.status == 206 and resumes else 0  # a server without ranges starts again
        with open(aside, "r+b" if present else "wb") as file:
            file.truncate(present)
            file.seek(present)
            _copy(response, file, present, remote.size, progress)


def _opened(url: str, headers: dict[str, str], aside: Path) -> http.client.HTTPResponse:
    """The answer; _Failed where there is none, or where it is an error that another try would not change."""
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416:  # 416: what is there is longer than the server's file
                raise _Failed(f"HTTP {error.code} {error.reason}") from None
        aside.unlink(missing_ok=True)
        raise _Interrupted("what was there could not be completed") from None
    except urllib.error.URLError as error:
        raise _Failed(_reason(error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_reason(error)) from None
    except ValueError as error:
        raise _Failed(f"not a URL: {error}") from None


def _copy(response: http.client.HTTPResponse, file: BinaryIO, present: int, size: int, progress: Progress) -> None:
    while present <= size:
        try:
            chunk = response.read1(min(BYTES_PER_READ, size + 1 - present))
        except (OSError, http.client.HTTPException) as error:
            raise _Interrupted(_reason(error)) from None
        if not chunk:
            return
        file.write(chunk)
        present += len(chunk)
        progress(min(present, size))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def _put_in_place(aside: Path, target: Path) -> None:
    with open(aside, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(aside, target)
    files.sync_folder(target.parent)


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock of one download, which the system frees when a process dies. Waits while another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{name}.lock", "ab") as lock:
        if sys.platform == "win32":
            import msvcrt

            while True:  # LK_LOCK gives up after ten seconds
                with contextlib.suppress(OSError):
                    msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
                    break
            try:
                yield
            finally:
                lock.seek(0)
                msvcrt.locking(lock.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
