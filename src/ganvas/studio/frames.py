"""How the server and its model process speak: JSON objects over pipes, each behind its length in four bytes."""

from __future__ import annotations

import json
import struct
from typing import BinaryIO

from ganvas.files import JsonObject
from ganvas.strict_json import dumps

MAX_FRAME_BYTES = 256 * 2**20  # bytes of one object
LENGTH_HEADER = struct.Struct(">I")


def write(stream: BinaryIO, content: JsonObject) -> None:
    """Sends one object."""
    body = dumps(content).encode()
    stream.write(LENGTH_HEADER.pack(len(body)) + body)
    stream.flush()


def read(stream: BinaryIO) -> JsonObject | None:
    """The next object; None where the other side has closed."""
    head = stream.read(LENGTH_HEADER.size)
    if len(head) < LENGTH_HEADER.size:
        return None
    size = LENGTH_HEADER.unpack(head)[0]
    if size > MAX_FRAME_BYTES:
        return None
    body = stream.read(size)
    return json.loads(body) if len(body) == size else None
