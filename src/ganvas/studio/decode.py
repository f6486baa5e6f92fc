"""Uploads, looked at one by one in processes with limits: `python -m ganvas.studio.decode`.

A file from outside can be made to exhaust, to crash or to take over a decoder; here it can take no more than its own process has.
This process reads no file. It has imported all that decoding needs, and forks itself for each upload, so that an upload neither
waits for Python to start nor meets anything of the upload before it.

Requests come on stdin and answers go to stdout, a line of JSON each: {"id", "path", "out"} is answered by {"id", "said"}: what
the upload's process wrote, cut off where it crashed, and "" where that is more than MAX_SAID_BYTES. {"cancel": id} kills it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import json
import os
import resource
import selectors
import signal
import sys
from pathlib import Path
from typing import NoReturn

from ganvas.studio.oom import first_to_be_killed

MAX_MEMORY_BYTES = 6 * 2**30  # bytes of address space
MAX_CPU_SECONDS = 60  # of processor time
MAX_OUTPUT_BYTES = 512 * 2**20  # bytes of a file that it writes
MAX_SIDE_PIXELS = 4096  # a side of what is kept
COMPRESSION = 1  # of the PNG, 0 to 9: of a photo, 6 takes four times as long for 4 % fewer bytes
MAX_SAID_BYTES = 2**18  # bytes of facts about one upload
BLOCK_BYTES = 2**16


def limit(memory: int, seconds: int) -> None:
    """Limits this process and its children."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def image(path: Path, out: Path) -> dict[str, object]:
    """Writes an image as an upright PNG of 8 bits, at most 4096 pixels a side; returns its facts."""
    from PIL.Image import Resampling

    from ganvas.data.image import png_info
    from ganvas.data.metadata import read_provenance
    from ganvas.data.photo import read_photo
    from ganvas.errors import GanvasError

    photo = read_photo(path)
    try:
        made = read_provenance(path)
    except GanvasError:  # of a kind that holds no such metadata
        made = None
    shown = dataclasses.replace(photo, exif=None).to_pil()
    if max(shown.size) > MAX_SIDE_PIXELS:
        shown.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS), Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", pnginfo=png_info(made), compress_level=COMPRESSION)
    out.write_bytes(buffer.getvalue())
    facts: dict[str, object] = {"height": shown.height, "width": shown.width}
    if made is not None:
        facts["made"] = {**made.as_dict(), "command_line": made.command_line()}
    return facts


def facts_of(path: Path, out: Path) -> dict[str, object]:
    """The facts of `image`, or {"error": sentence}."""
    from ganvas.errors import GanvasError

    try:
        return image(path, out)
    except GanvasError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "the image needs more memory than an upload may take: make it smaller"}


@dataclasses.dataclass
class Upload:
    """One that is looked at."""

    number: int
    process: int
    pipe: int
    """What its process says comes out of here."""
    said: bytearray = dataclasses.field(default_factory=bytearray)


class Decoder:
    """Forks a process for each request. It has one thread only, without which a fork is not safe."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests, self.answers = requests, answers
        self.uploads: dict[int, Upload] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(requests, selectors.EVENT_READ)
        self._rest = b""

    def serve(self) -> None:
        """Answers until the other side closes; what is looked at then is killed."""
        while True:
            for key, _ in self.selector.select():
                if key.fd != self.requests:
                    self._hear(key.data)
                elif not self._read():
                    for upload in self.uploads.values():
                        _kill(upload.process)
                    return

    def _read(self) -> bool:
        """Takes what was asked; False where nobody asks any more."""
        block = os.read(self.requests, BLOCK_BYTES)
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            asked = json.loads(line)
            if "cancel" not in asked:
                self._start(int(asked["id"]), Path(asked["path"]), Path(asked["out"]))
            elif asked["cancel"] in self.uploads:
                _kill(self.uploads[asked["cancel"]].process)
        return bool(block)

    def _start(self, number: int, path: Path, out: Path) -> None:
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            self._look(path, out, reading, writing)
        os.close(writing)
        self.uploads[number] = Upload(number, process, reading)
        self.selector.register(reading, selectors.EVENT_READ, self.uploads[number])

    def _look(self, path: Path, out: Path, reading: int, writing: int) -> NoReturn:
        """The process of one upload: it has nothing of the others but this file and this pipe."""
        try:
            os.setsid()
            self.selector.close()
            for handle in (self.requests, self.answers, reading, *(one.pipe for one in self.uploads.values())):
                os.close(handle)
            limit(MAX_MEMORY_BYTES, MAX_CPU_SECONDS)
            with os.fdopen(writing, "wb") as file:
                file.write(json.dumps(facts_of(path, out)).encode() + b"\n")
        finally:
            os._exit(0)  # whatever was raised: nothing of this process may go on as if it were the one above

    def _hear(self, upload: Upload) -> None:
        """Takes what an upload's process says, and answers at the end of its line, or where it has ended without."""
        block = os.read(upload.pipe, BLOCK_BYTES)
        upload.said += block
        too_much = len(upload.said) > MAX_SAID_BYTES
        if block and not block.endswith(b"\n") and not too_much:
            return
        self.selector.unregister(upload.pipe)
        os.close(upload.pipe)
        del self.uploads[upload.number]
        _kill(upload.process)  # it has said all, and nothing that it may have started goes on
        os.waitpid(upload.process, 0)
        said = "" if too_much else upload.said.decode("utf-8", "replace")
        content = json.dumps({"id": upload.number, "said": said}) + "\n"
        with contextlib.suppress(BrokenPipeError):
            _write(self.answers, content.encode())


def _write(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


def _kill(process: int) -> None:
    """Ends a process that was forked, and its group; it has not been waited for, so that the number is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def warm() -> None:
    """Imports what decoding needs, by decoding an image of our own."""
    import tempfile

    from PIL import Image

    Image.init()  # the plugins of all formats
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warm.png"
        Image.new("RGB", (2, 2)).save(path)
        image(path, Path(folder) / "out.png")
    gc.collect()
    gc.freeze()  # what is shared with the processes of uploads stays shared


def main() -> None:
    """Answers requests until stdin ends."""
    first_to_be_killed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's affair
    requests, answers = os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno())
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout):  # whatever a library prints must not be among the answers
        os.dup2(nothing, stream.fileno())
    os.close(nothing)
    warm()
    Decoder(requests, answers).serve()


if __name__ == "__main__":
    main()
