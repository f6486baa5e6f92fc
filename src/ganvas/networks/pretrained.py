"""Weights that others trained: where a file of them may lie, how it is checked, and what to do where there is none.

Looked for, in this order: a path given by the user; the folder $GANVAS_WEIGHTS; our cache and that of torch hub; an installed
package that carries the file (found by its metadata, never imported); download. What counts is the SHA-256.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ganvas.errors import GanvasError
from ganvas.files import cache_folder, sha256, write_aside

CHUNK = 2**20  # bytes read at once from the net


@dataclass(frozen=True)
class WeightsFile:
    """One file of trained weights."""

    title: str
    """The network, as messages name it."""
    file: str
    sha256: str
    bytes: int
    maker: str = "torchvision"
    url: str = ""
    """"": it cannot be downloaded by itself."""
    package: str = ""
    """A Python package that carries the file."""
    install: str = ""
    """What brings that package."""


def find_weights(wanted: WeightsFile, path: Path | str | None = None, *, download: bool = True) -> Path:
    """The weights file, its SHA-256 checked; see the top of this file for where it is looked for.

    GanvasError where `path` is not that file, or where nothing is found: it names all the choices.
    """
    if path is not None:
        return _checked_by_name(wanted, Path(path))
    found = next(stored_weights(wanted), None)
    if found is not None:
        return found
    return _download(wanted) if download else _missing(wanted, "nothing was found on this machine")


def has_weights(wanted: WeightsFile) -> bool:
    """Whether the file lies on this machine."""
    return next(stored_weights(wanted), None) is not None


def stored_weights(wanted: WeightsFile) -> Iterator[Path]:
    """Every place on this machine where the file lies whole."""
    folder = os.environ.get("GANVAS_WEIGHTS")
    candidates = [Path(folder).expanduser() / wanted.file] if folder else []
    candidates.append(cache_folder() / "weights" / wanted.file)
    candidates.append(Path(torch.hub.get_dir()) / "checkpoints" / wanted.file)
    candidates += _packaged(wanted)
    return (path for path in candidates if path.is_file() and is_file(wanted, path))


def is_file(wanted: WeightsFile, path: Path) -> bool:
    """Whether `path` holds exactly those weights."""
    # The size first: nobody waits for the hash of a file that cannot be it.
    return path.stat().st_size == wanted.bytes and sha256(path) == wanted.sha256


def choices(wanted: WeightsFile) -> str:
    """What a user can do to have the weights, in words."""
    ways = [
        f"put {wanted.file} into a folder and name that in $GANVAS_WEIGHTS (or give its path)",
        f"put it into {cache_folder() / 'weights'}",
    ]
    ways += [f"{wanted.install}, which brings the package {wanted.package}"] if wanted.package else []
    ways += [f"go online, so that it is downloaded from {wanted.url}"] if wanted.url else []
    return "; ".join([*ways[:-1], f"or {ways[-1]}"])


def _checked_by_name(wanted: WeightsFile, path: Path) -> Path:
    path = path.expanduser()
    path = path / wanted.file if path.is_dir() else path
    if not path.is_file():
        raise GanvasError(f"there are no {wanted.title} weights at {path}: name the file {wanted.file} or its folder")
    if not is_file(wanted, path):
        again = f"; get it again from {wanted.url}" if wanted.url else f"; {wanted.install} brings the right one"
        raise GanvasError(
            f"{path} is not {wanted.maker}'s {wanted.file} (its SHA-256 should be {wanted.sha256}): "
            f"it may be cut short, or of another version{again}"
        )
    return path


def _packaged(wanted: WeightsFile) -> list[Path]:
    if not wanted.package:
        return []
    try:
        files = importlib.metadata.files(wanted.package) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == wanted.file]


def _download(wanted: WeightsFile) -> Path:
    if not wanted.url:
        return _missing(wanted, "nothing was found on this machine")
    path = cache_folder() / "weights" / wanted.file
    try:
        with urllib.request.urlopen(wanted.url, timeout=30) as answer:
            # Aside, chunk by chunk: half a gigabyte need not lie in memory, and a wrong file never takes the right one's name.
            write_aside(path, lambda file: _copy(answer, file, wanted))
    except (OSError, urllib.error.URLError) as error:
        return _missing(wanted, f"downloading them failed ({getattr(error, 'reason', error)})")
    except _Other:
        return _missing(wanted, "what was downloaded has another SHA-256")
    return path


class _Other(Exception):
    """What came is not what was asked for."""


def _copy(answer, file, wanted: WeightsFile) -> None:
    digest, left = hashlib.sha256(), wanted.bytes
    while chunk := answer.read(CHUNK):
        digest.update(chunk)
        file.write(chunk)
        left -= len(chunk)
        if left < 0:
            break
    if left or digest.hexdigest() != wanted.sha256:
        raise _Other


def _missing(wanted: WeightsFile, reason: str) -> Path:
    raise GanvasError(f"the weights of {wanted.title} are missing: {reason}. Do one of these: {choices(wanted)}")
