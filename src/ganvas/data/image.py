"""One image: read from a file of any kind, brought to a shape, written as PNG.

Arrays are (H, W, C) uint8, C: 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA.
"""

from __future__ import annotations

import io
import stat
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ganvas.data import png16
from ganvas.errors import DataError
from ganvas.files import write_bytes

if TYPE_CHECKING:
    from PIL import Image

# What is decoded; Pillow knows more, some of which start other programs (EPS).
FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA", "AVIF", "JPEG2000")
SUFFIXES = frozenset(
    [
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".tga",
        ".avif",
        ".jp2",
        ".j2k",
    ]
)
LUMA = (0.299, 0.587, 0.114)  # what red, green and blue weigh in grey (Rec. 601)
LARGEST_IMAGE = 80_000_000  # pixels; below Pillow's own limit, which warns first and refuses at twice as many
LARGEST_FILE = 256 * 2**20  # bytes of one image file

_opening = threading.Lock()  # warnings.catch_warnings is not safe in threads; only headers are read under it


# EXIF orientation: what was done to the upright image, undone.
_TURNS = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].swapaxes(0, 1),
    8: lambda array: np.rot90(array),
}


class Broken(Exception):
    """Why one image cannot be read; the caller knows its name."""


def read_image(path: Path | str) -> np.ndarray:
    """The image in a file, (H, W, C) uint8, turned upright as its EXIF says; the first frame of an animation.

    Palettes and CMYK become RGB (RGBA where there is transparency), 16 bits are scaled to 8, floats must lie in
    [0, 1]. DataError names the file and the reason.
    """
    try:
        with open_regular(Path(path)) as file:
            return decode(file)
    except Broken as error:
        raise DataError(f"cannot read the image {path}: {error}") from error


def open_regular(path: Path) -> BinaryIO:
    """The file, opened for reading only after it proved to be an ordinary file of bounded size (a pipe would never
    end)."""
    try:
        status = path.stat()
        refuse_irregular(status.st_mode, status.st_size)
        return open(path, "rb")
    except FileNotFoundError:
        raise Broken("there is no such file") from None
    except OSError as error:
        raise Broken(error.strerror or str(error)) from error


def refuse_irregular(mode: int, size: int, limit: int | None = LARGEST_FILE) -> None:
    """Raises Broken unless `mode` (st_mode) is an ordinary file of 1 to `limit` bytes."""
    kinds = {
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
    }
    if not stat.S_ISREG(mode):
        kind = "a special file"
        for is_kind, name in kinds.items():
            if is_kind(mode):
                kind = name
        raise Broken(f"it is {kind}, not an ordinary file")
    if size == 0:
        raise Broken("the file is empty")
    if limit is not None and size > limit:
        raise Broken(f"{size:,} bytes; an image file may have {limit:,} at most")


def refuse_endless(path: Path) -> None:
    """DataError unless `path` is an ordinary file that is not empty."""
    try:
        status = path.stat()
        refuse_irregular(status.st_mode, status.st_size, limit=None)
    except Broken as error:
        raise DataError(f"cannot read {path}: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def header(file: BinaryIO) -> tuple[int, int, int]:
    """(H, W, C) of an image, from its header alone and upright. Raises Broken."""
    image = open_image(file)
    width, height = image.size
    # Asking a PNG for its EXIF may decode the whole image, when the chunk stands at its end.
    asked = image.format != "PNG" or "exif" in image.info
    if asked and image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8):  # Pillow turns TIFF itself
        height, width = width, height
    return height, width, _channels(image)


def decode(file: BinaryIO) -> np.ndarray:
    """(H, W, C) uint8 as `read_image` describes. Raises Broken."""
    image = open_image(file)
    try:
        array = _with_colour_key(file, image)
        if array is None:
            image.load()
            array = as_bytes(image)
    except Broken:
        raise
    except Exception as error:  # a decoder meets damaged bytes in many ways; each is this image's fault
        raise Broken(reason(error)) from error
    if array.ndim == 2:
        array = array[..., None]
    return np.ascontiguousarray(upright(array, image))


