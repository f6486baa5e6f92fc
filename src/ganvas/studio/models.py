"""The server's side of the model process: starts it when it is first needed, again where it died, and passes requests on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from ganvas.files import JsonObject
from ganvas.strict_json import dumps
from ganvas.studio import frames
from ganvas.studio.http import Refused

MAX_WAITING_REQUESTS = 40  # requests in front of a new one
SILENCE_TIMEOUT = 1800.0  # seconds without a word from the process, after which it is killed
QUICK_TIMEOUT = 90.0  # ... of an answer that takes a moment only
QUICK_OPERATIONS = ("describe", "wall", "render", "doctor", "examples", "stylist")


class Models:
    """One model process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Queue[JsonObject]] = {}
        self._number = 0
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def call(self, op: str, values: JsonObject) -> JsonObject:
        """The result of an operation that takes a moment; Refused where it fails. Asked once more where the process died."""
        message = await self._last(op, values)
        if message.get("died"):
            message = await self._last(op, values)
        if "error" in message:
            raise Refused(int(message.get("status", 500)), str(message["error"]))
        return message["result"]

    async def _last(self, op: str, values: JsonObject) -> JsonObject:
        last: JsonObject = {}
        async for message in self.stream(op, values):
            last = message
        return last

    async def stream(self, op: str, values: JsonObject) -> AsyncIterator[JsonObject]:
        """{"progress": ...} any number of times, then {"result": ...} or {"error": ..., "status": ...}.

        Whoever stops to read cancels the operation.
        """
        if len(self._answers) >= MAX_WAITING_REQUESTS:
            raise Refused(503, "the model process has too much to do: wait until it is done, then try again")
        await self._start()
        self._number += 1
        number, answers = self._number, asyncio.Queue[JsonObject]()
        self._answers[number] = answers
        ended = False
        try:
            try:
                await self._send({"id": number, "op": op, "values": values})
            except Refused as refused:
                ended = True
                yield {"error": refused.message, "status": refused.status, "died": True}
            while not ended:
                try:
                    message = await asyncio.wait_for(
                        answers.get(), QUICK_TIMEOUT if op in QUICK_OPERATIONS else SILENCE_TIMEOUT
                    )
                except TimeoutError:
                    await self.close()
                    message = {"error": "this took too long and was stopped: try less at once", "status": 503}
                ended = "result" in message or "error" in message
                yield message
        finally:
            del self._answers[number]
            if not ended:
                with contextlib.suppress(Refused):
                    await self._send({"cancel": number})

    async def close(self) -> None:
        """Kills the process; the next request starts another one."""
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def _start(self) -> None:
        async with self._starting:
            if self.process is not None and self.process.returncode is None:
                return
            log = open(self.folder / "models.log", "ab")  # noqa: SIM115  its child writes on
            with log:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "ganvas.studio.worker", str(self.folder), stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True, limit=2**20,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )  # fmt: skip
            self._reader = asyncio.create_task(self._read(self.process))

    async def _send(self, content: JsonObject) -> None:
        process = self.process
        if process is None or process.stdin is None:
            raise Refused(503, "the model process is not running: try again")

        body = dumps(content).encode()
        try:
            process.stdin.write(frames.LENGTH_HEADER.pack(len(body)) + body)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise Refused(503, "the model process ended: try again") from None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                size = frames.LENGTH_HEADER.unpack(await process.stdout.readexactly(frames.LENGTH_HEADER.size))[0]
                if size > frames.MAX_FRAME_BYTES:
                    break

                message = json.loads(await process.stdout.readexactly(size))
                answers = self._answers.get(int(message.get("id", -1)))
                if answers is not None:
                    answers.put_nowait(message)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        code = await process.wait()
        why = "the model process ended while it worked: try again"
        if code == -9:
            why = "the model process was killed, mostly because memory ran out: close other programs or take a smaller image"
        for answers in self._answers.values():
            answers.put_nowait({"error": why, "status": 503, "died": True})
