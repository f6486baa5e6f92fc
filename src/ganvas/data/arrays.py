"""Images in arrays: IDX (the MNIST family, also gzipped), .npy and .npz. Nothing is ever unpickled.

A file's header is checked before its data are touched: the declared size must agree with the size of the file, or
be within what deflate can have packed into it, and must fit into this machine's memory.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import math
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ganvas.data.image import refuse_endless, too_dark
from ganvas.data.labels import class_name
from ganvas.data.settings import DataSettings
from ganvas.data.source import Arrays, Listing, Loaded, Progress, from_arrays
from ganvas.errors import DataError

IDX_NAME = re.compile(r"(?P<set>.*?)(?P<split>train|t10k|test)[-_.]images[-_.]idx[34][-_.]ubyte(\.gz)?$", re.IGNORECASE)
DEFLATE_LIMIT = 1032  # deflate packs at most so many bytes into one
MAX_ARRAY_CHANNELS = 8
TWICE_DIVIDED = 1 / 200  # of 1: bytes that were divided twice stay below it
IDX_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
LABEL_NAMES = ("labels", "label", "targets", "y")


def is_idx(path: Path) -> bool:
    """Whether the name or the first four bytes are those of an IDX file of images."""
    if IDX_NAME.match(path.name):
        return True
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in IDX_TYPES and 1 <= start[3] <= 4


def idx_files(folder: Path) -> dict[str, Path]:
    """Images by split where `folder` holds files named as MNIST's are; {} where it holds none.

    DataError where it holds those of several sets (EMNIST)."""
    by_set: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        name = IDX_NAME.match(path.name)
        if name:
            split = "train" if name["split"].lower() == "train" else "test"
            by_set.setdefault((name["set"], split), path)  # sorted: the plain file comes before its .gz
    sets = sorted({name for name, _ in by_set})
    if len(sets) > 1:
        raise DataError(
            f"{folder} holds the IDX files of several sets ({', '.join(sets)}); name one images file instead"
        )
    return {split: path for (_, split), path in by_set.items()}


class Stored(NamedTuple):
    """What a file of arrays, or several, hold: the splits, and the names of the classes where they are stored. `where` is for
    messages."""

    where: str
    splits: dict[str, Arrays]
    classes: Sequence[str] | None = None


def list_stored(name: str, source: str, identity: str, read: Callable[[], Stored]) -> Listing:
    """Arrays as a source; `read` is called once, when they are needed."""
    stored = functools.cache(read)

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        where, splits, classes = stored()
        return from_arrays(where, splits, settings, progress, classes=classes)

    return Listing(name, source, identity, load)


def load_idx(
    paths: dict[str, Path], settings: DataSettings, progress: Progress, classes: Sequence[str] | None = None
) -> Loaded:
    """The images of `read_idx_files`; `classes` are the names of their labels."""
    where, splits, _ = read_idx_files(paths)
    return from_arrays(where, splits, settings, progress, classes=classes)


def read_idx_files(paths: dict[str, Path]) -> Stored:
    """IDX images by split, each with the labels that lie beside it, if any."""
    splits: dict[str, Arrays] = {}
    for split, path in paths.items():
        images, labels = to_images(read_idx(path), str(path)), None
        labels_path = labels_beside(path)
        if labels_path is not None:
            labels = checked_labels(read_idx(labels_path), len(images), str(labels_path))
        splits[split] = Arrays(images, labels)
    if "train" not in splits:
        splits = {"train": splits["test"]}
    return Stored(str(next(iter(paths.values())).parent), splits)


def labels_beside(path: Path) -> Path | None:
    """The labels file that belongs to an IDX file of images, plain or gzipped."""
    name = re.sub(r"idx[34]", "idx1", re.sub("images", "labels", path.name))
    if name == path.name:  # its own .gz would pass for its labels
        return None
    plain = name.removesuffix(".gz")
    for option in (path.with_name(name), path.with_name(plain), path.with_name(f"{plain}.gz")):
        if option != path and option.is_file():
            return option
    return None


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped where it ends in .gz."""
    refuse_endless(path)
    size = path.stat().st_size
    packed = path.suffix == ".gz"
    try:
        opener = gzip.open if packed else open
        with opener(path, "rb") as file:
            start = file.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in IDX_TYPES or not 1 <= start[3] <= 4:
                raise DataError(
                    f"{path} is not an IDX file: it starts with {start.hex() or 'nothing'}, "
                    "not with 0000, type and dimensions"
                )
            dtype = np.dtype(IDX_TYPES[start[2]]).newbyteorder(">")
            shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(start[3]))
            declared = math.prod(shape) * dtype.itemsize
            _check_size(path, shape, declared, size - 4 - 4 * start[3], packed=packed)
            data = file.read(declared)
            if len(data) != declared:
                raise DataError(f"{path} declares {_times(shape)} = {declared:,} bytes and holds {len(data):,}")
            if file.read(1):
                raise DataError(f"{path} declares {_times(shape)} = {declared:,} bytes and holds more")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def read_npy(path: Path) -> Stored:
    """Images in a .npy file."""
    refuse_endless(path)
    with _explained(path), open(path, "rb") as file:
        shape, dtype = _npy_header(file, str(path))
        _check_size(path, shape, math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell(), packed=False)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return Stored(str(path), {"train": Arrays(to_images(array, str(path)))})


