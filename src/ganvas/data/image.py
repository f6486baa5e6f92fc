"""One image: read from a file of any kind, brought to a shape, written as PNG.

Arrays are (H, W, C) uint8, C: 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import io
import stat
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ganvas.data import orientation, png16
from ganvas.data.file_kinds import HEIC, IMAGES
from ganvas.errors import DataError, GanvasWarning
from ganvas.files import write_bytes
from ganvas.provenance import KEYWORD, Provenance

if TYPE_CHECKING:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

# What is decoded; Pillow knows more, some of which start other programs (EPS).
PILLOW_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA", "AVIF", "JPEG2000", "HEIF")
OPTIONAL_CODECS = {".avif": "avif", ".jp2": "jpg_2000", ".j2k": "jpg_2000", ".webp": "webp"}  # what a Pillow may lack
LUMA = (0.299, 0.587, 0.114)  # what red, green and blue weigh in grey (Rec. 601)
MAX_PIXELS = 80_000_000  # pixels; below Pillow's own limit, which warns first and refuses at twice as many
MAX_JPEG_PIXELS = 1_000_000_000  # pixels of a JPEG that is decoded at a part of its size
MAX_IMAGE_BYTES = 256 * 2**20  # bytes of one image file
ELONGATED_RATIO = 4  # times the pixels that are kept: a crop that throws more away resizes only what is kept
SAFE_PILLOW = 13
TWELVE_BIT_MAX = 4095  # of 65535: images of 16 bits that stay below it hold 12 bits or fewer
IMAGE_HEAD_BYTES = 64  # bytes by which a file is recognised
FOREIGN_HEADS = {  # what lies under the names of images, by its first bytes in lower case
    b"version https://git-lfs": "a pointer of Git LFS, not the image: run git lfs pull",
    b"<!doctype html": "a web page, not an image: the download went wrong",
    b"<html": "a web page, not an image: the download went wrong",
    b"<svg": "an SVG drawing: convert it to PNG",
    b"%pdf": "a PDF document: convert its pages to PNG",
    b"8bps": "a Photoshop document: export it as PNG or TIFF",
    b"\xff\n": "a JPEG XL image: convert it to PNG, for example with djxl",
}

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


class OldPillow(GanvasWarning):
    """Images are opened by a Pillow with known errors."""


class Broken(Exception):
    """Why one image cannot be read; the caller knows its name."""


@dataclasses.dataclass
class Opened:
    """An image of which only the header was read. `orientation` (1 to 8) is what the decoded pixels are to be turned by."""

    image: Image.Image
    orientation: int
    file: BinaryIO | None = None
    greatest: int | None = None
    """Of an image of more than 8 bits, its greatest value of 65535, once it is decoded."""
    divisor: int = 1
    """By what its sides are divided while it is decoded: of a very large JPEG."""

    def load(self) -> None:
        """Decodes the pixels. Texts in a PNG that are larger than Pillow accepts are omitted."""
        try:
            self.image.load()
        except ValueError:
            if self.file is None or self.image.format != "PNG":
                raise
            self.image = _open(io.BytesIO(orientation.without_text(self.file)))
            self.image.load()
        self.greatest = self._greatest()

    def _greatest(self) -> int | None:
        image = self.image
        if image.mode == "I" or image.mode.startswith("I;16"):
            return int(np.asarray(image).max())
        # Of colour, Pillow keeps the upper 8 bits.
        bits = 8
        if image.format == "PNG" and self.file is not None:
            bits = _head(self.file)[24]
        elif image.format == "TIFF" and hasattr(image, "tag_v2"):
            bits = max(np.atleast_1d(image.tag_v2.get(258, 8)).tolist())  # pyright: ignore[reportAttributeAccessIssue]
        if bits != 16 or image.mode not in ("RGB", "RGBA", "L", "LA"):
            return None
        colours = np.asarray(image).reshape(*image.size[::-1], -1)[..., :3]
        return int(colours.max()) * 257 or 255

    @property
    def more_frames(self) -> bool:
        """Whether it is an animation or a stack of pages, of which the first is taken. The further images of an MPO are other
        views or sizes of the same."""
        return self.image.format != "MPO" and bool(getattr(self.image, "is_animated", False))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the decoded pixels, upright."""
        width, height = self.image.size
        if self.orientation in (5, 6, 7, 8):
            height, width = width, height
        return height, width, _channels(self.image)


