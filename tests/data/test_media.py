"""Samples as files: bytes that any other program reads."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import torch

from ganvas.data import DataSpec, read_image
from ganvas.data.media import finished, image_grid, tile_size, wav_bytes, write_each, write_joined, write_npz
from ganvas.data.spec import AudioFacts, TextFacts
from ganvas.data.spectrogram import spectrogram

SOUND = DataSpec("tones", 1, 1, 800, 4, kind="audio", audio=AudioFacts(8000))
TEXT = DataSpec("words", 1, 1, 1, 100, kind="text", text=TextFacts(("a", "bc", "\n")))
IMAGES = DataSpec("dots", 1, 2, 3, 4)


def test_each_kind_in_its_final_form() -> None:
    assert finished(torch.tensor([[[-1.0, 0.0, 1.0, 2.0]]]), SOUND).tolist() == [[-32767, 0, 32767, 32767]]
    assert finished(torch.tensor([[0, 1, 2], [1, 1, 0]]), TEXT) == ["abc\n", "bcbca"]
    assert finished(torch.tensor([[[[-1.0, 1.0, 0.0]]]]), IMAGES).tolist() == [[[[0], [255], [128]]]]


def test_a_wav_is_read_back_by_others() -> None:
    clip = np.array([0, 1, -2, 32767, -32768], np.int16)
    with wave.open(io.BytesIO(wav_bytes(clip, 8000))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == clip.tolist()


def test_a_tone_is_a_line_at_its_height() -> None:
    """1,000 Hz of 4,000 is a quarter of the way up; half as loud is 6 dB of 60 darker."""
    tone = 16384 * np.sin(2 * np.pi * 1000 / 8000 * np.arange(2048))
    image = spectrogram(tone.astype(np.int16))[:, 10, 0]
    assert len(image) == 64 and abs(int(image.argmax()) - 48) <= 1
    assert abs(int(image.max()) - round(255 * (1 - 6 / 60))) <= 4
    assert spectrogram(np.zeros(10, np.int16)).max() == 0


def test_files_are_named_by_seed(tmp_path: Path) -> None:
    write_each(tmp_path, finished(torch.zeros(2, 1, 800), SOUND), 5, SOUND)
    write_each(tmp_path, ["abc", "\n"], 7, TEXT)
    write_each(tmp_path, np.zeros((1, 2, 3, 1), np.uint8), 9, IMAGES)
    names = ["seed000005.wav", "seed000006.wav", "seed000007.txt", "seed000008.txt", "seed000009.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "seed000007.txt").read_text() == "abc"
    assert read_image(tmp_path / "seed000009.png").shape == (2, 3, 1)
    write_npz(tmp_path / "a.npz", finished(torch.zeros(2, 1, 800), SOUND), SOUND)
    with np.load(tmp_path / "a.npz") as kept:
        assert kept["audio"].shape == (2, 800) and kept["audio"].dtype == np.int16 and kept["rate"] == 8000


def test_an_example_to_hear_and_to_read(tmp_path: Path) -> None:
    clips = np.ones((3, 800), np.int16)
    write_joined(tmp_path / "00000001", clips, SOUND)
    with wave.open(str(tmp_path / "00000001.wav")) as file:
        assert file.getnframes() == 3 * (800 + 2000)  # a quarter of a second of silence after each
    write_joined(tmp_path / "00000001", ["one", "two"], TEXT)
    assert (tmp_path / "00000001.txt").read_text().split() == ["one", "-" * 40, "two"]
    seen = image_grid(clips, SOUND)
    assert seen is not None and seen.shape[2] == 1 and image_grid(["one"], TEXT) is None
    height, width = tile_size(SOUND)
    assert seen.shape[:2] == (2 * height + 2, 2 * width + 2) and tile_size(IMAGES) == (2, 3)
