"""The page of a run of videos: the newest film inside, of bounded size."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import write_png
from ganvas.data.animation import write_animation
from ganvas.report import films
from ganvas.report.films import watch


def film(path: Path, frames: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_animation(
        path, np.random.default_rng(0).integers(0, 256, (frames, 12, 20, 1), dtype=np.uint8), [0.1] * frames
    )


def test_the_newest_film_moves_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch(tmp_path) == ""
    film(tmp_path / "00000001.webp", 3)
    film(tmp_path / "00000020.webp", 5)
    page = watch(tmp_path)
    match = re.search(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", page)
    assert match and base64.b64decode(match[1]) == (tmp_path / "00000020.webp").read_bytes()
    assert 'width="20"' in page and 'height="12"' in page and "step 20" in page
    monkeypatch.setattr(films, "MAX_FILM_BYTES", 10)
    assert "<img" not in watch(tmp_path) and "samples/00000020.webp" in watch(tmp_path)
    (tmp_path / "00000021.webp").write_bytes(b"RIFF")
    assert watch(tmp_path) == "", "a damaged file does not stop a report"
    write_png(tmp_path / "x.png", np.zeros((8, 8, 1), np.uint8))
    (tmp_path / "x.png").rename(tmp_path / "00000022.webp")
    assert watch(tmp_path) == ""
