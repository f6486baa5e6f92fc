"""Samples of text on a page: the newest as they are, the first folded away, of bounded size."""

from __future__ import annotations

import re
from pathlib import Path

from ganvas.report.markup import Content, folded, number, tag

SHOWN = 12_000  # characters of the newest sheet
SHOWN_FIRST = 1_500  # of the first one, beside which one sees what was learned
LARGEST_FILE = 16 * 2**20  # bytes on the disk


def sheets_of_text(folder: Path) -> list[Content]:
    """What samples/ holds as STEP.txt; nothing where it holds none."""
    found = sorted((int(path.stem), path) for path in folder.glob("*.txt") if re.fullmatch(r"\d{1,18}", path.stem))
    known = [(step, text) for step, path in found[:1] + found[-1:] if (text := _read(path)) is not None]
    if not known:
        return []
    step, newest = known[-1]
    shown: list[Content] = [tag("h3", f"Step {number(step)}"), _block(newest, SHOWN)]
    first_step, first = known[0]
    if first_step != step:
        shown.append(folded(f"At step {number(first_step)}", _block(first, SHOWN_FIRST)))
    return shown


def _block(text: str, most: int) -> Content:
    cut = "" if len(text) <= most else "\n[...]"
    return tag("pre", _printable(text[:most]) + cut, tabindex=0)


def _printable(text: str) -> str:
    """Without signs that a page cannot show."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def _read(path: Path) -> str | None:
    """None for a file that is not of bounded size: a report must not fail for one sheet."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
