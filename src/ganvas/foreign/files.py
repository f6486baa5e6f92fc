"""Files of weights as tensors by name. They come from anywhere: sizes are checked first, nothing is unpickled or executed.

.safetensors            by the safetensors library
.pth, .pt, .ckpt, .bin  saved by torch.save: by its reader for weights only, which refuses all but tensors in plain containers
.onnx                   the tensors of the graph (its format: onnx.proto), of which nothing is run
model.json              TensorFlow.js: a list of tensors, and files of numbers beside it
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ganvas.errors import DataError
from ganvas.files import explained

State = dict[str, Tensor]
"""Tensors by name."""
MAX_FILE_BYTES = 4 * 2**30
MAX_JSON_BYTES = 16 * 2**20
MAX_TENSORS = 20_000
WRAPPED = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "netG", "G")
"""Under which names training programs put a state into a checkpoint, the averaged weights first."""


def read_state(path: Path) -> State:
    """The tensors of a .safetensors file or of one saved by torch.save; DataError where it holds anything else."""
    check_file(path)
    with open(path, "rb") as file:
        start = file.read(8)
    if path.suffix.lower() == ".safetensors":
        return _safetensors(path)
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return _torch(path, zipped=start[:2] == b"PK")
    raise DataError(f"{path} is neither a safetensors file nor one saved by torch.save: name the weights themselves")


def check_file(path: Path) -> None:
    """DataError where there is no such file, or one of a size that weights do not have."""
    with explained(path, "read"):
        if not path.is_file():
            raise DataError(f"there is no file {path}: name a file of weights")
        size = path.stat().st_size
    if not 8 < size <= MAX_FILE_BYTES:
        raise DataError(f"{path} has {size:,} bytes, and weights have from 9 to {MAX_FILE_BYTES:,}")


def _safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        raise DataError(f"{path} is damaged, or is not a safetensors file: {_first_line(error)}") from None


def _torch(path: Path, zipped: bool) -> State:
    if zipped:
        _check_archive(path)
    try:
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=zipped)
    except Exception as error:  # a damaged or hostile file fails in many ways
        raise DataError(
            f"{path} cannot be read as plain tensors ({_first_line(error)}). Files with anything else in them, such as whole"
            " modules, are refused, since reading them can run code: save the state_dict alone, best as safetensors"
        ) from None
    return _unwrapped(path, content)


def _check_archive(path: Path) -> None:
    """DataError for an archive whose parts claim to be larger than the file: torch.save does not compress."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is damaged: {_first_line(error)}") from None
    if len(parts) > MAX_TENSORS or sum(part.file_size for part in parts) > path.stat().st_size:
        raise DataError(f"{path} is not what torch.save writes: its parts claim more bytes than the file has")


