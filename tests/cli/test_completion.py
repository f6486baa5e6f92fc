"""What Tab offers, asked as the shells ask; and the script for bash, in a bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import SOURCES, Command
from ganvas.cli import completion

FAST = 0.5  # seconds of CPU


Offered = Callable[..., list[str]]


@pytest.fixture
def offered(ganvas: Command, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """`offered(line)`: the words that are offered for the last one of a command line, which may be empty."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        if shell == "fish":
            asked = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        with monkeypatch.context() as patched:
            for name, value in {"_GANVAS_COMPLETE": f"complete_{shell}", **asked}.items():
                patched.setenv(name, value)
            ended = ganvas()
        assert not ended.err, ended.err
        return [word for word in ended.lines if word]

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ganvas eva", ["evaluate"]),
        ("ganvas train r3", ["r3gan"]),
        ("ganvas methods pix", ["pixelcnn", "pix2pix"]),
        ("ganvas train r3gan --preset ", ["tiny", "cpu", "paper", "emoji"]),
        ("ganvas train dcgan --set be", ["beta1=", "beta2="]),
        ("ganvas train infogan --set categ", ["categorical=", "categorical_weight="]),
        ("ganvas train gan --set categ", []),
        ("ganvas train srgan --preset ti", ["tiny"]),
        ("ganvas train --set wid", ["width="]),  # mgan's, the default
        ("ganvas train --set data.mi", ["data.mirror="]),
        ("ganvas data digits --set fi", ["fit="]),
        ("ganvas train --data emo", ["emoji", "emoji:twitter"]),
        ("ganvas train --precision b", ["bf16"]),
        ("ganvas sample runs/x --device mp", ["mps"]),
    ],
)
def test_words(offered: Offered, line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_values_of_a_setting_with_choices(offered: Offered) -> None:
    assert offered("ganvas train r3gan --set augment=d", shell="fish") == ["augment=diffaugment"]


def test_runs_and_what_sampling_reads(offered: Offered, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "runs" / "first")
    (tmp_path / "photos").mkdir()
    assert offered("ganvas sample ") == ["runs/first"]
    assert offered("ganvas doctor ru") == ["runs/"]
    assert offered("ganvas train --resume runs/f") == ["runs/first"]
    settings = tmp_path / "runs/first/settings.json"
    settings.write_text(settings.read_text().replace('"method": "gan"', '"method": "rnn_text"'))
    assert offered("ganvas sample runs/first --set te") == ["temperature="]
    assert offered("ganvas sample runs/first --set lr") == []
    settings.write_text("{")  # damaged: it is offered no longer, and nothing fails
    assert offered("ganvas sample ") == []


def test_it_is_fast_and_imports_no_torch() -> None:
    code = (
        "import sys\nfrom ganvas.cli.main import main\ntry: main([])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'PIL', 'safetensors') if name in sys.modules])"
    )
    for line in ("ganvas train r3", "ganvas train --set da", "ganvas train --data di"):
        environment = {
            **os.environ, "PYTHONPATH": str(SOURCES), "_GANVAS_COMPLETE": "complete_bash", "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }  # fmt: skip
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        after = os.times()
        assert done.stdout.splitlines()[-1] == "[]"
        assert after.children_user + after.children_system - before.children_user - before.children_system < 2 * FAST


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_works_in_bash(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "ganvas"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ganvas "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 ganvas --show-completion bash)"\n'
        "COMP_WORDS=(ganvas train r3)\nCOMP_CWORD=2\n_ganvas_completion ganvas\necho ${COMPREPLY[@]}\n"
    )
    path = f"{command.parent}:{os.defpath}:{os.environ['PATH']}"  # the script calls env: the system's, whatever comes before it
    environment = {"PATH": path, "PYTHONPATH": str(SOURCES), "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "r3gan\n", done.stderr


def test_folders_that_cannot_be_read_offer_nothing() -> None:
    assert completion.paths("nowhere/x") == [] and completion.runs("nowhere/") == []