def _with_colour_key(file: BinaryIO, image: Image.Image) -> np.ndarray | None:
    """The pixels with alpha of a PNG of 16 bits a channel that names one RGB colour transparent, which Pillow overlooks; else
    None."""
    if image.format != "PNG" or image.mode != "RGB" or "transparency" not in image.info:
        return None
    deep = png16.read(file)
    return None if deep is None else _scaled_integers(deep)


def upright(array: np.ndarray, image: Image.Image) -> np.ndarray:
    """The pixels (H, W, ...) of `image`, turned as its EXIF says."""
    return _TURNS.get(_orientation(image), np.asarray)(array)


def to_channels(image: np.ndarray, channels: int, background: int | np.ndarray) -> np.ndarray:
    """(..., H, W, `channels`) from decoded images of 1 to 4 channels: transparency mixed with the grey level
    `background` (or with a colour, one number a channel), luma (Rec. 601) for grey."""
    if channels == image.shape[-1]:
        return image
    if channels == 4:
        colour, alpha = _split_alpha(image)
        return np.concatenate([_colour(colour), alpha], axis=-1)
    if image.shape[-1] in (2, 4):
        colour, alpha = _split_alpha(image)
        share = alpha.astype(np.float32) / 255
        image = np.rint(colour * share + background * (1 - share)).astype(np.uint8)
    return _colour(image) if channels == 3 else _grey(image)


def without_hidden_colours(image: np.ndarray) -> np.ndarray:
    """(..., H, W, 4) uint8, white where alpha is 0: what a file says there cannot be seen, and differs from program to
    program."""
    return np.where(image[..., 3:] == 0, np.array([255, 255, 255, 0], np.uint8), image)


def fit(image: np.ndarray, size: tuple[int, int], how: str, background: int) -> np.ndarray:
    """(H, W, C) brought to `size` (H, W) by `how` (crop, pad, stretch); bicubic with antialiasing.

    `background` is the value that padding takes; in a fourth channel it is 0, transparent.
    """
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    if how == "stretch":
        return _resize(image, size)

    # Scale until it covers the size (crop) or lies in it (pad); the side that fits is exact.
    scales = size[0] / height, size[1] / width
    choose = max if how == "crop" else min
    scale = choose(scales)
    inner = [max(1, round(height * scale)), max(1, round(width * scale))]
    exact = scales.index(scale)
    inner[exact] = size[exact]
    scaled = _resize(image, (inner[0], inner[1]))

    # Cut off what is too much, or put it in the middle of the background.
    if how == "crop":
        top, left = (inner[0] - size[0]) // 2, (inner[1] - size[1]) // 2
        return scaled[top : top + size[0], left : left + size[1]]
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    padded = np.full((*size, channels), background, dtype=np.uint8)
    if channels == 4:
        padded[..., 3] = 0
    padded[top : top + inner[0], left : left + inner[1]] = scaled
    return padded


