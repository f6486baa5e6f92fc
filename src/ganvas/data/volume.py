"""Volumes from files: .npz with `volumes`, and folders or zips of .binvox grids and of meshes (.obj, .stl, .ply).

Folders mean what they mean for images: sub-folders are labels, train and test are splits. Meshes are voxelised as they are read.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganvas.data import arrays, mesh, passed_over
from ganvas.data.image import Broken
from ganvas.data.kinds.volumes import as_examples
from ganvas.data.labels import choose_labels, class_name
from ganvas.data.layout import arrange, ordered
from ganvas.data.scan import Files, Problems
from ganvas.data.settings import DataSettings
from ganvas.data.source import (
    Block,
    Counter,
    Listing,
    Loaded,
    Part,
    Progress,
    block_rows,
    broken_message,
    hold_out,
    mix,
)
from ganvas.errors import DataError

USUAL_VOXELS = 32  # a side, of meshes
MAX_GRID_SIDE = 512  # voxels of a grid that is read
MAX_RUNS = 2**26  # bytes of a .binvox file
Reader = Callable[[int], np.ndarray]


def list_volumes(files: Files, name: str) -> Listing:
    """The files that `scan_folder` or `scan_zip` found by the suffixes of volumes."""
    load = functools.partial(_load, files)
    return Listing(name, str(files.root), files.identity("volumes"), load, kind="volumes")


def load_npz(path: Path, settings: DataSettings, progress: Progress) -> Loaded:
    """`volumes` (N, D, H, W), bool, integers 0 and 1 or 0 to 255, or floats in [0, 1]; with `labels` (N,) and `classes`."""
    with arrays.npz_members(path) as (shapes, read):
        stored = read("volumes")
        labels, labels_name = None, ""
        for name in arrays.LABEL_NAMES:
            if name in shapes:
                labels, labels_name = read(name), name
                break
        class_names = None
        if "classes" in shapes:
            class_names = [class_name(one) for one in read("classes").tolist()]
    volumes = occupancy(stored, f"{path}: volumes")
    if labels is not None:
        labels = arrays.checked_labels(labels, len(volumes), f"{path}: {labels_name}", "volume")
    chosen = choose_labels({"train": labels}, {"train": len(volumes)}, class_names, "volumes")
    used, numbers = chosen.rows["train"], chosen.numbers["train"]
    train, test = hold_out(mix(used), None if numbers is None else numbers[used], settings.holdout)
    rows = {"train": used[train], "test": used[test]}
    loaded = from_volumes(str(path), volumes, rows, settings, progress, numbers, chosen.classes)
    return dataclasses.replace(loaded, facts={**loaded.facts, "notes": list(chosen.notes)})


def from_volumes(
    where: str, volumes: np.ndarray, rows: dict[str, np.ndarray], settings: DataSettings, progress: Progress,
    labels: np.ndarray | None = None, classes: tuple[str, ...] = (),
) -> Loaded:  # fmt: skip
    """Volumes (N, D, H, W) uint8 in memory as a source, `rows` by split."""
    shape = _resized_shape(volumes.shape[1:], settings, where)

    def read(row: int) -> np.ndarray:
        return resized(volumes[row], shape)

    parts = _parts(rows, labels, shape, read, lambda row: f"{where}: volume {row}", progress)
    return Loaded(where, parts, classes, facts={"kind": "volumes"})


def occupancy(stored: np.ndarray, where: str) -> np.ndarray:
    """An array of volumes as uint8, 0 outside and 255 inside; DataError for other shapes and ranges."""
    if stored.ndim != 4 or not stored.size:
        raise DataError(f"{where} has shape {stored.shape}; (N, D, H, W) is taken")
    if max(stored.shape[1:]) > MAX_GRID_SIDE:
        raise DataError(f"{where} are {_words(stored.shape[1:])}; at most {MAX_GRID_SIDE} voxels a side are read")
    if stored.dtype.kind == "b":
        return stored.astype(np.uint8) * np.uint8(255)
    if stored.dtype.kind == "f":
        if not (stored.min() >= 0 and stored.max() <= 1):  # a NaN fails too
            raise DataError(f"{where} holds floats outside [0, 1], and an occupancy is a share of 1")
        return np.rint(stored * 255).astype(np.uint8)
    if stored.dtype.kind not in "iu" or stored.min() < 0 or stored.max() > 255:
        raise DataError(f"{where} holds {stored.dtype}; bool, integers from 0 to 255 or floats in [0, 1] are taken")
    if stored.max() <= 1:
        return stored.astype(np.uint8) * np.uint8(255)
    return stored.astype(np.uint8)


def _load(files: Files, settings: DataSettings, progress: Progress) -> Loaded:
    if not files.names:
        raise DataError(broken_message(str(files.root), files.problems, 0, "volumes"))
    voxels = settings.voxels or USUAL_VOXELS
    layout = arrange(files.names)
    facts = {
        "kind": "volumes",
        "ignored_files": len(files.ignored),
        "passed_over": passed_over.groups(files.ignored, files.suffixes),
        "unused_folders": layout.unused,
        "notes": list(layout.notes),
    }

    def read(row: int) -> np.ndarray:
        name = files.names[row]
        with files.open(name) as file:
            return read_volume(file, Path(name).suffix.lower(), voxels)

    rows = ordered(files.names, layout, settings)
    parts = _parts(rows, layout.labels, (voxels,) * 3, read, lambda row: files.names[row], progress)
    return Loaded(str(files.root), parts, layout.classes, not settings.skip_broken, files.problems, facts)


def read_volume(file: BinaryIO, suffix: str, voxels: int) -> np.ndarray:
    """One file as (voxels, voxels, voxels) uint8. Broken where it cannot be."""
    if suffix == ".binvox":
        grid = read_binvox(file)
        try:
            return resized(grid, (voxels,) * 3)
        except DataError as error:
            raise Broken(str(error)) from None
    inside = mesh.voxelised(mesh.read_mesh(file, suffix), voxels)
    if not inside.any():
        raise Broken(f"nothing of it is as thick as a voxel at {voxels} a side: raise data.voxels")
    return inside.astype(np.uint8) * np.uint8(255)


def read_binvox(file: BinaryIO) -> np.ndarray:
    """A .binvox grid (z, y, x) uint8: a text header, then runs of a value and its count. Broken for any other file."""
    sides: list[int] = []
    if not file.readline(100).startswith(b"#binvox"):
        raise Broken("it does not begin with #binvox")
    for _ in range(20):
        words = file.readline(200).split()
        if words[:1] == [b"dim"]:
            sides = [int(word) for word in words[1:] if word.isdigit()]
        if words[:1] == [b"data"]:
            break
    else:
        raise Broken("its header has no end")
    if len(sides) != 3 or not 1 <= min(sides) <= max(sides) <= MAX_GRID_SIDE:
        raise Broken(f"its grid is {_words(sides)}; three sides of at most {MAX_GRID_SIDE} voxels are read")
    runs = np.frombuffer(file.read(MAX_RUNS), np.uint8)
    values, counts = runs[0::2], runs[1::2].astype(np.int64)
    total = sides[0] * sides[1] * sides[2]
    if len(runs) % 2 or int(counts.sum()) != total:
        raise Broken(f"its runs fill {int(counts.sum()):,} of {total:,} voxels")
    # x varies slowest, y fastest.
    x_z_y = np.repeat(values, counts).reshape(sides[0], sides[2], sides[1])
    return np.where(x_z_y.transpose(1, 2, 0) > 0, 255, 0).astype(np.uint8)


def resized(volume: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(D, H, W) uint8 reduced by the mean of whole blocks; DataError where `shape` does not divide it."""
    if volume.shape == shape:
        return volume
    factors = [old // new for old, new in zip(volume.shape, shape, strict=True)]
    if any(new * factor != old for new, factor, old in zip(shape, factors, volume.shape, strict=True)):
        raise DataError(
            f"a grid of {_words(volume.shape)} cannot become {_words(shape)}: data.voxels must divide its sides"
        )
    d, h, w = factors
    blocks = volume.reshape(shape[0], d, shape[1], h, shape[2], w)
    return np.rint(blocks.mean(axis=(1, 3, 5))).astype(np.uint8)


def _resized_shape(stored: tuple[int, ...], settings: DataSettings, where: str) -> tuple[int, ...]:
    if settings.voxels is None or max(stored) == settings.voxels:
        return stored
    if max(stored) % settings.voxels:
        raise DataError(
            f"{where} are {_words(stored)}: data.voxels={settings.voxels} does not divide their longest side"
        )
    factor = max(stored) // settings.voxels
    return tuple(side // factor for side in stored)


def _words(shape: tuple[int, ...] | list[int]) -> str:
    return "x".join(map(str, shape))


def _parts(
    rows: dict[str, np.ndarray],
    labels: np.ndarray | None,
    shape: tuple[int, ...],
    read: Reader,
    name_of: Callable[[int], str],
    progress: Progress,
) -> dict[str, Part]:
    """Volumes `rows` by split, each of `shape` (D, H, W): as images (H, W, D)."""
    packed = shape[1], shape[2], shape[0]
    counter = Counter(progress, sum(len(part) for part in rows.values()))

    def blocks(part: np.ndarray) -> Iterator[Block]:
        step = block_rows(packed)
        for start in range(0, len(part), step):
            good: list[np.ndarray] = []
            good_rows: list[int] = []
            problems: Problems = []
            for row in part[start : start + step].tolist():
                try:
                    good.append(read(row))
                    good_rows.append(row)
                except (Broken, OSError) as error:
                    problems.append((name_of(row), str(error)))
                counter.add(1)
            volumes = np.stack(good) if good else np.zeros((0, *shape), np.uint8)
            chosen = None if labels is None else labels[np.array(good_rows, dtype=np.int64)]
            yield Block(np.ascontiguousarray(as_examples(volumes)), chosen, problems)

    parts: dict[str, Part] = {}
    for split, part in rows.items():
        if len(part):
            parts[split] = Part(packed, functools.partial(blocks, part))
    return parts
