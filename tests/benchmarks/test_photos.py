"""The photos of benchmarks: read from packages as they are, the large ones reduced, paintings apart."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def resource_file(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """As Qt's rcc writes it, version 1, all files in one folder; True: the content is compressed."""
    names, contents = b"", b""
    tree = struct.pack(">IHII", 0, 2, 1, 1)  # the root: one child, the record after it
    places = []
    for name in ("photos", *files):
        places.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree += struct.pack(">IHII", places[0], 2, len(files), 2)
    for place, (content, compressed) in zip(places[1:], files.values(), strict=True):
        stored = struct.pack(">I", len(content)) + zlib.compress(content) if compressed else content
        tree += struct.pack(">IHHHI", place, int(compressed), 0, 0, len(contents))
        contents += struct.pack(">I", len(stored)) + stored
    header = struct.pack(">4s4I", b"qres", 1, 20, 20 + len(tree), 20 + len(tree) + len(contents))
    return header + tree + contents + names


def image_file(width: int, height: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_resources_are_read() -> None:
    from photos import resources

    files = {"a.txt": (b"plain", False), "b.txt": (b"compressed" * 20, True)}
    found = {Path(name).name: content for name, content in resources(resource_file(files))}
    assert found == {name: content for name, (content, _) in files.items()}
    with pytest.raises(ValueError, match="not a resource file"):
        list(resources(b"PK" + bytes(40)))


def test_photos_and_paintings(tmp_path: Path) -> None:
    from photos import gather

    archive = tmp_path / "packages" / "usr" / "share" / "gcompris-qt" / "rcc" / "details.rcc"
    archive.parent.mkdir(parents=True)
    files = {
        "castle.jpg": image_file(1300, 400),
        "Gogh4_background.jpg": image_file(424, 324),
        "button.jpg": image_file(100, 290),
    }
    archive.write_bytes(resource_file({name: (content, False) for name, content in files.items()}))
    names = gather(tmp_path / "photos", [tmp_path / "packages"], tmp_path / "paintings")
    assert names["train"][-1:] == ["details-castle.png"] and "details-Gogh4_background.png" in names["paintings"]
    for place, size in (
        ("photos/train/details-castle.png", (650, 200)),
        ("paintings/details-Gogh4_background.png", (400, 300)),
    ):
        with Image.open(tmp_path / place) as image:
            assert image.size == size
    assert not list(tmp_path.rglob("*button*")) and "gcompris-qt/rcc/erase.rcc" in names["missing"]
    assert not gather(tmp_path / "again", [tmp_path / "packages"])["paintings"]
