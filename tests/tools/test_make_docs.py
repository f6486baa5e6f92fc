"""docs/reference/ and the lower parts of docs/methods/ are what tools/make_docs.py writes; the upper parts are there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command_line import SOURCES

ROOT = SOURCES.parent
sys.path.insert(0, str(ROOT / "tools"))

import make_docs  # noqa: E402


def test_the_pages_are_not_stale() -> None:
    """As `make check` asks, but in this process."""
    assert make_docs.check(ROOT) == 0


def test_a_stale_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in make_docs.pages().items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert make_docs.check(tmp_path) == 0
    page = tmp_path / "docs/methods/dcgan.md"
    page.write_text(page.read_text().replace("0.0002", "0.0003", 1))
    assert make_docs.check(tmp_path) == 1
    assert capsys.readouterr().err == "stale: docs/methods/dcgan.md. Run: make docs\n"


def test_every_command_method_and_setting_is_there() -> None:
    from ganvas.registry import find, method_names, presets
    from ganvas.settings import settings_of

    gallery, commands = make_docs.gallery_page(), make_docs.cli_page()
    for name in method_names():
        assert f"[{name}]({name}.md)" in gallery
        page = make_docs.method_page(name)
        for word in (*settings_of(find(name)), *presets(name)):
            assert f"| `{word}` |" in page, (name, word)
    for command in ("train", "sample", "evaluate", "compare", "methods", "data"):
        assert f"\n## ganvas {command}\n" in commands


def test_every_method_is_in_one_group_of_the_gallery() -> None:
    from ganvas.registry import method_names

    listed = [name for _, names in make_docs.GROUPS.values() for name in names]
    assert sorted(listed) == sorted([*method_names(), "gatys"])


def test_the_number_of_methods_is_right() -> None:
    count = sum(len(names) for _, names in make_docs.GROUPS.values())
    for page in ("README.md", "docs/index.md"):
        assert f"{count} methods" in (ROOT / page).read_text(encoding="utf-8"), page


def test_the_python_reference_has_every_public_name() -> None:
    import ganvas
    import ganvas.metrics

    page = make_docs.api_page()
    for name in (*ganvas.__all__, *ganvas.metrics.__all__, "traverse", "encode", "restore", "stylise", "diagnose"):
        assert f"\n### {name}\n" in page or name.startswith("_"), name
    assert "```python\nRun.sample(\n" in page and " at 0x" not in page


def test_every_method_has_a_page_in_words_and_an_image() -> None:
    """What no generator writes: the idea, an image that it made, when to use it, what fails."""
    import re

    from ganvas.registry import method_names

    for name in method_names():
        page = ROOT / "docs/methods" / f"{name}.md"
        words = page.read_text(encoding="utf-8").split(make_docs.BELOW)[0]
        assert words.startswith(f"# {name}: ")
        assert "\n## When to use it\n" in words and "\n## What fails\n" in words, name
        images = re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", words)
        assert images and all((page.parent / image).is_file() for image in images), name
