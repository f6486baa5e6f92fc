"""Uploads are looked at in processes of their own: what one of them does there, nobody else notices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import SOURCES
from ganvas.data.image import png_bytes
from ganvas.studio.oom import OOM_SCORE_ADJ
from studio_server import StudioProcess, wait

SCRIPT = """
import os, resource, time
from ganvas.studio import decode

whole = decode.image
kept = []

def image(path, out):
    kept.append(path.name)
    if path.name == "crash":
        os.abort()
    if path.name == "busy":
        while True:
            pass
    if path.name == "sleeps":
        time.sleep(600)
    if path.name == "greedy":
        return {"bytes": len(bytearray(decode.MAX_MEMORY_BYTES))}
    if path.name == "talks":
        return {"words": "x" * (decode.MAX_SAID_BYTES + 1)}
    if path.name == "leaves":
        if os.fork() == 0:
            time.sleep(600)
    if path.name == "files":
        links = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd") if int(one) > 2]
        return {"files": [os.readlink(one) for one in links if os.path.lexists(one)]}
    if path.name in ("plain", "leaves"):
        return {"kept": kept, "process": os.getpid(), "limits": resource.getrlimit(resource.RLIMIT_AS)}
    return whole(path, out)

decode.MAX_CPU_SECONDS = 1
decode.image = image
decode.main()
"""


class Asked:
    """The process that forks, with the script above."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            env={**os.environ, "PYTHONPATH": str(SOURCES), "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        self.number = 0

    def send(self, name: str, **more: Any) -> int:
        self.number += 1
        assert self.process.stdin is not None
        asked = {"id": self.number, "path": name, "out": "/nowhere/out.png"} | more
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        return self.number

    def answer(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        content = b""
        while not content.endswith(b"\n"):
            content += self.process.stdout.read(1)
        answer = json.loads(content)
        return answer["id"], answer["said"]

    def facts(self, name: str) -> Any:
        assert self.send(name) == self.number
        number, said = self.answer()
        assert number == self.number
        return json.loads(said) if said else None


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    started = Asked()
    yield started
    assert started.process.stdin is not None and started.process.stdout is not None
    started.process.stdin.close()
    assert started.process.wait(10) == 0, "it ends when nobody asks any more"
    started.process.stdout.close()


@pytest.mark.parametrize("name", ["crash", "busy", "talks"])
def test_what_goes_wrong_is_that_uploads_affair(asked: Asked, name: str) -> None:
    assert asked.facts(name) is None
    assert asked.facts("plain")["kept"] == ["warm.png", "plain"], "nothing is left of the one before"


def test_limits(asked: Asked) -> None:
    first, second = asked.facts("plain"), asked.facts("plain")
    assert first["process"] != second["process"] and first["limits"] == [6 * 2**30, 6 * 2**30]
    assert "more memory" in asked.facts("greedy")["error"]
    assert Path(f"/proc/{asked.process.pid}/oom_score_adj").read_text().strip() == OOM_SCORE_ADJ
    assert len(list(Path(f"/proc/{asked.process.pid}/task").iterdir())) == 1, "a fork copies one thread only"


def test_an_upload_does_not_wait_for_another_one_and_can_be_cancelled(asked: Asked) -> None:
    slow = asked.send("sleeps")
    assert asked.facts("plain")
    handles = asked.facts("files")["files"]
    assert len(handles) == 1 and handles[0].startswith("pipe:"), "of the others it has nothing"
    asked.send("", cancel=slow)
    assert asked.answer() == (slow, "")
    process = asked.facts("leaves")["process"]
    wait(lambda: not group_of(process), 5)


def group_of(process: int) -> list[str]:
    """Processes of a session that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == process and fields[0] != "Z":
            found.append(path.parent.name)
    return found


def decoder_of(studio: StudioProcess) -> int:
    """The process of a studio's uploads."""
    for path in Path(f"/proc/{studio.process.pid}/task").glob("*/children"):
        for child in path.read_text().split():
            if b"ganvas.studio.decode" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise AssertionError("it does not run")


def test_a_killed_decoder_is_started_again(studio: StudioProcess) -> None:
    content = png_bytes(np.zeros((9, 9, 3), np.uint8))
    assert studio.put_file("/api/images", content, "a.png").status == 201
    began = time.monotonic()
    assert studio.put_file("/api/images", content, "a.png").status == 201
    assert time.monotonic() - began < 2, "Python is not started anew for it"
    first = decoder_of(studio)
    os.kill(first, signal.SIGKILL)
    assert studio.put_file("/api/images", content, "a.png").status == 201
    assert decoder_of(studio) != first
