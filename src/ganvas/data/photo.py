"""One photograph for the tasks that take and give files: its pixels as floats, and what a file says beside them.

Training images pass through ganvas.data.image, which gives bytes; here nothing is lost that can be kept: 16 bits, alpha,
the colour profile (ICC) and EXIF.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from ganvas.data import orientation, png16
from ganvas.data.image import (
    Broken,
    Opened,
    as_bytes,
    as_pil,
    open_image,
    open_pil,
    open_regular,
    png_info,
    reason,
    too_dark,
    upright,
)
from ganvas.data.image_array import ImageArray
from ganvas.data.metadata import MAX_EXIF_BYTES, exif_with
from ganvas.data.scan import Files, scan_folder, scan_zip
from ganvas.errors import DataError, GanvasWarning, UsageError
from ganvas.files import write_bytes
from ganvas.provenance import KEYWORD, Provenance

if TYPE_CHECKING:
    from PIL import Image

WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
UNREADABLE_NAMES = 5  # names of what cannot be read, where nothing else is there
PROFILES = {1: b"GRAY", 3: b"RGB "}  # what bytes 16 to 19 of an ICC profile say of the colours it is for


@dataclasses.dataclass
class Photo:
    """An image with what its file says of it."""

    pixels: np.ndarray
    """float32 (C, H, W) in [-1, 1], upright; C is 1 or 3. Where alpha is 0 the colours are those of the file."""
    alpha: np.ndarray | None = None
    """float32 (H, W) in [0, 1], 1 is opaque."""
    depth: int = 8
    """Bits a channel, 8 or 16: those of the file, and those it is written with."""
    icc: bytes | None = None
    """The colour profile."""
    exif: bytes | None = None
    """The EXIF block; its orientation says upright."""
    name: str = ""
    """Of the file, without its folder."""
    provenance: Provenance | None = None
    """What made it, where a task of ganvas did; files get it as metadata."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def to_array(self) -> ImageArray:
        """The image in 8 bits, uint8 (H, W, C); alpha is the last of 2 or 4 channels."""
        return ImageArray(_levels(dataclasses.replace(self, depth=8)))

    def to_pil(self) -> Image.Image:
        """The image in 8 bits, with its colour profile and EXIF: mode L, LA, RGB or RGBA."""
        image = as_pil(_levels(dataclasses.replace(self, depth=8)))
        image.info.update({name: value for name, value in (("icc_profile", self.icc), ("exif", self.exif)) if value})
        return image

    def save(self, path: Path | str) -> None:
        """Writes a .png, .jpg or .webp file; see `write_photo`."""
        write_photo(path, self)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows."""
        return ImageArray(np.moveaxis(_opaque(self), 0, 2))._repr_png_()


ImageLike: TypeAlias = "Photo | Image.Image | np.ndarray | Path | str"


def as_photo(image: ImageLike) -> Photo:
    """A photo of whatever holds an image: a path, a PIL image, or an array uint8 (H, W) or (H, W, C), whose channel 2 or 4 is
    alpha.

    DataError for a file that cannot be read, UsageError for an array of another type or shape.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        return read_photo(image)
    if isinstance(image, np.ndarray):
        return _of_array(image)
    if not hasattr(image, "convert"):
        raise UsageError(
            f"an image is a path, a PIL image, an array uint8 (H, W, C) or a Photo (got {type(image).__name__})"
        )
    _warn_of_frames(open_pil(image), "the PIL image")
    try:
        return _of_opened(open_pil(image.copy()))  # reading EXIF changes it
    except Broken as error:
        raise DataError(f"cannot read the PIL image: {error}") from error


def _of_array(array: np.ndarray) -> Photo:
    levels = np.asarray(array)
    levels = levels[..., None] if levels.ndim == 2 else levels
    if levels.dtype != np.uint8 or levels.ndim != 3 or levels.shape[2] > 4 or not levels.size:
        raise UsageError(f"an image as an array is uint8 (H, W) or (H, W, 1 to 4) (got {array.dtype} {array.shape})")
    planes = np.moveaxis(levels.astype(np.float32) / 255, 2, 0)
    colours = 1 if len(planes) < 3 else 3
    alpha = np.ascontiguousarray(planes[colours]) if len(planes) > colours else None
    return Photo(np.ascontiguousarray(planes[:colours]) * 2 - 1, alpha)


