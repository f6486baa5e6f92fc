"""Uploads: bounded, under names of ours."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data.image import png_bytes
from ganvas.errors import DataError, UsageError
from ganvas.provenance import Provenance
from ganvas.studio import store as module
from ganvas.studio.store import NotHere, Store, safe_name
from studio_server import StudioProcess


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photo.PNG", "photo.PNG"),
        ("cats/tabby 1.jpg", "cats/tabby 1.jpg"),
        ("../../etc/cron.d/x.png", "etc/cron.d/x.png"),
        ("/abs/x.png", "abs/x.png"),
        ("C:\\Users\\me\\x.png", "C_/Users/me/x.png"),
        ("a/b/c/d/e/f.png", "c/d/e/f.png"),
        ("...png.png", "png.png"),
        ("<img onerror=x>.png", "_img onerror_x_.png"),
        ("naïve/日本.png", "naïve/日本.png"),
        ("table.pq", "table.pq"),
        ("shard-000.tar", "shard-000.tar"),
        ("x" * 300 + "/a.png", "x" * 100 + "/a.png"),
    ],
)
def test_names(name: str, kept: str) -> None:
    assert safe_name(name) == kept


@pytest.mark.parametrize("name", ["", "..", "script.sh", "x.pth", "weights.safetensors", "page.html", "noending"])
def test_refused_names(name: str) -> None:
    with pytest.raises(UsageError):
        safe_name(name)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    number = store.new_data("mine")["id"]
    asyncio.run(store.receive(number, "a/x.png", chunks(b"1", b"2")))
    facts = asyncio.run(store.receive(number, "a/x.png", chunks(b"345")))
    assert (facts["files"], facts["bytes"]) == (2, 5)
    files = [path for path in (tmp_path / "data" / number / "files").rglob("*") if path.is_file()]
    assert len(files) == 2, "the same name twice is two files"
    with pytest.raises(DataError, match="empty"):
        asyncio.run(store.receive(number, "y.png", chunks()))
    monkeypatch.setattr(module, "MAX_UPLOAD_BYTES", 3)
    with pytest.raises(UsageError, match="larger than"):
        asyncio.run(store.receive(number, "y.png", chunks(b"12", b"34")))
    assert [path.name for path in (tmp_path / "data" / number / "files").iterdir()] == ["a"], (
        "nothing is left of a refused file"
    )
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(UsageError, match="disk is nearly full"):
        asyncio.run(store.receive(number, "y.png", chunks(b"1")))
    monkeypatch.setattr(module, "MAX_SET_FILES", 2)
    with pytest.raises(UsageError, match="at most 2 files"):
        asyncio.run(store.receive(number, "y.png", chunks(b"1")))
    store.change_data(number, state="complete")
    with pytest.raises(UsageError, match="complete"):
        asyncio.run(store.receive(number, "y.png", chunks(b"1")))
    store.remove_data(number)
    with pytest.raises(NotHere):
        store.data(number)


def png(array: np.ndarray, made: Provenance | None = None) -> bytes:
    return png_bytes(array, made)


def test_an_image_is_decoded_elsewhere_and_written_anew(studio: StudioProcess) -> None:
    made = Provenance("sample", run="first", method="gan", seed=7)
    content = png(np.full((20, 30, 3), 200, np.uint8), made)
    answer = studio.put_file("/api/images", content, "caf%C3%A9.png")
    assert answer.status == 201, answer.body
    facts = answer.json
    assert (facts["name"], facts["height"], facts["width"], facts["made"]["seed"]) == ("café.png", 20, 30, 7)
    kept = studio.ask("GET", f"/api/images/{facts['id']}")
    assert kept.headers["content-type"] == "image/png" and Image.open(io.BytesIO(kept.body)).size == (30, 20)
    assert studio.ask("DELETE", f"/api/images/{facts['id']}").status == 200
    assert studio.ask("GET", f"/api/images/{facts['id']}").status == 404


def test_what_is_no_image_is_refused(studio: StudioProcess) -> None:
    huge = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(huge, "PNG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    whole = png(np.zeros((40, 40, 3), np.uint8))
    for content, name in (
        (b"GIF89a", "a.gif"), (b"<html>", "a.png"), (svg, "a.svg"), (whole[:60], "a.png"), (huge.getvalue(), "huge.png"),
    ):  # fmt: skip
        answer = studio.put_file("/api/images", content, name)
        assert answer.status == 422 and answer.error, (name, answer.body)
        assert "/.studio/" not in answer.error
    assert not list((studio.runs / ".studio").glob(".upload-*"))


def test_a_dropped_zip_becomes_training_data(studio: StudioProcess) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        random = np.random.default_rng(0)
        for number in range(12):
            files.writestr(f"{'ab'[number % 2]}/{number}.png", png(random.integers(0, 255, (16, 16, 1), np.uint8)))
        files.writestr("a/copy.png", png(np.zeros((16, 16, 1), np.uint8)))
    data = studio.ask("POST", "/api/data", {"name": "mine"}).json["id"]
    assert studio.put_file(f"/api/data/{data}/files", archive.getvalue(), "mine.zip").status == 201
    look = studio.ask("POST", "/api/look", {"source": f"data:{data}"})
    assert look.status == 200, look.body
    assert sum(look.json["card"]["counts"].values()) == 13 and set(look.json["card"]["classes"]["train"]) == {"a", "b"}
    assert studio.ask("GET", look.json["grid"]).body[:4] == b"\x89PNG"
    listed = studio.ask("GET", "/api/data").json["data"]
    assert f"data:{data}" in [one["source"] for one in listed] and "set:digits" in [one["source"] for one in listed]

    broken = studio.ask("POST", "/api/data", {"name": "broken"}).json["id"]
    studio.put_file(f"/api/data/{broken}/files", b"PK\x03\x04 no zip", "x.zip")
    answer = studio.ask("POST", "/api/look", {"source": f"data:{broken}"})
    assert answer.status == 422 and str(studio.runs) not in answer.error, answer.body
    for number in (data, broken):
        assert studio.ask("DELETE", f"/api/data/{number}").status == 200
