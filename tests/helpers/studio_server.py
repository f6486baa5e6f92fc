"""A studio in a process of its own, and requests to it as a program or a hostile page would send them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from command_line import start
from ganvas.studio.config import StudioConfig
from ganvas.studio.server import Protocol, make_app


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class StudioProcess:
    """`ganvas studio RUNS --port 0`."""

    def __init__(self, runs: Path, *options: object) -> None:
        self.runs, self.options = runs, options
        self.start()

    def start(self, port: int = 0) -> None:
        """Starts it and waits for its address."""
        self.process: subprocess.Popen[str] = start(
            "studio", self.runs, "--port", port, "--no-open", *self.options, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            found = re.match(r"open http://(.*):(\d+)/", line)
            if found:
                self.host, self.port = found[1], int(found[2])
                break
        else:
            self._ended()
            raise AssertionError("".join(lines))
        wait(lambda: self._listens(), 20)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """kill -9 of the server alone."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def ask(
        self, method: str, path: str, content: object = None, *, headers: dict[str, str] | None = None, body: bytes | None = None,
        timeout: float = 90,
    ) -> Answer:  # fmt: skip
        """A request as a program sends it; `content` goes as JSON, `body` as it is."""
        sent: dict[str, str] = {}
        if content is not None:
            body = json.dumps(content).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def send_raw(self, content: bytes, seconds: float = 10) -> bytes:
        """What comes back for bytes that need be no request."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(content)
            received = b""
            while True:
                try:
                    block = connection.recv(65536)
                except (TimeoutError, ConnectionResetError):
                    return received
                if not block:
                    return received
                received += block

    def put_file(self, path: str, content: bytes, name: str) -> Answer:
        """An upload."""
        return self.ask("PUT", path, body=content, headers={"Content-Type": "application/octet-stream", "X-Name": name})

    def job(self, number: int) -> dict[str, Any]:
        return self.ask("GET", f"/api/jobs/{number}").json

    def train(self, name: str, steps: int = 3, **options: Any) -> int:
        """Puts a tiny training into the queue; returns its job."""
        request = {
            "method": "gan", "data": "set:digits", "name": name,
            "options": {"preset": "tiny", "steps": steps, "samples": 0, "precision": "fp32", **options},
        }  # fmt: skip
        answer = self.ask("POST", "/api/jobs", {"kind": "train", "request": request})
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def until(self, number: int, *states: str, seconds: float = 90) -> dict[str, Any]:
        """The job, once it is in one of the states."""
        wait(lambda: self.job(number)["state"] in states, seconds)
        return self.job(number)


def wait(true: Callable[[], bool], seconds: float) -> None:
    """Returns when it is true; AssertionError where it is not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def children_of(process: int) -> list[int]:
    """Processes of this user whose command line names a studio's job runner, by the folder of `process`' studio."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"ganvas.studio.runner" in words and os.getpid() != int(entry.name):
            found.append(int(entry.name))
    return found


def runner_of(studio: Path, job: int) -> int | None:
    """The process that runs a job."""
    for number in children_of(0):
        try:
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(studio).encode() in words and str(job).encode() in words:
            return number
    return None


@contextlib.contextmanager
def served_here(runs: Path) -> Iterator[int]:
    """The port of a studio in a thread of this process, so that a test may change its code or look at its objects."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app, _ = make_app(StudioConfig(runs), port)
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
