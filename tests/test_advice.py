"""Advice can be followed: what messages, hints and help texts name exists, and what an error advises ends that error.

The first half reads every text in the source for commands, options, settings and extras. The second half makes errors, takes the
advice out of the message and follows it. Further advice is tried where it is given: next commands and finished runs in
cli/test_train.py, the doctor's changes in doctor/, batch and image size for the memory in training/test_memory.py, words of other
tools in test_synonyms.py.
"""

from __future__ import annotations

import ast
import functools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer.main

from ganvas.catalog import catalog
from ganvas.cli.main import app, main
from ganvas.data import DataSettings, write_png
from ganvas.settings import settings_of

ROOT = Path(__file__).parent.parent
PLACEHOLDER = "\x00"  # what an f-string puts in
SETTINGS = {one["name"] for facts in catalog().values() for one in facts["settings"]}
DATA_SETTINGS = set(settings_of(DataSettings))
OF_GATYS = {"init", "steps"}  # settings of `ganvas stylise --set`, whose optimisation is no method
OTHER_PROGRAMS = ("pip install", "pip uninstall", "hf download", "torchrun", "tensorboard", "apt", "wandb")
OTHER_OPTIONS = {"--help", "--version", "--install-completion", "--show-completion"}
NO_TEXTS = ("synonyms.py", "old_names.py", "style.py", "launch.py")
"""Files whose strings are words of other tools, names that went, CSS, or a command line of torchrun."""


class Text(NamedTuple):
    """A string of the source, and where it stands."""

    content: str
    place: str


@functools.cache
def texts() -> tuple[Text, ...]:
    """Every string of the package, docstrings too; values of f-strings are placeholders."""
    found: list[Text] = []
    for path in sorted((ROOT / "src" / "ganvas").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                pieces: list[str] = []
                for part in node.values:
                    pieces.append(str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER)
                found.append(Text("".join(pieces), place))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                found.append(Text(node.value, place))
    return tuple(found)


@functools.cache
def options() -> dict[str, set[str]]:
    """The options of each command."""
    group: Any = typer.main.get_command(app)
    known: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        flags: set[str] = set()
        for parameter in command.params:
            flags |= {*parameter.opts, *parameter.secondary_opts}
        known[name] = flags
    return known


def commands_in(text: str) -> Iterator[tuple[str, str]]:
    """(command, what follows it in the same piece of code or sentence)."""
    names = "|".join(options())
    for match in re.finditer(rf"\bganvas ({names})\b([^`\n\"(;]*)", text):
        yield match[1], re.split(r"\. |, (?!such)", match[2])[0]


def test_options_of_commands_in_texts_exist() -> None:
    seen = 0
    for text, place in texts():
        for command, rest in commands_in(text):
            for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest):
                seen += 1
                assert option in options()[command] | OTHER_OPTIONS, f"{place}: ganvas {command} has no {option}"
    assert seen > 30


def test_options_in_messages_exist() -> None:
    """Also where no command stands beside them; those of other programs come with that program's name."""
    every = set().union(*options().values()) | OTHER_OPTIONS
    seen = 0
    for text, place in texts():
        if any(program in text for program in OTHER_PROGRAMS) or any(file in place for file in NO_TEXTS):
            continue
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*(?![\w-]*\x00)", text):
            seen += 1
            assert option in every, f"{place}: no command has {option}"
    assert seen > 200


def test_settings_in_messages_exist() -> None:
    seen = 0
    for text, place in texts():
        if text.startswith("hf ") or "synonyms.py" in place:
            continue
        for name in re.findall(r"--set ([a-z]\w*)=", text):
            seen += 1
            assert name in SETTINGS | DATA_SETTINGS | OF_GATYS, f"{place}: no method has the setting {name}"
        for name in re.findall(r"(?<![\w./])data\.([a-z]\w*)=", text):
            seen += 1
            assert name in DATA_SETTINGS, f"{place}: the data have no setting {name}"
    assert seen > 20


def test_extras_in_messages_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: set[str] = set()
    for text, place in texts():
        for extra in re.findall(r"ganvas\[([a-z]+)\]", text):
            found.add(extra)
            assert extra in project["optional-dependencies"], f"{place}: there is no extra {extra}"
    assert len(found) >= 3


@pytest.mark.parametrize(
    "text",
    ["`ganvas train r3gan --dta X`", "measure with: ganvas evaluate RUN --sampels 5. Or not", "ganvas data --quite"],
)
def test_a_wrong_option_would_be_found(text: str) -> None:
    ((command, rest),) = commands_in(text)
    assert not set(re.findall(r"--[a-z][\w-]*", rest)) & options()[command]


# --- errors, and what they advise ---------------------------------------------------------------------------------------

TRAIN = "--steps 1 --samples 0 --device cpu --precision fp32 --quiet"


