"""Encoded images in a temporary file, where their source can be read in its own order only."""

from __future__ import annotations

import io
import tempfile
import threading
from typing import BinaryIO

from ganvas.data.image import Broken


class Spool:
    """Files by name, in one temporary file that goes when this does."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, closed by __del__
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self._file.close()

    def add(self, name: str, content: bytes) -> None:
        """Appends one file."""
        self._file.seek(self._end)
        self._file.write(content)
        self._places[name] = (self._end, len(content))
        self._end += len(content)

    def open(self, name: str) -> BinaryIO:
        """One file, in memory. Raises Broken."""
        start, size = self._places[name]
        with self._lock:
            self._file.seek(start)
            content = self._file.read(size)
        if len(content) != size:
            raise Broken("the temporary file was cut short")
        return io.BytesIO(content)
