"""HEIC photos through the extra; skipped where it is not installed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import image, open_data, read_image
from ganvas.errors import DataError

BRAND = b"\0\0\0\x18ftypheic\0\0\0\0"


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    (tmp_path / "a.jpg").write_bytes(BRAND)  # iPhones export such files under the name of a JPEG
    with pytest.raises(DataError, match=r'a.jpg: it is a HEIC photo, which pip install "ganvas\[heic\]" reads'):
        read_image(tmp_path / "a.jpg")


def test_heic_photos_are_images_like_others(tmp_path: Path):
    heif = pytest.importorskip("pillow_heif")
    y, x = np.mgrid[:48, :64]
    pixels = np.stack([x * 3, y * 4, 255 - x * 3], -1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(4):
        heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / f"{number}.heic", quality=95)
    heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "turned.heic", quality=95, exif=exif.tobytes())
    assert ".heic" in image.suffixes()
    assert np.abs(read_image(tmp_path / "0.heic").astype(int) - pixels).mean() < 6
    content = (tmp_path / "turned.heic").read_bytes()
    assert image.header(io.BytesIO(content)) == image.decode(io.BytesIO(content)).shape
    data = open_data(tmp_path, size=48, holdout=0)
    assert len(data) == 5 and not any("passed over" in note for note in data.notes)