@pytest.fixture
def folders() -> None:
    """photos: 24 colour images of 64x48. grey: 24 of 16x16. others: as many. broken: one that is no image among them."""
    random = np.random.default_rng(0)
    for folder, shape in (
        ("photos", (48, 64, 3)),
        ("grey", (16, 16, 1)),
        ("others", (16, 16, 1)),
        ("broken", (16, 16, 1)),
    ):
        for number in range(24):
            write_png(Path(folder) / f"{number}.png", random.integers(0, 256, shape).astype(np.uint8))
    Path("broken/3.png").write_bytes(b"no image")


def end(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(exit code, what was said) of a command line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[1:])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out + shown.err


class Case(NamedTuple):
    """A command that fails, a part of its message, and the command by which a user follows that."""

    fails: str
    advice: str
    follows: str


CASES = (
    Case(
        f"ganvas train pix2pix --preset tiny --data grey {TRAIN}",
        "--set data.pairs=edges",
        f"ganvas train pix2pix --preset tiny --data grey --set data.pairs=edges {TRAIN}",
    ),
    Case(
        f"ganvas train pix2pix --preset tiny --data grey {TRAIN}",
        "--set data.pairs=left_right",
        f"ganvas train pix2pix --preset tiny --data photos --set data.pairs=left_right {TRAIN}",
    ),
    Case(
        f"ganvas train cyclegan --preset tiny --data grey {TRAIN}",
        "--set data.partner=PATH --set data.unpaired=true",
        f"ganvas train cyclegan --preset tiny --data grey --set data.partner=others --set data.unpaired=true {TRAIN}",
    ),
    Case(
        f"ganvas train code_prior --preset tiny --data grey {TRAIN}",
        "(ganvas train vq_vae --data ",
        f"ganvas train vq_vae --data grey --preset tiny --out codes {TRAIN}",
    ),
    Case(
        "ganvas data photos --set data.fit=tile",
        "such as data.size=96",
        "ganvas data photos --set data.fit=tile --set data.size=16",
    ),
    Case(
        f"ganvas train gan --preset tiny --data broken --out run {TRAIN}",
        "data.skip_broken=true",
        f"ganvas train gan --preset tiny --data broken --set data.skip_broken=true --out run {TRAIN}",
    ),
    Case(
        "ganvas sample photos",
        "ganvas train METHOD --data DATA --out RUN makes one",
        f"ganvas train gan --data grey --out nowhere --preset tiny {TRAIN}",
    ),
    Case(
        f"ganvas train gan --preset tiny --data grey --device xpu {TRAIN.replace('--device cpu', '')}",
        "Use --device auto",
        f"ganvas train gan --preset tiny --data grey --device auto {TRAIN.replace('--device cpu', '')}",
    ),
    Case(
        f"ganvas train gan --preset tiny --data grey --precision tf32 {TRAIN.replace('--precision fp32', '')}",
        "Use --precision auto",
        f"ganvas train gan --preset tiny --data grey --precision auto {TRAIN.replace('--precision fp32', '')}",
    ),
    Case(
        f"ganvas train rnn_text --preset tiny --data book.txt --set data.vocabulary=300 {TRAIN}",
        "data.vocabulary is for data.tokens=bytepairs: choose that too",
        f"ganvas train rnn_text --preset tiny --data book.txt --set data.vocabulary=300 --set data.tokens=bytepairs {TRAIN}",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.advice[:40])
def test_following_the_advice_ends_the_error(case: Case, folders: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("book.txt").write_text("the cat sat on a mat. " * 2000, encoding="utf-8")
    code, said = end(case.fails, capsys)
    assert code in (1, 2) and case.advice in said, said
    code, said = end(case.follows, capsys)
    assert code == 0, said


def test_advice_on_a_run_that_is_there(folders: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Continue it, or another place; codes that are missing; a result that is no image."""
    train = "ganvas train vae --preset tiny --data grey --samples 0 --device cpu --precision fp32"
    assert end(f"{train} --steps 1 --out run", capsys)[0] == 0
    code, said = end(f"{train} --steps 2 --out run", capsys)
    assert code in (1, 2) and "Continue it with --resume run, or choose another --out" in said
    assert end("ganvas train --steps 2 --resume run", capsys)[0] == 0
    assert end(f"{train} --steps 2 --out another", capsys)[0] == 0

    code, said = end("ganvas train --resume run --out other", capsys)
    assert code in (1, 2) and "omit --out" in said

    code, said = end("ganvas sample run --grid grid.txt", capsys)
    assert code == 2 and "--grid takes a FILE.png" in said
    assert end("ganvas sample run --n 2 --grid grid.png", capsys)[0] == 0


def test_the_size_that_is_offered_is_taken(folders: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that says which size was chosen names another one."""
    random = np.random.default_rng(0)
    for number in range(24):
        write_png(Path("large") / f"{number}.png", random.integers(0, 256, (300, 600, 3)).astype(np.uint8))
    train = "ganvas train gan --preset tiny --data large --dry-run --steps 1 --samples 0 --device cpu"
    code, said = end(train, capsys)
    offered = re.search(r"Another size: (--set data\.size=)HxW, such as (\d+x\d+)", said)
    assert code == 0 and offered is not None, said
    code, said = end(f"{train} {offered[1]}{offered[2]}", capsys)
    assert code == 0 and f"3x{offered[2]}" in said, said
