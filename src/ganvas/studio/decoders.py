"""The server's side of the process that looks at uploads (decode.py): starts it when it is first needed, again where it died."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

from starlette.requests import Request

from ganvas.errors import DataError
from ganvas.files import JsonObject
from ganvas.studio import decode
from ganvas.studio.http import Refused
from ganvas.studio.processes import left

AT_ONCE = 2  # uploads that are looked at beside each other; each may take decode.MAX_MEMORY_BYTES
MAX_SECONDS = 1.5 * decode.MAX_CPU_SECONDS  # that an upload may take
MAX_LINE_BYTES = 8 * decode.MAX_SAID_BYTES  # bytes of an answer: JSON within JSON


class Decoders:
    """One process that forks another one for each upload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._number = 0
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def image(self, request: Request, upload: Path, out: Path) -> JsonObject:
        """The facts of an image, which is written to `out`; DataError says why it cannot be used.

        The body of `request` must have been read to its end. Refused where the client goes away meanwhile.
        """
        async with self._at_once:
            said = await self._asked(request, upload, out)
            if said is None:  # the process was killed, by whomever: it does not read the file itself
                said = await self._asked(request, upload, out)
        facts: object = None
        with contextlib.suppress(ValueError, RecursionError):
            facts = json.loads(said or "")
        if not isinstance(facts, dict):
            raise DataError("this file cannot be decoded as an image: it is damaged, or none")
        if "error" in facts or not out.is_file() or out.is_symlink():
            raise DataError(str(facts.get("error") or "this file cannot be decoded as an image"))
        return facts

    async def close(self) -> None:
        """Ends the process; the next upload starts another one."""
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def _asked(self, request: Request, upload: Path, out: Path) -> str | None:
        """What the process of an upload said; None where the process above it has ended."""
        process = await self._started()
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        leaving = asyncio.create_task(left(request))
        try:
            await self._send(process, {"id": number, "path": str(upload), "out": str(out)})
            done, _ = await asyncio.wait({answer, leaving}, timeout=MAX_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                return answer.result()
            if leaving in done:
                raise Refused(400, "the request was cut off")
            raise DataError("looking at this image took too long: make it smaller")
        finally:
            del self._waiting[number]
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            if not answer.done():
                await self._send(process, {"cancel": number})

    async def _started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self.process is None or self.process.returncode is not None:
                environment = {
                    **os.environ,
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                }  # a fork copies one thread
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "ganvas.studio.decode", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL, cwd=self.folder, start_new_session=True, limit=MAX_LINE_BYTES,
                    env=environment,
                )  # fmt: skip
                self._reader = asyncio.create_task(self._read(self.process))
            return self.process

    async def _send(self, process: asyncio.subprocess.Process, content: JsonObject) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which `_read` finds out
            process.stdin.write(json.dumps(content).encode() + b"\n")
            await process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                message = json.loads(line)
                answer = self._waiting.get(int(message["id"]))
                if answer is not None and not answer.done():
                    answer.set_result(message["said"])
        except ValueError:  # a line that is too long, or cut off: none of ours
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        if process is self.process:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result(None)
