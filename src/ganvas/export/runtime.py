"""Runs exported models with onnxruntime and numpy alone: no torch, no onnx.

    from ganvas.export.runtime import open_model

    model = open_model("digits.onnx")
    images = model.sample(16, seed=0)        # uint8 (n, H, W, C); image i is that of seed 0 + i, as of the run

A file is data from somebody else: it is read as bytes of bounded size, weights in other files are not followed, and what it says
of itself is checked before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganvas.defaults import CHUNK
from ganvas.errors import DataError, MissingExtra, RunError, UsageError, nearest
from ganvas.export.facts import METADATA_KEY, ModelFacts, facts_from
from ganvas.export.random_numbers import labels, latents
from ganvas.files import explained

if TYPE_CHECKING:
    import onnxruntime

MAX_MODEL_BYTES = 2**31  # bytes; a protobuf holds no more than 2 GiB
MAX_INPUT_PIXELS = 2**27  # of one image that a model takes
TENSOR_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(uint8)": np.uint8}
COMMAND_OF_PART = {
    "sample": "sample", "encode": "encode", "decode": "decode", "translate_ab": "translate", "translate_ba": "translate",
    "restore": "restore", "stylise": "stylise",
}  # fmt: skip


def open_model(path: Path | str) -> ExportedModel:
    """Opens a file that `ganvas export` wrote. DataError where it is none, or is damaged; MissingExtra without onnxruntime."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no model at {path}: the file does not exist")
    with explained(path, "read"):
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise DataError(
                f"{path} has {path.stat().st_size:,} bytes, and an ONNX file holds {MAX_MODEL_BYTES:,} at most"
            )
        content = path.read_bytes()
    return ExportedModel(_session(content, path.name), path.name)