def read_npz(path: Path) -> Stored:
    """Images in a .npz file: `images` with `labels`, `partners` and `classes`; x_train, y_train, x_test and
    y_test; train_images, train_labels, test_images and test_labels; otherwise the first array with 3 or 4
    dimensions."""
    splits: dict[str, Arrays] = {}
    classes = None
    with npz_members(path) as (shapes, read):
        plan = _plan(shapes, path)
        if "classes" in shapes:
            names = read("classes")
            if names.ndim == 1:
                classes = [class_name(name) for name in names.tolist()]

        # One range for both splits: test images without a dark pixel must not be taken for another one.
        raw: dict[str, np.ndarray] = {}
        minima: list[float] = []
        for split, (images_name, _, _) in plan.items():
            raw[split] = read(images_name)
            if raw[split].dtype.kind == "f" and raw[split].size:
                minima.append(float(raw[split].min()))
        least = min(minima, default=0.0)

        for split, (images_name, labels_name, partners_name) in plan.items():
            images = to_images(raw.pop(split), f"{path}: {images_name}", least)
            labels = partners = None
            if labels_name is not None:
                labels = checked_labels(read(labels_name), len(images), f"{path}: {labels_name}")
            if partners_name is not None:
                partners = to_images(read(partners_name), f"{path}: {partners_name}")
                if partners.shape != images.shape:
                    raise DataError(f"{path}: partners {partners.shape} must have the shape of images {images.shape}")
            splits[split] = Arrays(images, labels, partners)
    return Stored(str(path), splits, classes)


@contextlib.contextmanager
def npz_members(path: Path) -> Iterator[tuple[dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]]:
    """The shapes of an .npz's arrays by name, each checked before its data are touched, and a function that reads one."""
    refuse_endless(path)
    with _explained(path), zipfile.ZipFile(path) as archive:
        members: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                members[info.filename.removesuffix(".npy")] = info

        def read(name: str) -> np.ndarray:
            with archive.open(members[name]) as file:
                return np.lib.format.read_array(file, allow_pickle=False)

        yield {name: _member_shape(archive, info, path) for name, info in members.items()}, read


