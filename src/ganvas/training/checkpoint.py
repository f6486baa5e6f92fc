"""A training's whole state on disk: safetensors and JSON, hashed, written aside and renamed; the last good ones are kept.

RUN/checkpoints/step-00000120/state.safetensors    every tensor, by its path in the tree
                              state.json           everything else, and where each tensor goes
                              manifest.json        version, step, SHA-256 of both
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ganvas.errors import RunError, shortened
from ganvas.files import explained, sha256, sync_folder, write_bytes, write_text

CHECKPOINT_FORMAT = 1
KEPT_CHECKPOINTS = 2
_TENSOR = "\x00tensor"  # marks a tensor's place in the JSON; a text of ours never begins with NUL
_PAIRS = "\x00pairs"  # a dict whose keys are not all text

Tree = Any
"""A tree of dict, list, number, text, None and tensors. Whoever reads a value knows its type."""


def pack(tree: object) -> tuple[dict[str, Tensor], object]:
    """Splits a tree into its tensors and its JSON rest."""
    tensors: dict[str, Tensor] = {}

    def walk(node: object, path: str) -> object:
        if isinstance(node, Tensor):
            while path in tensors:  # of the key "1" beside 1
                path += "+"
            tensors[path] = node.detach().cpu().contiguous()
            return {_TENSOR: path}
        if isinstance(node, dict):
            pairs = [[key, walk(value, f"{path}/{key}")] for key, value in node.items()]
            if all(isinstance(key, str) for key in node):
                return dict(pairs)
            return {_PAIRS: pairs}
        if isinstance(node, list | tuple):
            return [walk(value, f"{path}/{number}") for number, value in enumerate(node)]
        if node is None or isinstance(node, bool | int | float | str):
            return node
        raise TypeError(f"a {type(node).__name__} at {path} cannot be saved: numbers, texts and tensors can")

    return tensors, walk(tree, "")


def unpack(tensors: dict[str, Tensor], rest: object) -> Tree:
    """The tree that `pack` split. Tuples come back as lists."""
    if isinstance(rest, list):
        return [unpack(tensors, value) for value in rest]
    if not isinstance(rest, dict):
        return rest
    if _TENSOR in rest:
        return tensors[rest[_TENSOR]]
    pairs = rest[_PAIRS] if _PAIRS in rest else rest.items()
    return {key: unpack(tensors, value) for key, value in pairs}


def finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of a tensor that holds NaN or inf, or None."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return name
    return None


def save_state(folder: Path, step: int, tree: object) -> Path:
    """Writes RUN/checkpoints/step-N for `folder` = RUN/checkpoints, and drops all but the last KEPT_CHECKPOINTS."""
    tensors, rest = pack(tree)
    broken = finite(tensors)
    if broken:
        raise RunError(f"not saved: {broken} holds NaN or inf at step {step}; the checkpoints before it are intact")
    place = folder / f"step-{step:08d}"
    aside = folder / f".step-{step:08d}.{os.getpid()}.part"
    with explained(place, "save"):
        folder.mkdir(parents=True, exist_ok=True)
        tidy(folder)
        try:
            aside.mkdir()
            hashes = {}
            for name, content in (("state.safetensors", save(tensors)), ("state.json", json.dumps(rest).encode())):
                write_bytes(aside / name, content)
                hashes[name] = hashlib.sha256(content).hexdigest()
            write_text(
                aside / "manifest.json", json.dumps({"format": CHECKPOINT_FORMAT, "step": step, "sha256": hashes})
            )
            _discard(place)  # the same step, saved before an interruption
            os.replace(aside, place)
            sync_folder(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    for old in checkpoints(folder)[:-KEPT_CHECKPOINTS]:
        _discard(old)
    return place


def tidy(folder: Path) -> None:
    """Removes what a process that was killed left half-written, or half-removed, in RUN/checkpoints."""
    for left in folder.glob(".*.part"):
        shutil.rmtree(left, ignore_errors=True)


def _discard(place: Path) -> None:
    """Renamed first, so that a power cut leaves no half of it that looks like a damaged checkpoint."""
    gone = place.with_name(f".{place.name}.{os.getpid()}.old.part")
    with contextlib.suppress(OSError):
        os.replace(place, gone)
    shutil.rmtree(gone, ignore_errors=True)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints, oldest first; whether each is whole shows in loading."""
    places = []
    for path in folder.glob("step-*"):
        if re.fullmatch(r"step-\d{8,}", path.name):
            places.append(path)
    return sorted(places)


def load_state(place: Path) -> Tree:
    """The tree of one checkpoint; RunError where a file is missing, damaged or of another format."""
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        if manifest["format"] != CHECKPOINT_FORMAT:
            raise RunError(
                f"{place} has checkpoint format {manifest['format']}; this ganvas reads {CHECKPOINT_FORMAT}: use "
                "the ganvas that wrote it"
            )
        for name in ("state.safetensors", "state.json"):
            if sha256(place / name) != manifest["sha256"][name]:
                raise RunError(f"{place / name} is damaged: its SHA-256 is not the one in manifest.json")
        return unpack(load_file(place / "state.safetensors"), json.loads((place / "state.json").read_text()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise RunError(f"{place} cannot be read as a checkpoint: {shortened(error)}") from error


def load_newest(folder: Path, say: Callable[[str], None]) -> Tree | None:
    """The newest checkpoint that is whole; `say` gets a sentence for each damaged one passed over. None where there is none."""
    for place in reversed(checkpoints(folder)):
        try:
            return load_state(place)
        except RunError as error:
            say(f"{error}. Using the checkpoint before it")
    return None


def set_aside_after(folder: Path, step: int) -> None:
    """Renames checkpoints later than `step`, omitted as damaged by a resume: as step-N they would count as ones to keep."""
    for place in checkpoints(folder):
        if int(place.name.removeprefix("step-")) > step:
            os.replace(place, place.with_name(f"damaged-{place.name}"))