def too_dark(greatest: int | None) -> str | None:
    """What is wrong with images of 16 bits whose greatest value is `greatest`, or None: few bits of 16 make black images."""
    if greatest is None or not 0 < greatest <= TWELVE_BIT_MAX:
        return None
    message = f"greatest value {greatest:,} of 65,535, which is black"
    if greatest <= 255:
        return f"{message}: do these hold bytes? Save them with 8 bits"
    bits = greatest.bit_length()
    return f"{message}: do these hold {bits} bits? Multiply the values by {2 ** (16 - bits)}"


@functools.cache
def suffixes() -> frozenset[str]:
    """Endings of the images that this installation reads; lower case."""
    from PIL import features

    supported = features.get_supported()
    readable = {suffix for suffix in IMAGES if suffix not in OPTIONAL_CODECS or OPTIONAL_CODECS[suffix] in supported}
    if importlib.util.find_spec("pillow_heif") is not None:
        readable |= HEIC
    return frozenset(readable)


def read_image(path: Path | str) -> np.ndarray:
    """The image in a file, (H, W, C) uint8, turned upright as its EXIF says; the first frame of an animation.

    Palettes and CMYK become RGB (RGBA where there is transparency), 16 bits are scaled to 8, floats must lie in
    [0, 1]. DataError names the file and the reason.
    """
    try:
        with open_regular(Path(path)) as file:
            opened = open_image(file)
            array = decode_opened(opened)
    except Broken as error:
        raise DataError(f"cannot read the image {path}: {error}") from error
    dark = too_dark(opened.greatest)
    if dark:
        raise DataError(f"{path}: {dark}")
    return array


def open_regular(path: Path, largest: int = MAX_IMAGE_BYTES) -> BinaryIO:
    """The file, opened for reading only after it proved to be an ordinary file of bounded size (a pipe would never
    end)."""
    try:
        status = path.stat()
        refuse_irregular(status.st_mode, status.st_size, largest)
        return open(path, "rb")
    except FileNotFoundError:
        raise Broken("there is no such file") from None
    except OSError as error:
        raise Broken(error.strerror or str(error)) from error


def refuse_irregular(mode: int, size: int, limit: int | None = MAX_IMAGE_BYTES) -> None:
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
    return open_image(file).shape


def decode(file: BinaryIO) -> np.ndarray:
    """(H, W, C) uint8 as `read_image` describes. Raises Broken."""
    return decode_opened(open_image(file))


def decode_opened(opened: Opened) -> np.ndarray:
    """(H, W, C) uint8 of an image whose header was read. Raises Broken."""
    try:
        array = _with_colour_key(opened)
        if array is None:
            opened.load()
            array = as_bytes(opened.image)
    except Broken:
        raise
    except Exception as error:  # a decoder meets damaged bytes in many ways; each is this image's fault
        raise Broken(reason(error)) from error
    if array.ndim == 2:
        array = array[..., None]
    return np.ascontiguousarray(upright(array, opened))


def _with_colour_key(opened: Opened) -> np.ndarray | None:
    """The pixels with alpha of a PNG of 16 bits a channel that names one RGB colour transparent, which Pillow overlooks; else
    None."""
    image = opened.image
    if opened.file is None or image.format != "PNG" or image.mode != "RGB" or "transparency" not in image.info:
        return None
    deep = png16.read(opened.file)
    if deep is None:
        return None
    opened.greatest = int(deep[..., :3].max())
    return _scaled_integers(deep)