def has_array(path: Path, name: str) -> bool:
    """Whether an .npz has an array of that name; False as well for what is no .npz."""
    refuse_endless(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{name}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def ordered_images(path: Path) -> np.ndarray:
    """The images (N, H, W, C) uint8 of an .npz (its training split, where it has two) or .npy file, as they stand there."""
    if path.suffix.lower() == ".npy":
        refuse_endless(path)
        with _explained(path), open(path, "rb") as file:
            shape, dtype = _npy_header(file, str(path))
            _check_size(path, shape, math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell(), packed=False)
            return to_images(np.load(path, allow_pickle=False), str(path))
    with npz_members(path) as (shapes, read):
        images = next(iter(_plan(shapes, path).values()))[0]
        return to_images(read(images), f"{path}: {images}")


def to_images(array: np.ndarray, where: str, least: float = 0.0) -> np.ndarray:
    """(N, H, W, C) uint8 from NHW, NHWC or (where it is clear) NCHW; see `to_bytes`."""
    return to_bytes(_arranged(array, where), where, least)


def to_bytes(array: np.ndarray, where: str, least: float = 0.0) -> np.ndarray:
    """uint8, uint16, bool, or floats in [0, 1] or [-1, 1], as uint8. Floats are in [-1, 1] where one of them is below 0, or
    where `least`, the smallest of what belongs to them, is."""
    if array.dtype == np.uint8 or array.size == 0:
        return np.asarray(array, dtype=np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype.newbyteorder("=") == np.uint16:
        dark = too_dark(int(array.max()))
        if dark:
            raise DataError(f"{where} holds uint16: {dark}")
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    accepted = "uint8, uint16 and bool arrays and floats in [0, 1] or [-1, 1] are taken"
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where} holds {array.dtype}; {accepted}")
    low, high = array.min(), array.max()
    if array.dtype.kind != "f":
        raise DataError(
            f"{where} holds {array.dtype} from {low} to {high}; {accepted}. If these are bytes: array.astype('uint8')"
        )
    if not (low >= -1.001 and high <= 1.001):  # a NaN fails too
        raise DataError(f"{where} holds {array.dtype} from {low:g} to {high:g}; {accepted}. Scale it, or store bytes")
    if 0 < high <= TWICE_DIVIDED and low >= 0 and least >= 0:
        raise DataError(
            f"{where} holds {array.dtype} from {low:g} to {high:g} of 0 to 1, which is black: were they divided by 255 twice?"
        )
    first, scale = (0.0, 255.0) if min(low, least) >= -0.001 else (1.0, 127.5)
    scaled = np.empty(array.shape, dtype=np.uint8)
    for row in range(len(array)):  # by rows: no second float copy of everything
        scaled[row] = np.clip(np.rint((array[row].astype(np.float64) + first) * scale), 0, 255)
    return scaled


def _arranged(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(f"{where} has shape {array.shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if array.ndim == 3:
        return array[..., None]

    # Which axis holds the channels.
    axes: list[int] = []
    usual: list[int] = []
    for axis in (3, 1):
        if array.shape[axis] <= MAX_ARRAY_CHANNELS:
            axes.append(axis)
        if array.shape[axis] in (1, 3):
            usual.append(axis)
    if len(usual) == 1:  # where both are small, only one is a usual number of channels
        axes = usual
    if len(axes) == 1:
        return np.moveaxis(array, axes[0], -1)
    if not axes:
        raise DataError(
            f"{where} has shape {array.shape}; neither the last nor the second number can be channels "
            f"(1 to {MAX_ARRAY_CHANNELS})"
        )
    raise DataError(
        f"{where} has shape {array.shape}; it is not clear which number is channels. Store (N, H, W) or larger images"
    )


def _plan(shapes: dict[str, tuple[int, ...]], path: Path) -> dict[str, tuple[str, str | None, str | None]]:
    """For each split the names of its images, labels and partners."""

    present = {name: name for name in shapes}

    # Arrays that are named by split.
    for images, labels, partners in (("x_{}", "y_{}", "partners_{}"), ("{}_images", "{}_labels", "{}_partners")):
        plan: dict[str, tuple[str, str | None, str | None]] = {}
        for split in ("train", "test"):
            if images.format(split) in shapes:
                labels_name, partners_name = present.get(labels.format(split)), present.get(partners.format(split))
                plan[split] = (images.format(split), labels_name, partners_name)
        if "train" in plan:
            return plan

    # One array of images, which are all for training.
    candidates = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
    if "images" in shapes:
        images = "images"
    elif candidates:
        images = candidates[0]
    else:
        arrays = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no arrays"
        raise DataError(f"{path} holds no images (arrays of 3 or 4 dimensions): {arrays}")
    count = shapes[images][0]
    labels = None
    for name in LABEL_NAMES:
        if shapes.get(name, ())[:1] == (count,):
            labels = name
            break
    if "labels" in shapes and labels != "labels" and images == "images":
        raise DataError(
            f"{path}: labels {shapes['labels']} do not belong to images {shapes[images]}: one for each is needed"
        )
    partners = present.get("partners") if images == "images" else None
    return {"train": (images, labels, partners)}


def _member_shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> tuple[int, ...]:
    where = f"{path}: {info.filename}"
    if info.flag_bits & 1:
        raise DataError(f"{where} is encrypted")
    with archive.open(info) as file:
        shape, dtype = _npy_header(file, where)
        head = file.tell()
    declared = math.prod(shape) * dtype.itemsize
    if declared != info.file_size - head or info.file_size > DEFLATE_LIMIT * info.compress_size + 65536:
        raise DataError(
            f"{where} declares {_times(shape)} {dtype}, which cannot be in {info.compress_size:,} bytes of this archive"
        )
    _check_memory(where, declared)
    return shape


def _npy_header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise DataError(f"{where}: version {version} of the .npy format is not one of images")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise DataError(f"{where} holds pickled Python objects, which are never loaded here; store plain arrays")
    if any(side < 0 for side in shape):
        raise DataError(f"{where} declares the shape {shape}")
    return shape, dtype


def _check_size(path: Path, shape: tuple[int, ...], declared: int, present: int, *, packed: bool) -> None:
    if (not packed and declared != present) or (packed and declared > DEFLATE_LIMIT * max(0, present)):
        raise DataError(
            f"{path} declares {_times(shape)} = {declared:,} bytes, "
            f"which cannot be in a file with {max(0, present):,} bytes of data"
        )
    _check_memory(str(path), declared)


def _check_memory(where: str, declared: int) -> None:
    limit = _memory() // 2
    if declared > limit:
        raise DataError(
            f"{where} holds {declared:,} bytes, more than half of this machine's memory; "
            "store the images in a folder or zip"
        )


def _memory() -> int:
    """Bytes of physical memory, 16 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What numpy and zipfile say of a damaged file, as a DataError."""
    try:
        yield
    except (
        ValueError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def checked_labels(labels: np.ndarray, count: int, where: str, one: str = "image") -> np.ndarray:
    """`labels` as a row; DataError unless there is one for each of `count`."""
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras writes CIFAR's
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(f"{where} has shape {labels.shape}; {count} labels are needed, one for each {one}")
    return labels


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single value"