def _opaque(photo: Photo) -> np.ndarray:
    """uint8 (C, H, W), transparent pixels on white."""
    pixels = photo.pixels
    if photo.alpha is not None:
        pixels = pixels * photo.alpha + (1 - photo.alpha)
    return np.rint((np.clip(pixels, -1, 1) + 1) * 127.5).astype(np.uint8)


def read_photo(path: Path | str) -> Photo:
    """The photo in a file, upright; of an animation the first frame, which a warning says.

    Palettes and CMYK become RGB. 16 bits are kept, of PNG in colour too; TIFF in colour and interlaced PNG lose them to 8, as
    Pillow reads those. DataError names the file and the reason.
    """
    try:
        with open_regular(Path(path)) as file:
            return _named(_decoded(file, Path(path).name), Path(path).name)
    except Broken as error:
        raise DataError(f"cannot read the image {path}: {error}") from error


def _named(photo: Photo, name: str) -> Photo:
    return dataclasses.replace(photo, name=name)


def find_photos(path: Path | str) -> list[tuple[str, Callable[[], Photo]]]:
    """The photos of a file, a folder or a zip: names (relative, with / between folders) and how to read each.

    Reading raises DataError, also for what cannot be read at all: an empty file, a link to nothing. So does this, where there is
    nothing else.
    """
    path = Path(path)
    if path.is_dir():
        files = scan_folder(path)
    elif path.suffix.lower() == ".zip":
        files = scan_zip(path)
    else:
        return [(path.name, functools.partial(read_photo, path))]
    if not files.names:
        message = f"there are no images in {path}"
        if files.problems:
            why = "; ".join(f"{name}: {reason}" for name, reason in files.problems[:UNREADABLE_NAMES])
            message += f" that can be read ({why})"
        raise DataError(message)
    photos: list[tuple[str, Callable[[], Photo]]] = []
    for name in files.names:
        if path.is_dir():
            photos.append((name, functools.partial(read_photo, path / name)))
        else:
            photos.append((name, functools.partial(_unzipped_photo, path, files, name)))
    for name, problem in files.problems:
        photos.append((name, functools.partial(_refuse, path, name, problem)))
    return photos


def _refuse(path: Path, name: str, reason: str) -> Photo:
    raise DataError(f"cannot read the image {name} in {path}: {reason}")


def _unzipped_photo(path: Path, files: Files, name: str) -> Photo:
    try:
        return _named(_decoded(files.open(name), name), Path(name).name)
    except Broken as error:
        raise DataError(f"cannot read the image {name} in {path}: {error}") from error


def write_photo(path: Path | str, photo: Photo) -> None:
    """PNG, JPEG (quality 95) or lossless WebP by the suffix; the file is whole or not there.

    UsageError for another suffix, and where JPEG or WebP cannot hold the image: 16 bits, or JPEG with alpha.
    """
    write_bytes(path, _encoded(Path(path), photo))


def check_written(path: Path | str, photo: Photo | None = None) -> None:
    """UsageError where `write_photo` would not write `photo` (any photo where None) to a file of that name."""
    path = Path(path)
    kind = WRITTEN.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"images are written as .png, .jpg or .webp (got {path})")
    if photo is None or kind == "PNG":
        return
    if photo.depth == 16:
        raise UsageError(f"{path}: {kind} holds 8 bits, and the image has 16; write {path.with_suffix('.png')}")
    if photo.alpha is not None and kind == "JPEG":
        raise UsageError(f"{path}: JPEG holds no alpha, and the image has some; write {path.with_suffix('.png')}")


class OneFrame(GanvasWarning):
    """Of an animation, one frame is used."""


def _warn_of_frames(opened: Opened, name: str) -> None:
    if opened.more_frames:
        count = getattr(opened.image, "n_frames", 2)
        warnings.warn(f"{name} has {count} frames or pages: only the first is used", OneFrame, stacklevel=3)


def _decoded(file: BinaryIO, name: str) -> Photo:
    opened = open_image(file)  # which refuses what is too large, before anything is decoded
    _warn_of_frames(opened, name)
    try:
        deep = png16.read(file) if opened.image.format == "PNG" else None
    except ValueError as error:
        raise Broken(reason(error)) from error
    return _of_opened(opened, deep)


