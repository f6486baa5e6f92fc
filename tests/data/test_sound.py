"""Sound that is no .wav: through soundfile where it is installed, and a message that names the extra where it is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data, sound
from ganvas.data.image import Broken
from ganvas.data.kinds.audio import wav_bytes


def tone(length: int, height: float = 0.1) -> np.ndarray:
    return (9000 * np.sin(np.arange(length) * height)).astype(np.int16)


def test_wav_needs_nothing_else():
    file = io.BytesIO(wav_bytes(tone(100), 8000))
    assert sound.header(file).frames == 100
    clip, changes = sound.read(file, 8000, 60)
    assert np.array_equal(clip, tone(100)[:60]) and changes == ()


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(Broken, match=r'does not start as one.*pip install "ganvas\[audio\]"'):
        sound.header(io.BytesIO(b"fLaC" + bytes(100)))


@pytest.mark.parametrize(("suffix", "most"), [("flac", 0), ("ogg", 900), ("mp3", 900)])
def test_other_sound_files(suffix: str, most: int, tmp_path: Path):
    """FLAC to the bit; the others within their loss."""
    soundfile = pytest.importorskip("soundfile")
    if suffix.upper() not in soundfile.available_formats():
        pytest.skip(f"this libsndfile has no {suffix}")
    rate = 16000
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.{suffix}", np.stack([tone(8000)] * (1 + number % 2), 1), rate)
    data = open_data(tmp_path, seconds=0.25, holdout=0)
    assert data.spec.audio.rate == rate and data.examples.shape == (4, 4000)
    card = data.card()
    assert card["converted"] == {suffix.upper(): 4, "stereo": 2}
    wanted = tone(8000)[:4000].astype(int)
    for clip in data.examples:
        assert np.abs(clip.astype(int) - wanted)[200:-200].max() <= most
    (tmp_path / f"x.{suffix}").write_bytes(b"no sound")
    assert [name for name, _ in open_data(tmp_path, skip_broken=True).problems] == [f"x.{suffix}"]