def upright(array: np.ndarray, opened: Opened) -> np.ndarray:
    """The pixels (H, W, ...) of an image, turned as its metadata say."""
    return _TURNS.get(opened.orientation, np.asarray)(array)


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

    # A long strip that is cut would be huge if all of it were resized first: only the part that is kept is.
    if how == "crop":
        top, left = (inner[0] - size[0]) // 2, (inner[1] - size[1]) // 2
        if inner[0] * inner[1] <= ELONGATED_RATIO * size[0] * size[1]:
            return _resize(image, (inner[0], inner[1]))[top : top + size[0], left : left + size[1]]
        down, across = height / inner[0], width / inner[1]
        right, bottom = min((left + size[1]) * across, width), min((top + size[0]) * down, height)
        return _resize(image, size, (left * across, top * down, right, bottom))

    # The whole in the middle of the background.
    scaled = _resize(image, (inner[0], inner[1]))
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


def png_bytes(image: np.ndarray, provenance: Provenance | None = None) -> bytes:
    """A PNG file of an (H, W, C) uint8 image, C from 1 to 4; other counts are shown as `ganvas.data.grid` shows
    them. `provenance` goes into its metadata."""
    buffer = io.BytesIO()
    as_pil(viewable(np.asarray(image))).save(buffer, format="PNG", pnginfo=png_info(provenance))
    return buffer.getvalue()


def as_pil(pixels: np.ndarray) -> Image.Image:
    """A PIL image of (H, W, C) uint8, C from 1 to 4: mode L, LA, RGB or RGBA."""
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def png_info(provenance: Provenance | None) -> PngInfo | None:
    """The chunks of a PNG's metadata, for Pillow."""
    from PIL.PngImagePlugin import PngInfo

    if provenance is None:
        return None
    info = PngInfo()
    info.add_text("Software", f"ganvas {provenance.version}")
    info.add_itxt(KEYWORD, provenance.text())
    return info


def write_png(path: Path | str, image: np.ndarray, provenance: Provenance | None = None) -> None:
    """Writes an (H, W, C) or (H, W) uint8 image; the file is whole or not there. `provenance` goes into its metadata; an
    ImageArray brings its own."""
    write_bytes(path, png_bytes(image, provenance or getattr(image, "provenance", None)))


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


