"""Every piece of advice can be followed: commands and options parse, settings and methods exist."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
from typing import Any

import pytest
import typer.main

import ganvas
from ganvas.catalog import catalog
from ganvas.cli.main import app, main
from ganvas.data import DataSettings
from ganvas.errors import UsageError
from ganvas.run import Run
from ganvas.settings import settings_of
from ganvas.synonyms import COMMAND_SYNONYMS, METHOD_SYNONYMS, OPTION_SYNONYMS, SETTING_SYNONYMS, argument_advice, meant

SETTING_NAMES = {one["name"] for facts in catalog().values() for one in facts["settings"]}
DATA_NAMES = {f"data.{name}" for name in settings_of(DataSettings)}
FIRST = {"train": ["r3gan"], "sample": ["RUN"], "evaluate": ["RUN"]}  # what comes before an option


def advised(text: str) -> list[list[str]]:
    """The words of each piece of code in a text."""
    return [shlex.split(code) for code in re.findall(r"`([^`]+)`", text)]


@functools.cache
def group() -> Any:
    """The whole command line, which takes a tenth of a second to build."""
    return typer.main.get_command(app)


def parse(command: str, words: list[str]) -> None:
    group().commands[command].make_context(command, list(words))
    for position, word in enumerate(words):
        if word == "--set":
            name = words[position + 1].partition("=")[0]
            assert name in SETTING_NAMES | DATA_NAMES, name


def follow(code: list[str], command: str = "") -> None:
    """Parses a command line, an option of `command`, or a name of Python."""
    if code[0] == "ganvas":
        if not code[1].startswith("--"):
            parse(code[1], code[2:])
        return
    if code[0].startswith("--"):
        parse(command, [*FIRST[command], *code])
        return
    owner, _, name = code[0].partition("(")[0].partition(".")
    assert hasattr({"run": Run, "ganvas": ganvas}[owner], name), code


def test_the_table_is_large() -> None:
    assert len(COMMAND_SYNONYMS) + len(OPTION_SYNONYMS["train"]) + len(SETTING_SYNONYMS) + len(METHOD_SYNONYMS) > 500


@pytest.mark.parametrize("advice", sorted(set(COMMAND_SYNONYMS.values())))
def test_advice_for_commands(advice: str) -> None:
    assert advised(advice) or "run folder" in advice
    for code in advised(advice):
        follow(code)


@pytest.mark.parametrize("command", ["train", "sample", "evaluate"])
def test_advice_for_options(command: str) -> None:
    for advice in set(OPTION_SYNONYMS[command].values()) | set(OPTION_SYNONYMS[""].values()):
        for code in advised(advice):
            if advice not in OPTION_SYNONYMS[""].values():
                follow(code, command)


def test_words_are_not_names_of_ours() -> None:
    """A synonym must never hide a command, an option or a setting that exists."""
    assert not set(COMMAND_SYNONYMS) & set(group().commands)
    for command, table in OPTION_SYNONYMS.items():
        if command:
            flags = [flag for parameter in group().commands[command].params for flag in parameter.opts]
            known = {flag.lstrip("-") for flag in flags if flag.startswith("-")}
            assert not set(table) & known, command
    assert not set(METHOD_SYNONYMS) & set(catalog())


def test_settings_and_methods_exist() -> None:
    assert set(SETTING_SYNONYMS.values()) <= SETTING_NAMES | DATA_NAMES
    assert set(METHOD_SYNONYMS.values()) <= set(catalog())


def test_python_advice_names_arguments_of_train() -> None:
    names = list(inspect.signature(ganvas.train).parameters)
    for word in OPTION_SYNONYMS["train"]:
        advice = argument_advice(word.replace("-", "_"), names)
        found = re.match(r"; use (\w+)=(.*)$", advice)
        if found:
            assert found[1] in names, advice
            if found[1].endswith("settings"):
                (name,) = eval(found[2])
                assert name in SETTING_NAMES | {known.removeprefix("data.") for known in DATA_NAMES}
    assert argument_advice("lr", names) == '; use settings={"lr": 0.001}'
    assert argument_advice("img_size", names) == '; use data_settings={"size": 64}'
    assert argument_advice("outdir", names) == '; use out="RUN"'
    assert argument_advice("gpus", names) == "; it is an option of the command line only: --nproc 2"


def test_synonyms_come_before_near_names() -> None:
    assert meant("learning_rate", ["lr", "learning"], SETTING_SYNONYMS) == "; did you mean lr?"
    assert meant("nz", ["beta1"], SETTING_SYNONYMS) == ""  # z_dim is not a setting of this method
    assert meant("betta1", ["beta1"], SETTING_SYNONYMS) == "; did you mean beta1?"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--lr", 1], "unknown option --lr; use `--set lr=0.001` (see: ganvas train --help)"),
        (["train", "--epochs", 9], "unknown option --epochs; use `--images 50000`, the images drawn (epochs times"),
        (["train", "--batch_size", 9], "unknown option --batch_size; use `--set batch_size=32`"),
        (["train", "--penalty-every", 4], "unknown option --penalty-every; use `--set penalty_every=VALUE`"),
        (["train", "--fit", "pad"], "unknown option --fit; use `--set data.fit=VALUE`"),
        (["sample", "--seeds", "1-4"], "unknown option --seeds; use `--seed 0 --n 64`"),
        (["generate"], "unknown command generate; use `ganvas sample RUN` (see: ganvas --help)"),
        (["save"], "unknown command save; a run folder is whole"),
        (["info"], "unknown command info; use `ganvas methods NAME` for a method"),
        (["train", "ddpm", "--data", "digits"], "unknown method ddpm; did you mean flow_matching?"),
        (["methods", "diffusion"], "unknown method diffusion; did you mean flow_matching?"),
        (
            ["train", "gan", "--data", "digits", "--set", "learning_rate=1"],
            "unknown setting learning_rate; did you mean lr? (",
        ),
        (["train", "gan", "--data", "digits", "--set", "img_size=32"], "unknown setting img_size; did you mean data.size?"),
        (["train", "--data", "digits", "--set", "data.resolution=9"], "unknown setting data.resolution; did you mean data.size?"),
    ],
)  # fmt: skip
def test_messages(capsys: pytest.CaptureFixture[str], words: list[object], message: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lr", r'train has no argument lr; use settings=\{"lr": 0.001\}'),
        ("stpes", r"train has no argument stpes; did you mean steps\?"),
        ("penalty_every", r'; use settings=\{"penalty_every": ...\}'),
        ("fit", r'; use data_settings=\{"fit": ...\}'),
        ("model", '; use method="mgan"'),
    ],
)
def test_a_wrong_argument_of_train_names_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ganvas.train(**{name: 1})  # pyright: ignore
