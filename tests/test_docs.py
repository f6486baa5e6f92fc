"""The documentation: links lead somewhere, and the site builds without a warning. Its commands and code: test_snippets.py."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REPOSITORY = "https://github.com/ganvas/ganvas/blob/main/"


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Targets of Markdown links and images, without their anchors."""
    return [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def pages_in(nav: list[Any]) -> Iterator[str]:
    """Every page of the site's navigation."""
    for entry in nav:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from pages_in(value)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = []
    for target in links(page.read_text(encoding="utf-8")):
        if target.startswith(REPOSITORY):
            place = ROOT / target.removeprefix(REPOSITORY)
        elif target.startswith(("https://", "http://")) or not target:
            continue
        else:
            place = page.parent / target
            assert place.resolve().is_relative_to(DOCS), f"{target} is not part of the site: link to {REPOSITORY}..."
        if not place.exists():
            missing.append(target)
    assert not missing


def test_every_page_is_in_the_navigation_once() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = list(pages_in(site["project"]["nav"]))
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="zensical is not installed")
def test_the_site_builds_and_asks_nobody_else(tmp_path: Path) -> None:
    """Strictly, so a broken link or anchor fails; no page loads anything from another host."""
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) >= len(PAGES)
    for page in built:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\s>]*", text)
        loaded += [tag for tag in re.findall(r"<link\b[^>]*>", text) if re.search(r"href=[\"']?(?:https?:)?//", tag)]
        assert not loaded, page.name


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 10_000


def test_the_tree_of_the_architecture_is_short() -> None:
    (tree,) = code_blocks((DOCS / "architecture.md").read_text(encoding="utf-8"), "text")
    assert len(tree.splitlines()) <= 60


# Folders that the architecture has and the code not yet; empty this set when they are there.
def test_the_tree_of_the_architecture_names_what_exists() -> None:
    (tree,) = code_blocks((DOCS / "architecture.md").read_text(encoding="utf-8"), "text")
    parents: list[str] = []
    missing = set()
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        place = "".join([*parents[:depth], name])
        parents[depth:] = [name]
        if not (ROOT / place).exists():
            missing.add(place)
    assert not missing


def test_the_citation_names_the_version() -> None:
    from ganvas.version import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation and "cff-version: 1.2.0" in citation
