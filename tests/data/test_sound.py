"""Sound that is no .wav: through soundfile where it is installed, and a message that names the extra where it is not."""

from __future__ import annotations

import io
import sys
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
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(Broken, match=r'does not start as one.*pip install "ganvas\[audio\]"'):
        sound.header(io.BytesIO(b"fLaC" + bytes(100)))


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_other_sound_files(suffix: str, tmp_path: Path):
    """FLAC to the bit; of the others, what soundfile itself decodes, which is near the tone."""
    soundfile = pytest.importorskip("soundfile")
    if suffix.upper() not in soundfile.available_formats():
        pytest.skip(f"this libsndfile has no {suffix}")
    rate = 16000
    for number in range(4):
        soundfile.write(
            tmp_path / f"{number}.{suffix}", np.stack([tone(8000, 0.1 + 0.05 * number)] * (1 + number % 2), 1), rate
        )
    data = open_data(tmp_path, seconds=0.25, holdout=0)
    assert data.spec.audio.rate == rate and data.examples.shape == (4, 4000)
    assert data.card()["converted"] == {suffix.upper(): 4, "stereo": 2}
    decoded = []
    for number in range(4):
        samples = soundfile.read(tmp_path / f"{number}.{suffix}", dtype="float64", always_2d=True)[0][:4000].mean(1)
        decoded.append(np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16))
    for one in decoded:
        assert np.abs(data.examples.astype(int) - one).max(1).min() <= 1  # a clip is it, but for one rounding
    error = np.abs(decoded[0].astype(int) - tone(8000)[:4000])[500:-500].max()
    assert error == 0 if suffix == "flac" else error < 900
    (tmp_path / f"x.{suffix}").write_bytes(b"no sound")
    assert [name for name, _ in open_data(tmp_path, skip_broken=True).problems] == [f"x.{suffix}"]
