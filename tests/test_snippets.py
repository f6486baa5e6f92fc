"""Every command and every piece of Python in the docs runs, in the order of its page, with budgets cut to a few steps.

Runs that a page speaks of and does not make are made once, by a few steps of the method's preset tiny.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import train_once
from ganvas.cli.main import main
from ganvas.metrics import attributes
from users_files import make_users_files

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOT_RUN = {
    "install.md": "writes the completion of the user's shell: tests/cli/test_completion.py",
    "guides/processes.md": "starts several processes: tests/distributed",
}
RUNS = {  # run folder: method
    "runs/digits": "r3gan", "runs/r3gan-0": "r3gan", "runs/r3gan-1": "r3gan", "runs/dcgan-0": "dcgan", "runs/vae": "vae",
    "runs/infogan": "infogan", "runs/style": "stylegan2",
}  # fmt: skip
PAGES = [
    page.relative_to(DOCS).as_posix()
    for page in sorted(DOCS.rglob("*.md"))
    if page.parent.name != "reference" and BLOCK.search(page.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def tiny_runs(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the runs of RUNS, each made when it is first asked for."""
    return tmp_path_factory.mktemp("tiny_runs")


@pytest.fixture(autouse=True)
def _attributes_as_before() -> Iterator[None]:
    """An attribute that a page registers is unknown again after it."""
    before = dict(attributes.ATTRIBUTES)
    yield
    attributes.ATTRIBUTES.clear()
    attributes.ATTRIBUTES.update(before)


def test_exceptions_are_needed() -> None:
    assert set(NOT_RUN) <= set(PAGES) and len(PAGES) >= 15


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NOT_RUN])
def test_what_a_page_shows_runs(page: str, tiny_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_users_files()
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    bring_runs("\n".join(code for _, code in blocks), tiny_runs)
    for language, code in blocks:
        if language == "python":
            exec(short_python(code), {})
            continue
        for line in code.splitlines():
            words = short_command(line)
            if words:
                with pytest.raises(SystemExit) as end:
                    main(words)
                assert not end.value.code, f"{line}: {capsys.readouterr().err}"


def bring_runs(code: str, tiny_runs: Path) -> None:
    """Copies the runs that a page uses before it makes them."""
    for name, method in RUNS.items():
        used, made = re.search(rf"{name}\b", code), re.search(rf'(--out |out="){name}\b', code)
        if used is None or (made is not None and made.end() <= used.end()):
            continue
        stored = tiny_runs / method
        if not stored.exists():
            train_once(stored, method, Path("digits"), 3)
        shutil.copytree(stored, name)


def short_python(code: str) -> str:
    """With a budget of two steps, in a run folder of its own."""
    code = re.sub(r"minutes=\d+", 'steps=2, samples=50, preset="tiny"', code)
    return re.sub(r'out="runs/\w+"', 'out="runs/python"', code) if "ganvas.train(" in code else code


def short_command(line: str) -> list[str]:
    """The words of a command after `ganvas`, with budgets cut; [] for an empty line."""
    words = shlex.split(line, comments=True)[1:]
    if not words:
        return []
    if words[0] == "train" and "--resume" not in words:
        words = _replaced(words, "--preset", "tiny")
        for budget in ("--minutes", "--images"):
            if budget in words:
                place = words.index(budget)
                del words[place : place + 2]
        words = _replaced(words, "--steps", "2")
        words += ["--samples", "50"]
    if words[0] == "evaluate":
        words += ["--samples", "50"]
    if words[0] == "stylise" and "--run" not in words:
        words += ["--network", "digits", "--set", "steps=2"]  # the other feature networks are not in the package
    return words


def _replaced(words: list[str], option: str, value: str) -> list[str]:
    """With this value for an option, whether it was given or not."""
    if option not in words:
        return [*words, option, value]
    place = words.index(option)
    return [*words[: place + 1], value, *words[place + 2 :]]
