"""Writing aside: a file holds the new content or the old, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from ganvas.errors import GanvasError, nearest
from ganvas.files import cache_folder, explained, parse_json, sha256, write_aside, write_bytes, write_text


def test_what_is_written_is_there(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "er" / "a.txt", "ü\n")
    assert (tmp_path / "deep" / "er" / "a.txt").read_bytes() == "ü\n".encode()
    write_bytes(tmp_path / "deep" / "er" / "a.txt", b"new")
    assert (tmp_path / "deep" / "er" / "a.txt").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def half(file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_aside(path, half)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(*names) -> None:
        calls.append("rename")
        replace(*names)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_bytes(tmp_path / "a", b"x")
    assert calls == ["file", "rename", "folder"]


def test_a_new_file_is_as_readable_as_any(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "any").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EACCES, "no permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_errors_of_the_system_are_explained(number: int, words: str) -> None:
    with pytest.raises(GanvasError, match=f"cannot read there: {words}") as caught, explained("there", "read"):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ZeroDivisionError), explained("there"):
        _ = 1 // 0


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(GanvasError, match=r"cannot write .*a/b"):
        write_text(tmp_path / "a" / "b", "x")


def test_sha256(tmp_path: Path) -> None:
    write_bytes(tmp_path / "abc", b"abc")
    assert (
        sha256(tmp_path / "abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        == hashlib.sha256(b"abc").hexdigest()
    )


@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff", "[" * 100_000, b'{"a":' * 100_000])
def test_texts_that_are_no_json(text: str | bytes) -> None:
    """A text that is nested too deeply fails as any other: whoever reads one catches ValueError."""
    with pytest.raises(ValueError):
        parse_json(text)
    assert parse_json('{"a": [1]}') == parse_json(b'{"a": [1]}') == {"a": [1]}


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GANVAS_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("GANVAS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "ganvas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "ganvas"


def test_nearest() -> None:
    assert nearest("dcgna", ["gan", "dcgan", "wgan"]) == "; did you mean dcgan?"
    assert nearest("zzz", ["gan"]) == "" == nearest("x", [])