def patches(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """All patches (n, H, W, C) of `size` that lie in an image side by side, row by row; what is left over is shared out to both
    borders."""
    height, width = size
    down, across = image.shape[0] // height, image.shape[1] // width
    top, left = (image.shape[0] - down * height) // 2, (image.shape[1] - across * width) // 2
    inner = image[top : top + down * height, left : left + across * width]
    cut = inner.reshape(down, height, across, width, image.shape[2]).swapaxes(1, 2)
    return cut.reshape(down * across, height, width, image.shape[2])


def png_bytes(image: np.ndarray) -> bytes:
    """A PNG file of an (H, W, C) uint8 image, C from 1 to 4; other counts are shown as `ganvas.data.grid` shows
    them."""
    from PIL import Image

    pixels = viewable(np.asarray(image))
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_png(path: Path | str, image: np.ndarray) -> None:
    """Writes an (H, W, C) or (H, W) uint8 image; the file is whole or not there."""
    write_bytes(path, png_bytes(image))


def viewable(images: np.ndarray) -> np.ndarray:
    """(..., H, W, C) uint8 as an extractor can see it: 1, 3 or 4 channels stay; of two, the first shows as red and the
    second as cyan (equal values give grey); of five and more, the first three show as RGB. A plain (H, W) gets its
    channel."""
    if images.dtype != np.uint8:
        raise TypeError(f"images are uint8 here, got {images.dtype}")
    if images.ndim == 2:
        images = images[..., None]
    channels = images.shape[-1]
    if channels == 2:
        return images[..., [0, 1, 1]]
    if channels > 4:
        return images[..., :3]
    return images


def open_image(file: BinaryIO) -> Image.Image:
    """Its header only, of a kind and size that are read here. Raises Broken."""
    from PIL import Image

    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.init()  # else `formats` may only name what is loaded already
            image = Image.open(file, formats=[kind for kind in FORMATS if kind in Image.OPEN])
    except Image.UnidentifiedImageError:
        raise Broken("not an image of a kind that is read here, or its header is damaged") from None
    except Exception as error:  # as in decode
        raise Broken(reason(error)) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise Broken(f"the header says {width} x {height} pixels")
    if width * height > LARGEST_IMAGE:
        raise Broken(f"the header says {width} x {height} pixels; {LARGEST_IMAGE:,} in all are the limit")
    return image


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 where there is none or where the EXIF block is damaged."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        return 1


def reason(error: Exception) -> str:
    """What a decoder says, or the kind of its error where it says nothing."""
    return f"{error}" or type(error).__name__


def _channels(image: Image.Image) -> int:
    """What `as_bytes` will give, from the header."""
    transparent = "transparency" in image.info
    if transparent and (image.mode in ("1", "L") or image.mode.startswith("I;16")):
        return 2
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return 1
    if image.mode in ("LA", "La"):
        return 2
    if transparent or image.mode in ("RGBA", "RGBa", "PA"):
        return 4
    return 3


def as_bytes(image: Image.Image) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 of a loaded image, not yet upright."""
    mode, transparent = image.mode, "transparency" in image.info
    if mode.startswith("I;16") and transparent:
        levels = np.asarray(image)
        opaque = np.where(levels == image.info["transparency"], 0, 255)
        return np.stack([_scaled_integers(levels), opaque.astype(np.uint8)], axis=-1)
    if mode == "I" or mode.startswith("I;16"):
        return _scaled_integers(np.asarray(image))
    if mode == "F":
        return _scaled_floats(np.asarray(image))
    if mode in ("1", "L") and transparent:
        return np.asarray(image.convert("RGBA"))[..., [0, 3]]
    if mode in ("1", "L"):
        target = "L"
    elif mode in ("LA", "La"):
        target = "LA"
    elif mode in ("RGBA", "RGBa", "PA") or transparent:
        target = "RGBA"
    else:
        target = "RGB"
    return np.asarray(image.convert(target))


def _scaled_integers(values: np.ndarray) -> np.ndarray:
    """16 bits to 8; 65535 = 255 * 257."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise Broken(f"integer values from {low} to {high}; only 16 bits, 0 to 65535, are read")
    return ((values.astype(np.int64) + 128) // 257).astype(np.uint8)


def _scaled_floats(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise Broken(f"float values from {low:g} to {high:g}; they must lie in 0 to 1")
    return np.rint(values * 255).astype(np.uint8)


def _split_alpha(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if image.shape[-1] in (2, 4):
        return image[..., :-1], image[..., -1:]
    return image, np.full_like(image[..., :1], 255)


def _colour(image: np.ndarray) -> np.ndarray:
    if image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    return image


def _grey(image: np.ndarray) -> np.ndarray:
    if image.shape[-1] == 1:
        return image
    luma = image @ np.array(LUMA, dtype=np.float32)
    return np.rint(luma).astype(np.uint8)[..., None]


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    height, width = size
    if image.shape[2] in (3, 4):  # Pillow weighs colours by alpha when it resizes RGBA
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    planes: list[np.ndarray] = []
    for plane in np.moveaxis(image, 2, 0):
        resized = Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), Image.Resampling.BICUBIC)
        planes.append(np.asarray(resized))
    return np.stack(planes, axis=2)