def _of_opened(opened: Opened, deep: np.ndarray | None = None) -> Photo:
    """`deep` are the levels of a file in 16 bits that Pillow reads in 8. Raises Broken."""
    try:
        opened.load()
        image = opened.image
        if deep is None:
            values, depth = _values(image)
        else:
            values, depth = deep.astype(np.float32) / 65535, 16
    except Broken:
        raise
    except Exception as error:  # a decoder meets damaged bytes in many ways; each is this image's fault
        raise Broken(reason(error)) from error
    greatest = opened.greatest if deep is None else int(deep.max())
    if greatest is not None and greatest <= 255 and too_dark(greatest):
        raise Broken(f"{too_dark(greatest)}")
    planes = np.moveaxis(np.atleast_3d(upright(values, opened)), 2, 0)
    colours = 1 if len(planes) < 3 else 3
    alpha = None
    if len(planes) > colours:
        alpha = np.ascontiguousarray(planes[colours])
    icc = image.info.get("icc_profile")
    # A profile for CMYK or a palette's own space says nothing of the pixels that were made of it.
    if not isinstance(icc, bytes) or icc[16:20] != PROFILES[colours]:
        icc = None
    return Photo(np.ascontiguousarray(planes[:colours]) * 2 - 1, alpha, depth, icc, _exif(image))


def _values(image: Image.Image) -> tuple[np.ndarray, int]:
    """float32 (H, W) or (H, W, C) in [0, 1], and the bits they came from."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        integers = np.asarray(image)
        low, high = int(integers.min()), int(integers.max())
        if low < 0 or high > 65535:
            raise Broken(f"integer values from {low} to {high}; only 16 bits, 0 to 65535, are read")
        return integers.astype(np.float32) / 65535, 16
    if image.mode == "F":
        floats = np.asarray(image)
        low, high = float(floats.min()), float(floats.max())
        if not (low >= 0 and high <= 1):
            raise Broken(f"float values from {low:g} to {high:g}; they must lie in 0 to 1")
        return floats.astype(np.float32), 16
    return as_bytes(image).astype(np.float32) / 255, 8


def _exif(image: Image.Image) -> bytes | None:
    """The EXIF block, saying upright (`image` says so too from then on, so ask last); None for none or a bad one."""
    try:
        exif = image.getexif()
        if not len(exif):
            return None
        if orientation.TAG in exif:
            exif[orientation.TAG] = 1
        return exif.tobytes()
    except Exception:  # EXIF is written by many hands; a broken block is no reason to refuse the image
        return None


def _encoded(path: Path, photo: Photo) -> bytes:
    check_written(path, photo)
    kind = WRITTEN[path.suffix.lower()]
    levels = _levels(photo)
    if levels.dtype == np.uint16:
        text = (KEYWORD, photo.provenance.text()) if photo.provenance else None
        return png16.encode(levels, photo.icc, photo.exif, text)
    options: dict[str, object] = {}
    if photo.icc:
        options["icc_profile"] = photo.icc
    if photo.exif:
        options["exif"] = photo.exif
    if kind == "PNG":
        options["pnginfo"] = png_info(photo.provenance)
    elif photo.provenance:
        exif = exif_with(photo.provenance, photo.exif)
        if kind != "JPEG" or len(exif) <= MAX_EXIF_BYTES:
            options["exif"] = exif
    if kind == "JPEG":
        options.update(quality=95, subsampling=0)
    elif kind == "WEBP":
        options.update(lossless=True, exact=True)
    buffer = io.BytesIO()
    as_pil(levels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def _levels(photo: Photo) -> np.ndarray:
    """(H, W, C) uint8 or uint16, alpha last."""
    planes = (photo.pixels + 1) / 2
    if photo.alpha is not None:
        planes = np.concatenate([planes, photo.alpha[None]])
    top, kind = (65535, np.uint16) if photo.depth == 16 else (255, np.uint8)
    return np.ascontiguousarray(np.moveaxis(np.rint(np.clip(planes, 0, 1) * top), 0, 2).astype(kind))
