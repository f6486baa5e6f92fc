"""Samples of text in a report: escaped, of bounded size, the newest first."""

from __future__ import annotations

from pathlib import Path

from ganvas.report import write_report
from ganvas.report.texts import NEWEST_CHARACTERS, text_samples
from parts import train_small
from report_parts import Page


def test_a_run_of_text_shows_what_it_wrote(tmp_path: Path) -> None:
    run = train_small("rnn_text", tmp_path / "run", 3)
    (run.folder / "samples" / "00000001.txt").write_text("first try")
    (run.folder / "samples" / "00000009.txt").write_text(
        "<script>alert(1)</script> & more\n\x1b[2J" + "x" * NEWEST_CHARACTERS
    )
    page = Page(write_report(run.folder).read_text()).check()
    assert "first try" in page.text and "<script>alert(1)</script> & more" in page.text
    assert "<script>alert" not in page.raw and "\x1b" not in page.raw
    assert "x [...]" in page.text and "x" * NEWEST_CHARACTERS not in page.text
    assert "tokens" in page.text and len(page.all("pre")) == 2


def test_files_that_are_no_texts_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "00000003.txt").mkdir()
    assert text_samples(tmp_path) == [] and text_samples(tmp_path / "none") == []
    (tmp_path / "00000004.txt").write_bytes(b"\xff\xfe")
    assert len(text_samples(tmp_path)) == 2, "a heading and the text, whatever its bytes are"
