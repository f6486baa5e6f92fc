"""How an image was held, from EXIF and XMP, wherever a file carries them; PNG may carry them behind its pixels.

Header and pixels ask the same function, so that the size that is planned with is the size that comes.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

TAG, SHORT = 0x0112, 3  # of EXIF: orientation, and the type of its value
MAX_METADATA_BYTES = 2**20  # bytes of one block that are looked at
MAX_HOPS = 64  # chunks of pixels that are stepped over one by one
PNG_TAIL_BYTES = 2**17  # bytes at the end of a PNG of more chunks in which metadata are looked for
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
IN_XMP = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")


def of_exif(block: bytes) -> int | None:
    """The orientation, 1 (upright) to 8, in an EXIF block, with or without its leading "Exif\\0\\0"; None where it has none."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    (start,) = struct.unpack(order + "I", block[4:8])
    count = int.from_bytes(block[start : start + 2], "little" if order == "<" else "big")
    for index in range(count):
        place = start + 2 + 12 * index
        entry = block[place : place + 10]
        if len(entry) < 10:
            return None
        tag, kind, _, value = struct.unpack(order + "HHIH", entry)
        if tag == TAG and kind == SHORT:
            return value if 1 <= value <= 8 else None
    return None


def of_xmp(block: bytes) -> int | None:
    """The orientation in an XMP block, or None."""
    match = IN_XMP.search(block)
    return int(match[1]) if match else None


def of_png(file: BinaryIO) -> int:
    """The orientation that a PNG states before or behind its pixels, 1 where it states none: its eXIf, then a profile as
    ImageMagick writes it, then XMP. No pixel is decoded."""
    found: dict[str, int] = {}
    for kind, body in _metadata(file):
        if kind == b"eXIf":
            _note(found, "exif", of_exif(body))
        else:
            keyword, text = _text(kind, body)
            if keyword in (b"Raw profile type exif", b"Raw profile type APP1"):
                _note(found, "profile", of_exif(_from_hexadecimal(text)))
            elif keyword == b"XML:com.adobe.xmp":
                _note(found, "xmp", of_xmp(text))
    for source in ("exif", "profile", "xmp"):
        if source in found:
            return found[source]
    return 1


def without_text(file: BinaryIO) -> bytes:
    """A PNG without its texts and colour profile, which may be larger unpacked than a decoder accepts; its pixels stay."""
    file.seek(0)
    content = file.read()
    kept = [content[:8]]
    place = 8
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        if content[place + 4 : place + 8] not in (*TEXT_CHUNKS, b"iCCP"):
            kept.append(content[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _note(found: dict[str, int], source: str, orientation: int | None) -> None:
    if orientation is not None:
        found.setdefault(source, orientation)


def _metadata(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The chunks (kind, content) of a PNG that may state an orientation."""
    end = file.seek(0, os.SEEK_END)
    place, hops = 8, 0
    while place + 12 <= end and hops < MAX_HOPS:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IEND":
            return
        if kind == b"IDAT":
            hops += 1
        elif kind == b"eXIf" or kind in TEXT_CHUNKS:
            yield kind, file.read(min(length, MAX_METADATA_BYTES))
        place += 12 + length
    if place + 12 > end:
        return

    # A long row of small chunks: only what follows the last of them is read, as reading all would read the whole file.
    start = max(place, end - PNG_TAIL_BYTES)
    file.seek(start)
    tail = file.read()
    last = len(tail)
    while (last := tail.rfind(b"IDAT", 0, last)) >= 0:
        chunks = _chain(tail, last - 4)
        if chunks is not None:
            yield from chunks
            return


def _chain(content: bytes, place: int) -> list[tuple[bytes, bytes]] | None:
    """The chunks from `place` on, where they lead to the end of the file, else None."""
    chunks: list[tuple[bytes, bytes]] = []
    while place >= 0 and place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == b"IEND":
            return chunks
        if kind == b"eXIf" or kind in TEXT_CHUNKS:
            chunks.append((kind, content[place + 8 : place + 8 + min(length, MAX_METADATA_BYTES)]))
        place += 12 + length
    return None


def _text(kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a chunk, unpacked as far as it may be long."""
    keyword, _, rest = body.partition(b"\0")
    packed = False
    if kind == b"zTXt":
        rest, packed = rest[1:], True
    elif kind == b"iTXt" and len(rest) >= 2:
        packed = rest[0] == 1
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # language and translated keyword
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, MAX_METADATA_BYTES)
        except zlib.error:
            rest = b""
    return keyword, rest


def _from_hexadecimal(text: bytes) -> bytes:
    """The bytes of a raw profile: its name, its length, and hexadecimal digits, each on lines of their own."""
    digits = b"".join(text.split(b"\n")[3:])
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
