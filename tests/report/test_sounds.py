"""The page of a run of sound: a player with the newest samples inside, spectrograms, nothing about copies of images."""

from __future__ import annotations

import base64
import io
import re
import wave
from pathlib import Path

import numpy as np
import pytest

from ganvas.data.media import wav_bytes
from ganvas.report import sounds, write_report
from ganvas.report.sounds import listen
from parts import train_small


def heard(page: str) -> np.ndarray:
    """The samples in the page's one player."""
    (content,) = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    with wave.open(io.BytesIO(base64.b64decode(content))) as file:
        return np.frombuffer(file.readframes(10**9), "<i2")


def test_the_newest_example_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listen(tmp_path) == ""
    for step in (3, 20, 100):
        (tmp_path / f"{step:08d}.wav").write_bytes(wav_bytes(np.full(500, step, np.int16), 8000))
    (tmp_path / "other.wav").write_bytes(b"not one of ours")
    page = listen(tmp_path)
    assert heard(page).tolist() == [100] * 500 and "step 100" in page and " controls" in page
    monkeypatch.setattr(sounds, "MAX_SOUND_BYTES", 300)
    assert heard(listen(tmp_path)).tolist() == [100] * 150
    (tmp_path / "00000200.wav").write_bytes(b"RIFF, cut short")
    assert listen(tmp_path) == "", "a damaged file does not stop a report"


def test_a_run_of_sound_has_a_page(tmp_path: Path) -> None:
    run = train_small("wavenet", tmp_path / "run", 3)
    assert sorted(path.name for path in (run.folder / "samples").iterdir()) == ["00000003.png", "00000003.wav"]
    page = write_report(run.folder).read_text()
    assert len(heard(page)) == 16 * (200 + 2000)
    assert "media-src data:" in page and "48 clips seen" in page and 'id="copies"' not in page
    assert "Clips per second" in page and "Clips of each class" in page
