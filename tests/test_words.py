"""The field's words, everywhere that somebody reads: sources, documentation, README, CHANGELOG and the help of every command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganvas.cli.main import COMMAND_MODULES, COMMAND_NAMES, app

ROOT = Path(__file__).resolve().parent.parent
# Word: what to say instead.
INSTEAD = {
    r"step sizes?": "learning rate",
    r"mend(s|ed|ing|able)?": "restore, repair or fix",
    r"spoil(s|t|ed|ing)?": "degrade",
    r"foretell(s|ing)?|foretold": "predict",
    r"lea(ve|ves|ving|ft) (?:[\w`.-]+ ){1,4}away|left away": "omit",
    r"sittings?": "session",
    r"wish(es|ed|ing)?": "config, request",
    r"by heart": "memorised",
    r"the game": "adversarial loss",
    r"eyes": "feature extractor",
    r"judg(e|es|ed|ing|ement|ements|ment|ments)": "discriminator, check",
    r"told of": "conditioned on",
    r"whole numbers?": "integers, codes",
    r"as large": "of the same size",
    r"houses?": "package",
    r"pictures?": "image",
    r"(contact |data |before/after )?sheets?": "grid of images, data card",
    r"painters?|multiply-adds?|in the manner of": "generator, MACs, in the style of",
}
# Where such a word is the right one: (path, the text around it).
ALLOWED = [
    ("src/ganvas/old_names.py", '"'),  # names of older versions
    ("docs/", "judged by a person"),
    ("docs/", "a person's verdict"),
    ("src/ganvas/synonyms.py", "image-grid sheet montage"),  # what a user may type
]
PATTERN = re.compile("|".join(rf"(?:(?<![\w-])(?:{word})(?![\w-]))" for word in INSTEAD), re.IGNORECASE)


def texts() -> list[Path]:
    folders = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")]
    return sorted([*folders, ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"])


def found_in(text: str, where: str) -> Iterator[str]:
    """A line for each forbidden word of a text: where, the word and what to say instead."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in PATTERN.finditer(line):
            if any(where.startswith(path) and around in line for path, around in ALLOWED):
                continue
            better = next(better for word, better in INSTEAD.items() if re.fullmatch(word, match[0], re.IGNORECASE))
            yield f"{where}:{number}: {match[0]!r}, say {better}: {line.strip()[:100]}"


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_texts(path: Path) -> None:
    found = list(found_in(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["", *(COMMAND_NAMES.get(one, one.__name__) for one in COMMAND_MODULES)])
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([*name.split(), "--help"], prog_name="ganvas", standalone_mode=False)
    text = capsys.readouterr().out
    assert f"Usage: ganvas {name}".rstrip() in text
    found = list(found_in(text, f"ganvas {name} --help"))
    assert not found, "\n".join(found)


def test_a_forbidden_word_is_found() -> None:
    line = "the step size that a judge was told of: leave --out away"
    assert [text.split("'")[1] for text in found_in(line, "src/x.py")] == [
        "step size",
        "judge",
        "told of",
        "leave --out away",
    ]
    assert not list(found_in("spoilers, mending_rate, eye, image, wishbone", "src/x.py"))
