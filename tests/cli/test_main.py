"""The entry: help, version, and what a mistake looks like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Command, finish, start
from ganvas import __version__
from ganvas.cli import methods
from ganvas.cli.main import main


def test_help_lists_every_command(ganvas: Command) -> None:
    shown = ganvas("--help")
    assert shown.code == 0
    assert ganvas().out == shown.out
    for command in ("train", "sample", "evaluate", "compare", "methods", "data"):
        assert f"\n  {command} " in shown.out


def test_version(ganvas: Command) -> None:
    assert ganvas("--version") == (0, f"ganvas {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "unknown command trian; did you mean train? (see: ganvas --help)"),
        (["train", "--dta", "x"], "unknown option --dta; did you mean --data? (see: ganvas train --help)"),
        (["train", "--steps", "many"], "invalid value for '--steps': "),
        (["sample"], "missing argument 'RUN' (see: ganvas sample --help)"),
        (["methods", "r3gn"], "unknown method r3gn; did you mean r3gan? (there are: "),
    ],
)
def test_wrong_words_end_with_2_and_one_line(ganvas: Command, words: list[str], message: str) -> None:
    ended = ganvas(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {message}")
    assert ended.err.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(methods, "describe", broken)
    with pytest.raises(ZeroDivisionError):
        main(["methods", "gan"])


def test_ctrl_c_outside_a_training_ends_with_130(ganvas: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(methods, "describe", interrupted)
    assert ganvas("methods", "gan") == (130, "", "")


def test_other_processes_than_the_first_name_themselves(ganvas: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert ganvas("methods", "gann").err.startswith("error (process 1): unknown method gann")


def test_a_reader_that_leaves_is_no_error() -> None:
    process = start("methods")
    assert process.stdout
    process.stdout.close()  # before a line was written
    process.stdout = None
    assert finish(process) == (1, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_told_in_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        ended = finish(start("methods", "--json", stdout=full))
    assert ended.code == 1
    assert ended.err == "error: cannot write the output: No space left on device\n"


def test_methods_lists_all_and_shows_one(ganvas: Command) -> None:
    listed = {row["name"]: row for row in ganvas("methods", "--json").json["methods"]}
    assert {"gan", "dcgan", "r3gan"} <= listed.keys()
    shown = ganvas("methods", "gan")
    assert listed["gan"]["paper"] in shown.out
    assert "Idea: G turns noise into images" in shown.out
    facts = ganvas("methods", "gan", "--json").json
    (z_dim,) = [setting for setting in facts["settings"] if setting["name"] == "z_dim"]
    assert z_dim["default"] == 100 and z_dim["type"] == "int"
    assert {"name": "tiny", "settings": facts["presets"][0]["settings"]}.items() <= facts["presets"][0].items()
    assert facts["presets"][0]["settings"]["batch_size"] == 16
    assert json.dumps(facts["settings"]).count('"help"') == len(facts["settings"])