def open_image(file: BinaryIO, *, reduce: bool = False) -> Opened:
    """Its header only, of a kind and size that are read here. Raises Broken.

    `reduce`: of a JPEG of up to MAX_JPEG_PIXELS, a half, a quarter or an eighth of its sides are decoded, where that takes it
    below MAX_PIXELS.
    """
    try:
        image = _open(file, MAX_JPEG_PIXELS if reduce else MAX_PIXELS)
    except ValueError as error:  # texts or a colour profile that are larger than Pillow accepts
        if not _head(file).startswith(png16.SIGNATURE):
            raise Broken(reason(error)) from error
        image = _open(io.BytesIO(orientation.without_text(file)))
    width, height = image.size
    if width < 1 or height < 1:
        raise Broken(f"the header says {width} x {height} pixels")
    divisor = 1
    if width * height > MAX_PIXELS:
        divisor = _divisor(image) if reduce else 1
        if divisor == 1:
            raise Broken(f"the header says {width} x {height} pixels; {MAX_PIXELS:,} in all are the limit")
        image.draft(image.mode, (width // divisor, height // divisor))
    return Opened(image, _orientation(image, file), file, divisor=divisor)


def _divisor(image: Image.Image) -> int:
    """By what the sides of a large JPEG are divided while it is decoded; 1 where that cannot be done. Of a progressive one, the
    decoder keeps all coefficients in memory whatever the size of the result."""
    width, height = image.size
    if image.format not in ("JPEG", "MPO") or "progressive" in image.info or width * height > MAX_JPEG_PIXELS:
        return 1
    for divisor in (2, 4, 8):
        if width * height <= MAX_PIXELS * divisor**2:
            return divisor
    return 1


@functools.cache
def warn_of_old_pillow() -> None:
    """Once: before 13, Pillow has known errors that let a prepared file write beyond its memory."""
    import PIL

    if int(PIL.__version__.split(".")[0]) < SAFE_PILLOW:
        warnings.warn(
            f"Pillow {PIL.__version__} opens the images; before {SAFE_PILLOW} a file made for it can crash it or run code (heap"
            f" overflows). Open files of known origin only, or: pip install 'pillow>={SAFE_PILLOW}'",
            OldPillow,
            stacklevel=2,
        )


def open_pil(image: Image.Image) -> Opened:
    """An image that Pillow has opened already."""
    return Opened(image, _orientation(image, None))


def _open(file: BinaryIO, largest: int = MAX_PIXELS) -> Image.Image:
    """Raises Broken, or ValueError for what may be read without a part of it. `largest`: pixels of a JPEG, which Pillow refuses
    above a limit of its own."""
    from PIL import Image

    warn_of_old_pillow()
    head = _head(file)
    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.init()  # else `formats` may only name what is loaded already
            if _is_heic(head):
                _register_heic()
            image = Image.open(file, formats=[kind for kind in PILLOW_FORMATS if kind in Image.OPEN])
    except Image.DecompressionBombError as error:
        if not head.startswith(b"\xff\xd8") or largest <= MAX_PIXELS:
            raise Broken(reason(error)) from error
        image = _large_jpeg(file)
    except Image.UnidentifiedImageError:
        raise Broken(_unidentified(head)) from None
    except (Broken, ValueError):
        raise
    except Exception as error:  # as in decode
        raise Broken(reason(error)) from error
    return image


def _large_jpeg(file: BinaryIO) -> Image.Image:
    """The header of a JPEG of any size. Raises Broken."""
    from PIL.JpegImagePlugin import JpegImageFile

    file.seek(0)
    try:
        return JpegImageFile(file)  # pyright: ignore[reportArgumentType]
    except Exception as error:  # as in decode
        raise Broken(reason(error)) from error


def _head(file: BinaryIO) -> bytes:
    """Its first bytes; it stands at its start then."""
    file.seek(0)
    head = file.read(IMAGE_HEAD_BYTES)
    file.seek(0)
    return head


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def _register_heic() -> None:
    """Makes Pillow read HEIC; Broken without the extra."""
    try:
        import pillow_heif  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Broken('it is a HEIC photo, which pip install "ganvas[heic]" reads') from None
    pillow_heif.register_heif_opener(thumbnails=False)


def _unidentified(head: bytes) -> str:
    """What a file is instead of an image that is read here, by its first bytes."""
    for start, kind in FOREIGN_HEADS.items():
        if head.lstrip().lower().startswith(start):
            return f"it is {kind}"
    if head[4:12] in (b"JXL \r\n\x87\n", b"ftypjxl "):
        return "it is a JPEG XL image: convert it to PNG, for example with djxl"
    return "not an image of a kind that is read here, or its header is damaged"


def _orientation(image: Image.Image, file: BinaryIO | None) -> int:
    """The orientation of the pixels that Pillow will decode, 1 (upright) to 8; 1 where none or a damaged one is stated."""
    if image.format == "TIFF":  # Pillow turns those itself
        return 1
    if image.format == "PNG" and file is not None:
        place = file.tell()
        turned = orientation.of_png(file)
        file.seek(place)
        return turned
    try:
        exif = image.getexif()
        if orientation.TAG in exif:
            return int(exif[orientation.TAG])
    except Exception:  # EXIF is written by many hands
        return 1
    xmp = image.info.get("xmp")
    return (orientation.of_xmp(xmp) if isinstance(xmp, bytes) else None) or 1


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


def _resize(
    image: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """The part `box` (left, top, right, bottom; None: all) of (H, W, C) at another size (H, W)."""
    from PIL import Image

    height, width = size

    def resized(one: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC, box))

    if image.shape[2] in (3, 4):  # Pillow weighs colours by alpha when it resizes RGBA
        return resized(image)
    return np.stack([resized(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, 2, 0)], axis=2)
