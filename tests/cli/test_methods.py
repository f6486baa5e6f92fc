"""`ganvas methods`, and how fast the command line answers."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

from command_line import SOURCES, Command
from ganvas.catalog import PURPOSES, catalog

COMMANDS = (
    "train", "sample", "edit", "invert", "encode", "decode", "translate", "restore", "stylise", "evaluate", "compare", "methods",
    "doctor", "data",
)  # fmt: skip
HEAVY = ("torch", "numpy", "PIL", "scipy", "safetensors")
NOTHING = (
    "import rich.console, rich.table, typer\ntyper.run(lambda: None)"  # the least that a command with a table does
)
FAST = 2.5  # CPU time of a command over that


def test_methods_are_grouped_by_what_they_are_for(ganvas: Command) -> None:
    shown = ganvas("methods")
    assert shown.code == 0
    assert shown.lines[0] == "Start with mgan, the default:   ganvas train --data FOLDER"
    positions = [shown.lines.index(purpose) for purpose in PURPOSES]
    assert positions == sorted(positions)
    # Each method is described once, under its first purpose.
    for name in catalog():
        assert sum(line.startswith(f"  {name} ") for line in shown.lines) == 1, name
    images = shown.lines[positions[0] + 1]
    assert images.startswith("  mgan          several generators and a classifier")
    assert shown.lines[positions[1] + 1] == "  cgan"
    assert shown.lines[positions[1] + 2].startswith("  with --set conditional=true: mgan, dcgan, r3gan, ")


@pytest.mark.parametrize("words", [(), ("r3gan",), ("code_prior",)])
def test_piped_it_has_80_columns(ganvas: Command, words: tuple[str, ...]) -> None:
    shown = ganvas("methods", *words)
    # An indented line is quoted from a docstring, such as a formula or a table.
    assert not [line for line in shown.lines if len(line) > 80 and not line.startswith("  ")]


def test_every_method_is_for_something() -> None:
    for facts in catalog().values():
        assert any(fits(dict(facts)) for fits in PURPOSES.values()), facts["name"]


def test_json_says_what_it_takes_and_can(ganvas: Command) -> None:
    listed = ganvas("methods", "--json").json
    assert listed["start"] == "mgan"
    rows = {row["name"]: row for row in listed["methods"]}
    assert rows["wavenet"]["takes"] == ["audio"] and "HasLikelihood" in rows["wavenet"]["abilities"]
    assert (
        rows["cgan"]["classes"] == "yes"
        and rows["gan"]["classes"] == "no"
        and rows["r3gan"]["classes"] == "conditional"
    )
    assert rows["vq_vae"]["for"] == ["Compress or encode images"]
    assert "paper" in rows["r3gan"]["presets"] and "arXiv:2501.05441" in rows["r3gan"]["paper"]


@functools.cache
def seconds_of_nothing() -> float:
    return min(processor_seconds([sys.executable, "-c", NOTHING]) for _ in range(3))


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("methods",), ("methods", "r3gan"), ("methods", "--json")]
)
def test_the_command_line_answers_fast(words: tuple[str, ...]) -> None:
    """CPU time against that of a program that does nothing, the best of three each: importing torch takes several times that."""
    command = [sys.executable, "-m", "ganvas", *words]
    assert any(processor_seconds(command) < FAST * seconds_of_nothing() for _ in range(3))


def processor_seconds(command: list[str]) -> float:
    """Other work on the machine does not count."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(SOURCES)})
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_help_imports_nothing_heavy() -> None:
    """All commands in one process: what one of them imports stays, and the first that has it is the one."""
    code = f"""
import sys
from ganvas.cli.main import main
for command in {COMMANDS}:
    try: main([command, '--help'])
    except SystemExit as end: assert not end.code, command
    print('imported:', command, [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SOURCES)},
    )  # fmt: skip
    imported = [line for line in done.stdout.splitlines() if line.startswith("imported: ")]
    assert imported == [f"imported: {command} []" for command in COMMANDS]
    assert "--resume" in done.stdout
