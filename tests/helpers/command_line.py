"""A command line, in this process or in one of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ganvas.cli.main import main

SOURCES = Path(__file__).parents[2] / "src"
QUICK = ("--device", "cpu", "--precision", "fp32")


class Ended(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Command = Callable[..., Ended]


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "ganvas", *map(str, words)]
    return subprocess.Popen(command, text=True, env=environment, **pipes)


def finish(process: subprocess.Popen[str]) -> Ended:
    """Waits for it."""
    out, err = process.communicate(timeout=120)
    return Ended(process.returncode, out or "", err or "")


def train_once(folder: Path, method: str, data: Path, steps: int) -> Path:
    """A run of the method's preset `tiny` in this process, without measures."""
    words = ("train", method, "--preset", "tiny", "--data", data, "--steps", steps, "--samples", 0, "--out", folder)
    with pytest.raises(SystemExit) as end:
        main([*map(str, words), *QUICK])
    assert not end.value.code
    return folder
