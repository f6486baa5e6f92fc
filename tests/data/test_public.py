"""Public sets, from a server on this machine that can break off, lie, refuse, or know no ranges."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ganvas import download
from ganvas.data import open_data, public
from ganvas.data.public import PublicSet
from ganvas.download import RemoteFile
from ganvas.errors import DataError
from server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def remote(name: str, content: bytes) -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest())


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(
        bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape) + array.tobytes()
    )


@pytest.fixture
def small_mnist(server: Server, monkeypatch: pytest.MonkeyPatch, noise: object) -> dict[str, bytes]:
    """A set `mnist` of 20 + 10 noise images on the server, under two mirrors /one and /two."""
    contents = {
        "train-images-idx3-ubyte.gz": idx(noise(20, 28, 28)),  # pyright: ignore[reportCallIssue]
        "train-labels-idx1-ubyte.gz": idx(np.arange(20, dtype=np.uint8) % 10),
        "t10k-images-idx3-ubyte.gz": idx(noise(10, 28, 28)),  # pyright: ignore[reportCallIssue]
        "t10k-labels-idx1-ubyte.gz": idx(np.arange(10, dtype=np.uint8)),
    }
    files = tuple(remote(name, content) for name, content in contents.items())
    mirrors = (f"{server.url}/one", f"{server.url}/two")
    monkeypatch.setitem(
        public.PUBLIC_SETS, "mnist", dataclasses.replace(public.PUBLIC_SETS["mnist"], files=files, mirrors=mirrors)
    )
    for mirror in ("one", "two"):
        server.contents |= {f"/{mirror}/{name}": content for name, content in contents.items()}
    return contents


IMAGES = "train-images-idx3-ubyte.gz"


def test_downloaded_once(server: Server, small_mnist: dict[str, bytes], own_cache: Path):
    seen = []
    train = open_data("mnist", progress=lambda done, total: seen.append((done, total)))
    assert len(train) == 20 and len(train.part("test")) == 10 and train.spec.classes == tuple("0123456789")  # pyright: ignore[reportArgumentType]
    size = sum(map(len, small_mnist.values()))
    assert (size, size) in seen and seen[-1] == (30, 30)
    assert len(server.asked) == 4
    open_data("mnist")
    open_data("mnist", size=8)
    assert len(server.asked) == 4 and train.name == train.source == "mnist"


def test_goes_on_where_a_server_died(server: Server, small_mnist: dict[str, bytes], own_cache: Path):
    server.dies_after = [5000, 3000]
    open_data("mnist")
    assert server.asked[:3] == [
        (f"/one/{IMAGES}", None),
        (f"/one/{IMAGES}", "bytes=5000-"),
        (f"/one/{IMAGES}", "bytes=8000-"),
    ]


def test_goes_on_with_what_an_earlier_process_left(server: Server, small_mnist: dict[str, bytes], own_cache: Path):
    folder = own_cache / "downloads" / "mnist"
    folder.mkdir(parents=True)
    (folder / f"{IMAGES}.part").write_bytes(small_mnist[IMAGES][:7000])
    open_data("mnist")
    assert server.asked[0] == (f"/one/{IMAGES}", "bytes=7000-")


@pytest.mark.parametrize("left", [b"wrong" * 1000, b"w" * 100_000, b""])
def test_wrong_bytes_that_were_left_are_replaced(
    left: bytes, server: Server, small_mnist: dict[str, bytes], own_cache: Path
):
    folder = own_cache / "downloads" / "mnist"
    folder.mkdir(parents=True)
    (folder / f"{IMAGES}.part").write_bytes(left)
    open_data("mnist")
    assert (folder / IMAGES).read_bytes() == small_mnist[IMAGES]
    assert not any(path.startswith("/two") for path, _ in server.asked)


def test_a_server_without_ranges_starts_again(server: Server, small_mnist: dict[str, bytes]):
    server.ranges, server.dies_after = False, [5000]
    assert len(open_data("mnist")) == 20
    assert [path for path, _ in server.asked[:3]] == [f"/one/{IMAGES}"] * 2 + ["/one/train-labels-idx1-ubyte.gz"]


def test_a_server_that_keeps_dying_is_left_for_the_next(server: Server, small_mnist: dict[str, bytes]):
    server.dies_after = [100] * download.TRIES_PER_MIRROR
    open_data("mnist")
    assert server.asked[download.TRIES_PER_MIRROR] == (
        f"/two/{IMAGES}",
        f"bytes={100 * download.TRIES_PER_MIRROR}-",
    )  # the part is kept


def test_missing_and_wrong_files_send_to_the_second_mirror(
    server: Server, small_mnist: dict[str, bytes], own_cache: Path
):
    del server.contents[f"/one/{IMAGES}"]
    server.contents["/one/train-labels-idx1-ubyte.gz"] = b"x" * len(small_mnist["train-labels-idx1-ubyte.gz"])
    open_data("mnist")
    assert [path for path, _ in server.asked[:4]] == [
        f"/one/{IMAGES}", f"/two/{IMAGES}", "/one/train-labels-idx1-ubyte.gz", "/two/train-labels-idx1-ubyte.gz",
    ]  # fmt: skip


def test_without_a_mirror_that_works_the_message_says_what_to_do(
    server: Server, small_mnist: dict[str, bytes], own_cache: Path
):
    server.contents["/one/t10k-images-idx3-ubyte.gz"] = b"endless" * 100_000
    del server.contents["/two/t10k-images-idx3-ubyte.gz"]
    with pytest.raises(DataError) as caught:
        open_data("mnist")
    message = str(caught.value)
    assert (
        "/one/t10k-images-idx3-ubyte.gz: the file has another SHA-256" in message
        and "/two/t10k-images-idx3-ubyte.gz: HTTP 404" in message
    )
    assert f"put into {own_cache / 'downloads' / 'mnist'}" in message
    assert "t10k-labels-idx1-ubyte.gz (" in message and IMAGES not in message  # only what is still missing
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (own_cache / "downloads" / "mnist" / name).write_bytes(small_mnist[name])
    server.contents.clear()
    assert len(open_data("mnist")) == 20


def test_no_server_at_all(server: Server, small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    gone = dataclasses.replace(public.PUBLIC_SETS["mnist"], mirrors=("http://127.0.0.1:9/x",))
    monkeypatch.setitem(public.PUBLIC_SETS, "mnist", gone)
    with pytest.raises(DataError, match=r"cannot download mnist:\n  http://127\.0\.0\.1:9/x/train-images[^\n]*refused"):
        open_data("mnist")


def test_an_own_mirror_is_asked_first(server: Server, small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GANVAS_MIRROR", f"{server.url}/own/")
    server.contents |= {f"/own/mnist/{name}": content for name, content in small_mnist.items()}
    open_data("mnist")
    assert {path.split("/")[1] for path, _ in server.asked} == {"own"}


def test_cifar_is_read_from_its_binary_archive(server: Server, monkeypatch: pytest.MonkeyPatch, noise: object):
    rows = noise(12, public.CIFAR_ROW)  # pyright: ignore[reportCallIssue]
    rows[:, 0] = np.arange(12) % 10
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number, name in enumerate(["readme.html", *(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
            content = rows[2 * number - 2 : 2 * number].tobytes() if number else b"text"
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    known = public.PUBLIC_SETS["cifar10"]
    name = known.files[0].name
    server.contents[f"/{name}"] = buffer.getvalue()
    monkeypatch.setitem(
        public.PUBLIC_SETS,
        "cifar10",
        dataclasses.replace(known, files=(remote(name, buffer.getvalue()),), mirrors=(server.url,)),
    )
    train = open_data("cifar10")
    assert train.spec.shape == (3, 32, 32) and len(train) == 10 and len(train.part("test")) == 2  # pyright: ignore[reportArgumentType]
    assert train.spec.classes[0] == "airplane" and train.part("test").labels.tolist() in ([0, 1], [1, 0])  # pyright: ignore[reportOptionalMemberAccess]
    planes = {row[1:].reshape(3, 32, 32).transpose(1, 2, 0).tobytes(): row[0] for row in rows}
    assert all(planes[image.tobytes()] == label for image, label in zip(train.images, train.labels, strict=True))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("known", public.PUBLIC_SETS.values(), ids=public.PUBLIC_SETS)
def test_the_table_is_well_formed(known: PublicSet):
    assert len(known.mirrors) >= 2
    for file in known.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 1000
