"""Samples of text on a page, of bounded size: the newest, and the first ones folded."""

from __future__ import annotations

from pathlib import Path

from ganvas.report.images import files_by_step
from ganvas.report.markup import Content, folded, number, tag

NEWEST_CHARACTERS = 12_000  # characters of the newest samples
FIRST_CHARACTERS = 1_500  # of the first ones, which show what was learned since
MAX_SAMPLES_BYTES = 16 * 2**20  # bytes on the disk


def text_samples(folder: Path) -> list[Content]:
    """The newest and the first of samples/STEP.txt; [] where there are none."""
    files = files_by_step(folder, ".txt")
    samples: list[tuple[int, str]] = []
    for step, path in files[:1] + files[-1:]:
        text = _read(path)
        if text is not None:
            samples.append((step, text))
    if not samples:
        return []
    step, newest = samples[-1]
    content: list[Content] = [tag("h3", f"Step {number(step)}"), _block(newest, NEWEST_CHARACTERS)]
    first_step, first = samples[0]
    if first_step != step:
        content.append(folded(f"At step {number(first_step)}", _block(first, FIRST_CHARACTERS)))
    return content


def _block(text: str, most: int) -> Content:
    cut = "" if len(text) <= most else "\n[...]"
    return tag("pre", _printable(text[:most]) + cut, tabindex=0)


def _printable(text: str) -> str:
    """Without characters that a page cannot show."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def _read(path: Path) -> str | None:
    """None for a file that is not of bounded size: a report must not fail for one file."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_SAMPLES_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
