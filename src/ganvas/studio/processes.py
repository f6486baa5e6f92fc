"""Commands that answer a request: in a process of their own, killed after some time or when nobody waits for the answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from ganvas.studio.http import Refused


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def error(self) -> str:
        """The last error that it wrote, without its "error: "; "" where it wrote none."""
        found = ""
        for line in self.err.decode("utf-8", "replace").splitlines():
            if line.startswith("error"):
                found = line.partition(": ")[2]
        return found


async def run(request: Request, words: Sequence[str], seconds: float, folder: Path) -> Ended | None:
    """Runs a command; None where it took longer than `seconds`. The body of `request` must have been read to its end.

    Refused where the client goes away meanwhile; the process is killed then, as it is in every other case.
    """
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder,
        env={**os.environ, "NO_COLOR": "1"}, start_new_session=True,
    )  # fmt: skip
    working = asyncio.create_task(process.communicate())
    leaving = asyncio.create_task(left(request))
    try:
        done, _ = await asyncio.wait({working, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working in done:
            out, err = working.result()
            return Ended(process.returncode or 0, out, err)
        if leaving in done:
            raise Refused(400, "the request was cut off")
        return None
    finally:
        if process.returncode is None:
            process.kill()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def left(request: Request) -> None:
    """Returns when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