def _unwrapped(path: Path, content: Any) -> State:
    """The state inside a checkpoint."""
    for _ in range(3):
        if not isinstance(content, dict):
            break
        inner = next((content[name] for name in WRAPPED if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    state: State = {}
    if isinstance(content, dict):
        for name, value in content.items():
            if isinstance(name, str) and isinstance(value, Tensor):
                state[name] = value
    if not state:
        raise DataError(f"{path} holds no tensors by name: name the file of a network's state_dict")
    if any(value.layout is not torch.strided or value.is_quantized for value in state.values()):
        raise DataError(f"{path} holds sparse or quantised tensors: save plain ones")
    return state


# --- ONNX -------------------------------------------------------------------------------------------------------------

GRAPH, INITIALIZER = 7, 5  # field numbers of ModelProto and GraphProto
DIMS, TYPE, FLOATS, NAME, RAW = 1, 2, 4, 8, 9  # of TensorProto
FLOAT = 1  # TensorProto.DataType


def read_onnx(path: Path) -> State:
    """The float tensors that an ONNX graph holds by name; those in other files are refused."""
    check_file(path)
    state: State = {}
    with explained(path, "read"):
        content = memoryview(path.read_bytes())
    try:
        for number, graph in _fields(content):
            if number == GRAPH and isinstance(graph, memoryview):
                for inner, tensor in _fields(graph):
                    if inner == INITIALIZER and isinstance(tensor, memoryview):
                        name, value = _onnx_tensor(tensor)
                        if value is not None:
                            state[name] = value
                    if len(state) > MAX_TENSORS:
                        raise ValueError(f"more than {MAX_TENSORS} tensors")
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise DataError(f"{path} is damaged, or is no ONNX file: {_first_line(error)}") from None
    if not state:
        raise DataError(f"{path} is no ONNX file with weights in it")
    return state


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a protobuf message: an integer, or bytes."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(content, place)
            yield number, value
            continue
        if kind == 2:
            length, place = _varint(content, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of unknown type {kind}")
        if length > len(content) - place:
            raise ValueError("it is cut short")
        yield number, content[place : place + length]
        place += length


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number of more than 64 bits")


def _onnx_tensor(message: memoryview) -> tuple[str, Tensor | None]:
    """Name and value; None for a tensor that is not of 32-bit floats."""
    name, kind, raw = "", 0, memoryview(b"")
    shape: list[int] = []
    for number, value in _fields(message):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == TYPE and isinstance(value, int):
            kind = value
        elif number == NAME and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif number in (RAW, FLOATS) and isinstance(value, memoryview):
            raw = value
    if kind != FLOAT:
        return name, None
    return name, _floats(name, raw, shape)


def _packed(content: memoryview) -> list[int]:
    values: list[int] = []
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        values.append(value)
    return values


def _floats(name: str, raw: memoryview | bytes, shape: list[int]) -> Tensor:
    """Little-endian 32-bit floats as a tensor; ValueError where their number is not that of the shape."""
    if len(shape) > 8 or 4 * math.prod(shape) != len(raw):
        raise ValueError(f"{name} should have the shape {tuple(shape[:8])}, and {len(raw)} bytes are there")
    return torch.from_numpy(np.frombuffer(raw, dtype="<f4").reshape(shape).copy())


# --- TensorFlow.js ----------------------------------------------------------------------------------------------------


def read_tfjs(path: Path) -> State:
    """The float tensors of a TensorFlow.js model.json and of the files of numbers beside it."""
    check_file(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        raise DataError(f"{path} is larger than {MAX_JSON_BYTES:,} bytes: name the model.json itself")
    try:
        groups = json.loads(path.read_bytes())["weightsManifest"]
        return _manifest(path, groups)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        raise DataError(f"{path} is not a model.json of TensorFlow.js: {_first_line(error)}") from None


def _manifest(path: Path, groups: Any) -> State:
    state: State = {}
    for group in groups:
        numbers = b"".join(_shard(path, name) for name in group["paths"])
        place = 0
        for weight in group["weights"]:
            shape = [int(side) for side in weight["shape"]]
            if weight["dtype"] != "float32" or "quantization" in weight or min(shape, default=1) < 0:
                raise ValueError(f"{weight['name']} is not of plain 32-bit floats")
            size = 4 * math.prod(shape)
            state[str(weight["name"])] = _floats(str(weight["name"]), numbers[place : place + size], shape)
            place += size
        if place != len(numbers):
            raise ValueError(f"its files hold {len(numbers)} bytes, and its list names {place}")
        if len(state) > MAX_TENSORS:
            raise ValueError(f"more than {MAX_TENSORS} tensors")
    return state


def _shard(path: Path, name: Any) -> bytes:
    """A file of numbers beside model.json; a name that leads elsewhere is refused."""
    if not isinstance(name, str) or Path(name).name != name or "\\" in name or name in ("", ".", ".."):
        raise ValueError(f"it names the file {name!r}, which is not beside it")
    file = path.parent / name
    if file.is_symlink() or not file.is_file():
        raise ValueError(f"{name}, which it names, is not beside it")
    check_file(file)
    return file.read_bytes()


def _first_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0][:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
