"""What `ganvas.train` shows: a bar on a terminal, a card in a notebook, nothing elsewhere or where it is quiet."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from ganvas import progress
from parts import data_for, train_small


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FakeDisplay(types.ModuleType):
    """IPython.display, as far as it is used: a page, and a handle that replaces it."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.pages: list[str] = []

    def HTML(self, page: str) -> str:
        return page

    def display(self, page: str, *, display_id: bool) -> FakeDisplay:
        assert display_id
        self.pages.append(page)
        return self

    def update(self, page: str) -> None:
        self.pages.append(page)


def in_notebook(monkeypatch: pytest.MonkeyPatch, shell: Any) -> FakeDisplay:
    """As if this process were the kernel of a notebook."""
    ipython, display = types.ModuleType("IPython"), FakeDisplay()
    ipython.get_ipython = lambda: shell  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return display


def test_a_notebook_shows_a_card_that_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    display = in_notebook(monkeypatch, types.SimpleNamespace(kernel=object()))
    train_small("gan", tmp_path / "run", 3)
    first, last = display.pages[0], display.pages[-1]
    assert "gan on " in first and 'value="0.000"' in first
    assert 'value="1.000"' in last and "step 3" in last and "generator" in last
    assert last.count('src="data:image/png;base64,') == 1
    before = len(display.pages)
    train_small("gan", tmp_path / "second", 3, quiet=True)
    assert len(display.pages) == before


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    in_notebook(monkeypatch, types.SimpleNamespace())
    assert progress.notebook_display() is None
    in_notebook(monkeypatch, None)
    assert progress.notebook_display() is None


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    train_small("gan", tmp_path / "run", 3)
    shown = terminal.getvalue()
    assert "gan on " in shown and "100%" in shown and "step 3" in shown


def test_elsewhere_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_small("gan", tmp_path / "run", 2)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
    assert type(progress.make_progress()) is progress.Progress


def test_the_terminal_is_given_back_after_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    closed: list[progress.Bar] = []
    close = progress.Bar.close
    monkeypatch.setattr(progress.Bar, "close", lambda self: (closed.append(self), close(self)))

    class Broken(progress.Callback):
        def logged(self, trainer: Any, row: Any) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_small("gan", tmp_path / "run", 3, data_for("gan"), callbacks=[Broken()])
    assert len(closed) == 1 and not closed[0].bars.live.is_started