def _session(content: bytes, name: str) -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(
            "running an exported model needs the package onnxruntime: pip install onnxruntime (or pip install 'ganvas[onnx]')"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        # From bytes, not from the path: onnxruntime then knows no folder in which it could look for other files.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes have no common base but Exception
        raise DataError(f"{name} cannot be opened as an ONNX model: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


class ExportedModel:
    """An exported part of a trained method. `open_model(path)` makes one."""

    def __init__(self, session: onnxruntime.InferenceSession, name: str) -> None:
        self.session = session
        self.name = name
        try:
            text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
            self.inputs = {one.name: one for one in session.get_inputs()}
        except UnicodeDecodeError as error:
            raise DataError(f"{name} is damaged: its names and metadata are no UTF-8 ({error.reason})") from None
        self.facts: ModelFacts = facts_from(text, name)
        for one in self.inputs.values():
            if one.type not in TENSOR_TYPES:
                raise DataError(f"{name} is damaged: its input {one.name} is of type {one.type}")

    def __repr__(self) -> str:
        return f"ExportedModel({self.name!r}, {self.facts.part} of {self.facts.method})"

    # --- uses -----------------------------------------------------------------------------------------------------------

    def sample(self, n: int = 64, *, seed: int = 0, label: int | str | None = None) -> np.ndarray:
        """n new images, uint8 (n, H, W, C). Image i is that of seed `seed` + i, whatever n is, and that of the run.

        `label`, a class by number or name, is for models with classes.
        """
        return np.concatenate(list(self.sample_blocks(n, seed=seed, label=label)))

    def sample_blocks(self, n: int, *, seed: int = 0, label: int | str | None = None) -> Iterator[np.ndarray]:
        """The images of `sample` in blocks of at most CHUNK."""
        self._check_part("sample")
        if n < 1 or seed < 0 or seed + n > 2**63:
            raise UsageError(f"a sample needs n >= 1 and seeds from 0 to {2**63 - 1} (got n={n}, seed={seed})")
        number = self.class_number(label)
        for start in range(seed, seed + n, CHUNK):
            count = min(CHUNK, seed + n - start)
            # Always as many rows as torch gets: an image depends on its own seed alone.
            seeds = [min(start + row, seed + n - 1) for row in range(CHUNK)]
            feeds = {"latents": latents(self.facts.draws, seeds)}
            if "labels" in self.inputs:
                own = labels(self.facts.class_cuts, seeds)
                feeds["labels"] = own if number is None else np.full(CHUNK, number, np.int64)
            yield to_uint8(self.run(**feeds)[:count])

    def class_number(self, label: int | str | None) -> int | None:
        """The number of a class given by number or name; None for None. UsageError where there is no such class."""
        if label is None:
            return None
        names = self.facts.classes
        if "labels" not in self.inputs:
            raise UsageError(
                f"{self.name} was trained without classes, so it cannot generate class {label}: omit --label"
            )
        if str(label) in names:
            return names.index(str(label))
        if str(label).isdecimal() and int(label) < len(names):
            return int(label)
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise UsageError(
            f"there is no class {label}{nearest(str(label), names)} (classes: {shown}, or 0 to {len(names) - 1})"
        )

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Latents (n, D) float32 or codes (n, L) int64 of images uint8 (n, H, W, C)."""
        self._check_part("encode")
        return self._in_chunks(from_uint8(self._of_channels(images)), lambda rows: self.run(images=rows))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Images uint8 (n, H, W, C) of codes (n, L)."""
        self._check_part("decode")
        return self._in_chunks(np.asarray(codes, np.int64), lambda rows: to_uint8(self.run(codes=rows)))

    def translate(self, images: np.ndarray) -> np.ndarray:
        """Translations in [-1, 1], float32 (n, C, H, W), of images of that form."""
        self._check_part("translate_ab", "translate_ba")
        return self._padded(images, lambda padded: self.run(images=padded))

    def restore(self, images: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Restored images (n, C, H * scale, W * scale) of images (n, C, H, W), float32 in [-1, 1]. `mask` (n, 1, H, W), for
        "holes", is 1 where the image is missing."""
        self._check_part("restore")
        holes = self.facts.degradation == "holes"
        if holes and mask is None:
            raise UsageError(
                f"{self.name} inpaints and needs a mask of the size of the image, white where pixels are missing"
            )
        if mask is not None and not holes:
            raise UsageError(f"a mask is for inpainting, and {self.name} restores {self.facts.degradation}: omit it")
        if mask is None:
            return self._padded(images, lambda padded: self.run(degraded=padded), scale=self.facts.scale)
        both = np.concatenate([images, np.asarray(mask, np.float32)], 1)
        return self._padded(both, lambda padded: self.run(degraded=padded[:, :-1], mask=padded[:, -1:]))

    def stylise(self, content: np.ndarray, style: np.ndarray | None = None, *, strength: float = 1.0) -> np.ndarray:
        """Images (n, C, H, W) of `content`, float32 in [-1, 1]; `style` (1, C, h, w) where the model takes any style."""
        self._check_part("stylise")
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be from 0 to 1 (got {strength})")
        if self.facts.takes_style and style is None:
            raise UsageError(f"{self.name} stylises by any image: name one with --style")
        if style is not None and not self.facts.takes_style:
            raise UsageError(f"{self.name} has one style, that of its training: omit --style")
        feeds: dict[str, np.ndarray] = {"strength": np.array(strength, np.float32)}
        if style is not None:
            feeds["style"] = np.ascontiguousarray(style, np.float32)
        return self._padded(content, lambda padded: self.run(content=padded, **feeds))

    # --- calls ----------------------------------------------------------------------------------------------------------

    def run(self, **feeds: np.ndarray) -> np.ndarray:
        """The model's output for all of its inputs by name."""
        if feeds.keys() != self.inputs.keys():
            raise DataError(f"{self.name} is damaged: it takes {', '.join(self.inputs)}, not {', '.join(feeds)}")
        given = {
            name: np.ascontiguousarray(value, TENSOR_TYPES[self.inputs[name].type]) for name, value in feeds.items()
        }
        try:
            return np.asarray(self.session.run(None, given)[0])
        except Exception as error:  # its classes have no common base but Exception
            raise RunError(f"{self.name} cannot compute this: {_first_line(error)}") from None

    def _check_part(self, *parts: str) -> None:
        if self.facts.part not in parts:
            raise UsageError(
                f"{self.name} holds the part {self.facts.part} of a {self.facts.method}: use it with"
                f" ganvas {COMMAND_OF_PART[self.facts.part]}, or in Python with ExportedModel.{COMMAND_OF_PART[self.facts.part]}"
            )

    def _in_chunks(self, rows: np.ndarray, make: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        results = []
        for start in range(0, len(rows), CHUNK):
            places = np.minimum(np.arange(start, start + CHUNK), len(rows) - 1)
            results.append(make(rows[places])[: len(rows) - start])
        return np.concatenate(results)

    def _of_channels(self, images: np.ndarray) -> np.ndarray:
        facts = self.facts
        expected = (facts.height, facts.width, facts.channels)
        if images.ndim != 4 or images.shape[1:] != expected or images.dtype != np.uint8 or not len(images):
            sides = ", ".join(map(str, expected))
            raise DataError(f"{self.name} takes images uint8 (n, {sides}) (got {images.dtype} {images.shape})")
        return images

    def _padded(self, images: np.ndarray, make: Callable[[np.ndarray], np.ndarray], scale: int = 1) -> np.ndarray:
        """`make` of images (n, C, H, W) padded by reflection to the sides that the model takes, cropped again; as float32."""
        facts, (height, width) = self.facts, images.shape[2:]
        if height * width > MAX_INPUT_PIXELS:
            raise DataError(f"{self.name} takes images of at most {MAX_INPUT_PIXELS:,} pixels (got {height} x {width})")
        if facts.fixed_size:
            wide, tall = facts.width, facts.height
            if height > tall or width > wide:
                raise DataError(
                    f"{self.name} was exported for images of {tall} x {wide} pixels, and this one has {height} x {width}: export"
                    f" it with --size {height}x{width}, or make the image smaller"
                )
        else:
            least = 2 * facts.multiple if facts.multiple > 1 else 1
            tall, wide = (max(least, -(-side // facts.multiple) * facts.multiple) for side in (height, width))
        result = make(_reflected(_reflected(images, 2, tall), 3, wide))
        if result.dtype == np.uint8:
            result = from_uint8(result)
        return result[:, :, : height * scale, : width * scale]


def _reflected(images: np.ndarray, axis: int, length: int) -> np.ndarray:
    """(n, C, H, W) with one axis padded to `length` by reflection at its end."""
    size = images.shape[axis]
    if size == length:
        return images
    period = max(1, 2 * (size - 1))
    places = np.arange(length) % period
    return images.take(np.minimum(places, period - places) if size > 1 else places * 0, axis)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """(n, C, H, W) in [-1, 1] as (n, H, W, C) uint8, rounded as files are; what is uint8 already stays."""
    if images.dtype == np.uint8:
        return images
    levels = np.rint((np.clip(images, -1, 1) + np.float32(1)) * np.float32(127.5))
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def from_uint8(images: np.ndarray) -> np.ndarray:
    """(n, H, W, C) uint8 as (n, C, H, W) float32 in [-1, 1]."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1))
