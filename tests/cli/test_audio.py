"""The commands on sound: a folder of .wav files, from the data card to clips by class."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

import ganvas as library
from command_line import Command
from ganvas.data import read_image
from ganvas.data.media import wav_bytes
from parts import train_small


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on sound that is conditioned on classes."""
    from parts import small

    method = small("wavenet").with_settings({"conditional": True})
    return train_small(method, tmp_path_factory.mktemp("runs") / "spoken", 3).folder


def voices(place: Path) -> Path:
    for label in ("no", "yes"):
        for number in range(12):
            clip = (8000 * np.sin(np.arange(300 + number) * (0.2 if label == "no" else 0.5))).astype(np.int16)
            (place / label).mkdir(parents=True, exist_ok=True)
            (place / label / f"{number}.wav").write_bytes(wav_bytes(clip, 8000))
    return place


def test_data_shows_clips(ganvas: Command, tmp_path: Path) -> None:
    folder = voices(tmp_path / "voices")
    ended = ganvas("data", folder, "--out", "grid.png")
    assert ended.code == 0, ended.err
    for words in (
        "clips         22 train, 2 test",
        "8000 samples a second",
        "converted     nothing",
        "yes        11      1",
    ):
        assert " ".join(words.split()) in " ".join(ended.out.split()), ended.out
    assert "fit=" not in ended.out and "rate=None" in ended.out
    assert read_image(Path("grid.png")).shape[0] == 2 * 64 + 2
    told = ganvas("data", folder, "--json", "--set", "seconds=0.02", "--set", "rate=4000")
    card = json.loads(told.out)
    assert card["kind"] == "audio" and card["shape"] == [1, 1, 80] and card["converted"] == {"8000 a second": 24}
    (folder / "no" / "cut.wav").write_bytes((folder / "no" / "0.wav").read_bytes()[:100])
    refused = ganvas("data", folder)
    assert refused.code == 1 and "1 of 25 clips" in refused.err and "no/cut.wav: it is cut short" in refused.err


def test_clips_of_one_class(ganvas: Command, spoken: Path) -> None:
    ended = ganvas("sample", spoken, "--label", "1", "-n", 3, "--out", "said", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert "3 clips written to said/ (seed000000.wav ...)" in ended.out
    expected = library.load(spoken).sample(3, label=1)
    for seed in range(3):
        with wave.open(f"said/seed{seed:06d}.wav") as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            assert np.array_equal(np.frombuffer(file.readframes(10**6), "<i2"), expected[seed])
    kept = ganvas("sample", spoken, "-n", 2, "--out", "two.npz", "--grid", "two.png", "--device", "cpu")
    assert kept.code == 0 and np.load("two.npz")["audio"].shape == (2, 200)
    wrong = ganvas("sample", spoken, "--label", "7", "--device", "cpu")
    assert wrong.code == 2 and "there is no class 7" in wrong.err


def test_likelihood_of_other_clips(ganvas: Command, spoken: Path, tmp_path: Path) -> None:
    """Of the run's own data, and of a folder, which comes to the run's rate and length."""
    ended = ganvas("evaluate", spoken, "--json", "--device", "cpu")
    found = json.loads(ended.out)["metrics"]["bits_per_sample"]
    assert found["bound_or_exact"] == "exact" and found["n"] == 4 and "mu-law" in found["note"]
    for label in ("zero", "one", "two"):
        (tmp_path / "other" / label).mkdir(parents=True)
        for number in range(6):
            clip = np.random.default_rng(number).normal(0, 900, 700).astype(np.int16)
            (tmp_path / "other" / label / f"{number}.wav").write_bytes(wav_bytes(clip, 16000))
    other = ganvas("evaluate", spoken, "--data", tmp_path / "other", "--json", "--device", "cpu")
    assert other.code == 0, other.err
    assert json.loads(other.out)["metrics"]["bits_per_sample"]["value"] > found["value"]
