"""PNG files of 16 bits a channel with colour or alpha, which Pillow reads as 8 bits and cannot write (ISO 15948).

Only what a photo needs: no palette and no interlacing; those go through Pillow.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS_OF_COLOUR_TYPE = {0: 1, 2: 3, 4: 2, 6: 4}  # by the header's colour type


def is_deep(content: bytes) -> bool:
    """Whether this is a PNG of 16 bits that is read here."""
    if len(content) < 33 or content[:8] != SIGNATURE or content[12:16] != b"IHDR":
        return False
    depth, colour, _, _, interlaced = content[24:29]
    return depth == 16 and colour in CHANNELS_OF_COLOUR_TYPE and interlaced == 0


def read(file: BinaryIO) -> np.ndarray | None:
    """(H, W, C) uint16 of a file for which `is_deep`, else None; `file` stands where it stood. Raises ValueError."""
    place = file.tell()
    file.seek(0)
    head = file.read(33)
    deep = None
    if is_deep(head):
        deep = decode(head + file.read())
    file.seek(place)
    return deep


def decode(content: bytes) -> np.ndarray:
    """(H, W, C) uint16 of a PNG for which `is_deep`; one transparent colour becomes an alpha channel.

    Whoever calls has checked the size. Raises ValueError."""
    width, height = struct.unpack(">II", content[16:24])
    if not width * height:
        raise ValueError(f"the header says {width} x {height} pixels")
    channels = CHANNELS_OF_COLOUR_TYPE[content[25]]
    row = width * channels * 2
    packed, key = [], None
    for kind, body in _chunks(content):
        if kind == b"IDAT":
            packed.append(body)
        elif kind == b"tRNS" and channels in (1, 3) and len(body) == 2 * channels:
            key = np.frombuffer(body, ">u2")
    try:
        raw = zlib.decompressobj().decompress(
            b"".join(packed), height * (row + 1)
        )  # never more than the header declares
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(raw) != height * (row + 1):
        raise ValueError("the image is cut short")
    lines = np.frombuffer(raw, np.uint8).reshape(height, row + 1)
    plain = _unfiltered(lines[:, 0], lines[:, 1:].reshape(height, width, channels * 2))
    pixels = plain.view(">u2").astype(np.uint16)
    if key is None:
        return pixels
    opaque = (pixels != key).any(-1, keepdims=True)
    return np.concatenate([pixels, np.where(opaque, 65535, 0).astype(np.uint16)], axis=-1)


def encode(
    pixels: np.ndarray, icc: bytes | None = None, exif: bytes | None = None, text: tuple[str, str] | None = None
) -> bytes:
    """A PNG file of (H, W, C) uint16, C from 1 to 4; `exif` with or without its leading "Exif\\0\\0", `text` a keyword and what
    a chunk iTXt says under it."""
    height, width, channels = pixels.shape
    colour = next(kind for kind, count in CHANNELS_OF_COLOUR_TYPE.items() if count == channels)
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    if icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if exif:
        parts.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if text:
        parts.append(_chunk(b"iTXt", text[0].encode("latin-1") + b"\0\0\0\0\0" + text[1].encode()))
    lines = pixels.astype(">u2").view(np.uint8).reshape(height, width, channels * 2)
    # "Sub": each byte less that of the pixel before, which packs better than the bytes themselves.
    lines = lines - np.concatenate([np.zeros_like(lines[:, :1]), lines[:, :-1]], axis=1)
    filtered = np.concatenate([np.ones((height, 1), np.uint8), lines.reshape(height, -1)], axis=1)
    parts += [_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), _chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, start = [], 8
    while start + 12 <= len(content):
        (length,) = struct.unpack(">I", content[start : start + 4])
        kind, body = content[start + 4 : start + 8], content[start + 8 : start + 8 + length]
        if content[start + 8 + length : start + 12 + length] != struct.pack(">I", zlib.crc32(kind + body)):
            raise ValueError("a block of the file is damaged or cut short")
        found.append((kind, body))
        start += length + 12
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unfiltered(kinds: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(H, W, B) bytes of pixels without PNG's filters (sec. 9): `kinds` (H,) 0 none, 1 left, 2 up, 3 mean, 4 Paeth.

    A pixel needs the ones to its left, above, and above left; so all pixels of one diagonal are done at once.
    """
    height, width, _ = lines.shape
    if int(kinds.max()) > 4:
        raise ValueError("a row of the file has an unknown filter")
    done = np.zeros((height + 1, width + 1, lines.shape[2]), np.int16)
    for diagonal in range(height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns = diagonal - rows
        left, up, corner = done[rows + 1, columns], done[rows, columns + 1], done[rows, columns]
        guess = left + up - corner
        to_left, to_up, to_corner = np.abs(guess - left), np.abs(guess - up), np.abs(guess - corner)
        paeth = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
        kind = kinds[rows][:, None]
        predicted = np.select([kind == 1, kind == 2, kind == 3, kind == 4], [left, up, (left + up) >> 1, paeth], 0)
        done[rows + 1, columns + 1] = (lines[rows, columns] + predicted) & 255
    return np.ascontiguousarray(done[1:, 1:].astype(np.uint8))
