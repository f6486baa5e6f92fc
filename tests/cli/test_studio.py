"""`ganvas studio`: what it refuses, and that it needs its packages."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio's packages are not installed: pip install 'ganvas[studio]'")

from command_line import Command
from studio_server import StudioProcess


def test_mistakes(ganvas: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words, message in (
        (["--port", "70000"], "--port must be from 0 to 65535"),
        (["--data", "nothing"], "nothing does not exist"),
        (["file"], "is a file: name the folder in which the runs are"),
        (["--host", "0.0.0.0"], "give each by --name"),
    ):
        ended = ganvas("studio", *words, "--no-open")
        assert ended.code == 2 and message in ended.err, ended.err


def test_a_taken_port(ganvas: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = ganvas("studio", "--port", taken.getsockname()[1], "--no-open")
    assert ended.code == 2 and "Choose another port: --port 0" in ended.err


def test_missing_packages_are_named() -> None:
    code = (
        "import sys; sys.modules['starlette.applications'] = None; from ganvas.cli.main import main; main(['studio'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "pip install 'ganvas[studio]'" in done.stderr and "Traceback" not in done.stderr


def test_it_starts_soon_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    began = time.monotonic()
    studio = StudioProcess(tmp_path / "runs")
    assert studio.ask("GET", "/").status == 200
    seconds = time.monotonic() - began
    assert studio.stop() == 130
    assert seconds < 15, "2 s on free cores"
