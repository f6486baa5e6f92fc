"""Provenance in files: put into EXIF and .wav, and read from whatever a stranger sends. Reading decodes no pixel."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ganvas.data.image import Broken, open_image, open_regular
from ganvas.data.png16 import SIGNATURE
from ganvas.errors import DataError
from ganvas.provenance import KEYWORD, MAX_CHARACTERS, Provenance, from_text

if TYPE_CHECKING:
    from PIL import Image

EXIF_IFD, USER_COMMENT, SOFTWARE = 0x8769, 0x9286, 0x0131
ASCII = b"ASCII\0\0\0"  # the character code that begins a UserComment
MAX_EXIF_BYTES = 65_533  # bytes, as much as a JPEG can hold
MAX_CHUNKS = 100_000  # of a PNG or a .wav that are looked at


def exif_with(provenance: Provenance, exif: bytes | None) -> bytes:
    """An EXIF block that holds provenance in its UserComment, and all that `exif` holds besides."""
    from PIL import Image

    block = Image.Exif()
    if exif:
        block.load(exif)
    block.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII + provenance.text().encode("ascii")
    if SOFTWARE not in block:
        block[SOFTWARE] = f"ganvas {provenance.version}"
    return block.tobytes()


def read_provenance(path: Path | str) -> Provenance | None:
    """What made an image or a .wav, as its metadata say it; None where they do not. They are what the file's sender wrote: true
    only as far as the weights' hash can be checked.

    DataError for a file that is neither or cannot be read.
    """
    try:
        with open_regular(Path(path)) as file:
            start = file.read(12)
            file.seek(0)
            if start[:8] == SIGNATURE:
                return _of_png(file)
            if start[:4] == b"RIFF" and start[8:] == b"WAVE":
                return _of_wav(file)
            return _of_image(open_image(file).image)
    except Broken as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _of_png(file: BinaryIO) -> Provenance | None:
    """Of the chunk iTXt with our keyword, or else of the EXIF block, which other programs make of what JPEG files say."""
    place, exif = len(SIGNATURE), b""
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"iTXt" and length <= 2 * MAX_CHARACTERS:
            found = _of_text_chunk(file.read(length))
            if found is not None:
                return found
        elif kind == b"eXIf" and length <= MAX_EXIF_BYTES:
            exif = file.read(length)
        place += 12 + length
    return _of_exif(exif)


def _of_text_chunk(body: bytes) -> Provenance | None:
    """PNG, sec. 11.3.3.4: keyword, 0, compression flag and method, language, 0, translated keyword, 0, text."""
    keyword, _, rest = body.partition(b"\0")
    if keyword != KEYWORD.encode() or len(rest) < 2:
        return None
    text = rest[2:].split(b"\0", 2)[-1]
    if rest[0]:
        try:
            text = zlib.decompressobj().decompress(text, MAX_CHARACTERS + 1)
        except zlib.error:
            return None
    return from_text(text.decode("utf-8", "replace"))


def _of_image(image: Image.Image) -> Provenance | None:
    """Of the EXIF UserComment, or of a GIF's comment."""
    try:
        comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT)
    except Exception:  # EXIF is written by many hands; a broken block says nothing
        comment = None
    return _of_comment(comment) or _of_comment(image.info.get("comment"))


def _of_exif(exif: bytes) -> Provenance | None:
    from PIL import Image

    try:
        block = Image.Exif()
        block.load(exif)
        return _of_comment(block.get_ifd(EXIF_IFD).get(USER_COMMENT))
    except Exception:  # as above
        return None


def _of_comment(comment: object) -> Provenance | None:
    if isinstance(comment, str):
        comment = comment.encode("utf-8", "replace")
    if not isinstance(comment, bytes) or len(comment) > 2 * MAX_CHARACTERS:
        return None
    return from_text(comment.removeprefix(ASCII).rstrip(b"\0 ").decode("utf-8", "replace"))


def _of_wav(file: BinaryIO) -> Provenance | None:
    """Of the field ICMT in a chunk LIST of the kind INFO."""
    place = 12
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind == b"LIST" and length <= 4 * MAX_CHARACTERS:
            body = file.read(length)
            if body[:4] == b"INFO":
                return _of_info(body[4:])
        place += 8 + length + length % 2
    return None


def _of_info(body: bytes) -> Provenance | None:
    place = 0
    while place + 8 <= len(body):
        kind, length = struct.unpack("<4sI", body[place : place + 8])
        if kind == b"ICMT":
            return _of_comment(body[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    return None
