"""The one downloader of data and weights: resumed, checked, bounded, from mirrors, by one process at a time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganvas
from ganvas import files
from ganvas.download import TRIES_PER_MIRROR, DownloadError, RemoteFile, download, is_intact, mirrored
from ganvas.errors import GanvasError
from server import Server, serving

CONTENT = bytes(range(256)) * 4000  # a megabyte: more than what a socket holds back
REMOTE = RemoteFile("w.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.contents = {"/one/w.bin": CONTENT, "/two/w.bin": CONTENT}
        yield running


def urls(server: Server) -> list[str]:
    return [f"{server.url}/one/w.bin", f"{server.url}/two/w.bin"]


def test_a_file_is_written_once_and_its_bytes_are_counted(server: Server, tmp_path: Path) -> None:
    heard: list[int] = []
    path = download(REMOTE, urls(server), tmp_path / "new", heard.append)
    assert path == tmp_path / "new" / "w.bin" and path.read_bytes() == CONTENT
    assert heard == sorted(heard) and heard[-1] == len(CONTENT)
    download(REMOTE, urls(server), tmp_path / "new")
    assert len(server.asked) == 1 and not list(path.parent.glob("*.part"))


def test_a_cut_is_resumed_where_it_was(server: Server, tmp_path: Path) -> None:
    server.dies_after = [300_000, 200_000]
    assert download(REMOTE, urls(server), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300000-", "bytes=500000-"]


def test_what_an_ended_process_left_is_resumed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(CONTENT[:1000])
    assert download(REMOTE, urls(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/one/w.bin", "bytes=1000-")]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.contents["/one/w.bin"] = server.contents["/two/w.bin"] = b"x" * len(CONTENT)
    with pytest.raises(DownloadError, match="another SHA-256") as caught:
        download(REMOTE, urls(server), tmp_path)
    assert len(caught.value.failures) == 2 and f"{server.url}/two/w.bin: " in caught.value.failures[1]
    assert [path.name for path in tmp_path.iterdir()] == [".w.bin.lock"]


def test_the_second_mirror_continues_what_the_first_began(server: Server, tmp_path: Path) -> None:
    server.dies_after = [1000] * TRIES_PER_MIRROR
    assert download(REMOTE, urls(server), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/two/w.bin", f"bytes={1000 * TRIES_PER_MIRROR}-")


def test_a_missing_file_sends_to_the_second_mirror(server: Server, tmp_path: Path) -> None:
    del server.contents["/one/w.bin"]
    assert download(REMOTE, urls(server), tmp_path).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(REMOTE, urls(server)[:1], tmp_path / "elsewhere")


def test_what_is_no_url_sends_to_the_next(server: Server, tmp_path: Path) -> None:
    assert download(REMOTE, ["example.com/w.bin", *urls(server)], tmp_path).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match=r"example\.com/w\.bin.*not a URL"):
        download(REMOTE, ["example.com/w.bin"], tmp_path / "elsewhere")


def test_an_endless_answer_is_cut_off(server: Server, tmp_path: Path) -> None:
    server.contents["/one/w.bin"] = CONTENT * 20
    heard: list[int] = []
    with pytest.raises(DownloadError, match="another SHA-256"):
        download(REMOTE, urls(server)[:1], tmp_path, heard.append)
    assert max(heard) == len(CONTENT)


def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"x" * len(CONTENT))
    assert not is_intact(tmp_path / "w.bin", REMOTE)
    assert is_intact(download(REMOTE, urls(server), tmp_path), REMOTE)


def test_without_a_network_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match=r"^http://127\.0\.0\.1:9/w: [^\n]*refused"):
        download(REMOTE, ["http://127.0.0.1:9/w"], tmp_path)
    with pytest.raises(DownloadError, match=r"^$"):
        download(REMOTE, [], tmp_path)


def test_a_full_disk_is_no_fault_of_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync_folder", full)
    with pytest.raises(GanvasError, match="the disk is full") as caught:
        download(REMOTE, urls(server), tmp_path)
    assert not isinstance(caught.value, DownloadError) and len(server.asked) == 1


def test_an_own_mirror_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANVAS_MIRROR", raising=False)
    assert mirrored(REMOTE, "weights", ["http://a/w.bin"]) == ["http://a/w.bin"]
    monkeypatch.setenv("GANVAS_MIRROR", "http://own/")
    assert mirrored(REMOTE, "weights", ["http://a/w.bin"]) == ["http://own/weights/w.bin", "http://a/w.bin"]


def test_of_two_processes_at_once_one_downloads(server: Server, tmp_path: Path) -> None:
    """Both end with the whole file, and the server was asked for it once."""
    code = f"""
from pathlib import Path
from ganvas.download import RemoteFile, download
remote = RemoteFile({REMOTE.name!r}, {REMOTE.size}, {REMOTE.sha256!r})
print(download(remote, {urls(server)!r}, Path({str(tmp_path)!r})).stat().st_size)
"""
    server.delay = 0.5  # seconds in the middle of the file: long enough that the other process asks too
    environment = {"PYTHONPATH": str(Path(ganvas.__file__).parents[1]), "PATH": ""}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert answers == [str(len(CONTENT))] * 2
    assert server.asked == [("/one/w.bin", None)]
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
