"""Folders, zips and arrays of sound as data sets."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import example_grid, open_data
from ganvas.data.media import wav_bytes
from ganvas.errors import DataError, UsageError
from ganvas.files import write_bytes


def tone(length: int = 400, height: float = 0.3) -> np.ndarray:
    return (9000 * np.sin(np.arange(length) * height)).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten clips at 8,000 a second, and one stereo clip at 16,000."""
    place = tmp_path / "voices"
    for label, height in (("high", 0.6), ("low", 0.2)):
        for number in range(10):
            write_bytes(place / label / f"{number}.wav", wav_bytes(tone(300 + 10 * number, height), 8000))
    return place


def test_a_folder_of_clips(folder: Path) -> None:
    (folder / "low" / "cover.jpg").write_bytes(b"not looked at")
    (folder / "README.txt").write_text("recorded at home")
    data = open_data(folder, seconds=0.05)
    held = data.part("test")
    assert held is not None and (len(data), len(held)) == (18, 2)
    assert data.spec.kind == "audio" and data.spec.audio.rate == 8000 and data.spec.shape == (1, 1, 400)
    assert data.spec.classes == ("high", "low") and data.spec.class_counts == (9, 9)
    assert data.examples.dtype == np.int16 and data.examples.shape == (18, 400)
    assert not data.examples.flags.writeable
    assert data.labels is not None
    for clip, label in zip(data.examples, data.labels, strict=True):
        length = int(np.flatnonzero(clip)[-1]) + 1
        assert np.array_equal(clip[:length], tone(400, (0.6, 0.2)[label])[:length]), "samples are kept to the bit"
        assert not clip[390:].any(), "the longest has 390 samples; silence fills it up"
    again = open_data(folder, seconds=0.05)
    assert again.fingerprint == data.fingerprint and open_data(folder).fingerprint != data.fingerprint


def test_the_card_says_what_was_done(folder: Path) -> None:
    stereo = np.repeat(tone(1200, 0.1)[:, None], 2, 1)
    clip = wav_bytes(stereo.ravel(), 16000)
    write_bytes(folder / "low" / "stereo.wav", clip[:22] + b"\x02\0" + clip[24:32] + b"\x04\0" + clip[34:])
    data = open_data(folder, holdout=0)
    card = data.card()
    assert card["kind"] == "audio" and card["rate"] == 8000 and card["original_rates"] == {"8000": 20, "16000": 1}
    assert card["converted"] == {"16000 a second": 1, "stereo": 1}
    assert card["duplicates"] == {"within_train": 0} and card["classes"]["train"] == {"high": 10, "low": 11}
    assert card["original_seconds"] == {"min": 0.0375, "median": 0.0437, "max": 0.075}
    assert data.spec.width == 390 and "1 are cut, 18 have silence" in card["length_rule"]  # 95 of 100
    shown = example_grid(data)
    assert shown.shape[0] == 2 * 64 + 2, "a class a row"
    row = next(number for number, clip in enumerate(data.examples) if not np.array_equal(clip[:100], tone(100, 0.6)) and
               not np.array_equal(clip[:100], tone(100, 0.2)))  # fmt: skip
    exact = 9000 * np.sin(np.arange(390) * 0.2)
    assert np.abs(data.examples[row] - exact)[50:300].max() < 10, "both channels' mean at half the rate"


def test_folders_of_splits_and_zips(folder: Path, tmp_path: Path) -> None:
    split = tmp_path / "split"
    for name in ("train", "test"):
        for number in range(4):
            write_bytes(split / name / f"{number}.wav", wav_bytes(tone(200 + number), 8000))
    data = open_data(split)
    assert len(data) == 4 and data.labels is None and len(data.part("test") or ()) == 4
    packed = tmp_path / "voices.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.wav")):
            archive.write(path, path.relative_to(folder).as_posix())
    zipped = open_data(packed, seconds=0.05)
    assert zipped.spec.classes == ("high", "low")
    assert np.array_equal(zipped.examples, open_data(folder, seconds=0.05).examples), "the same clips in the same order"


def test_broken_files_are_listed_together(folder: Path) -> None:
    whole = wav_bytes(tone(), 8000)
    (folder / "low" / "empty.wav").write_bytes(b"")
    (folder / "low" / "short.wav").write_bytes(whole[:300])
    (folder / "high" / "text.wav").write_bytes(b"hello, I am no sound")
    (folder / "high" / "absurd.wav").write_bytes(whole[:24] + b"\xff\xff\xff\xff" + whole[28:])
    os.mkfifo(folder / "high" / "endless.wav")
    with pytest.raises(DataError) as told:
        open_data(folder)
    for words in (
        "5 of 25 clips", "empty.wav: the file is empty", "short.wav: it is cut short", "text.wav: it is no .wav file",
        "absurd.wav: its header says 4294967295", "endless.wav: it is a pipe", "data.skip_broken=true",
    ):  # fmt: skip
        assert words in str(told.value)
    data = open_data(folder, skip_broken=True, holdout=0)
    assert len(data) == 20 and len(data.problems) == 5
    assert data.labels is not None and np.bincount(data.labels).tolist() == [10, 10]


def test_arrays_of_sound(tmp_path: Path) -> None:
    rows = np.stack([tone(300, 0.1 + 0.01 * number) for number in range(20)])
    lengths = np.full(20, 200)
    joined = tmp_path / "joined.npz"
    np.savez(joined, audio=rows[:, :200].ravel(), lengths=lengths, labels=np.arange(20) % 2, rate=11025)
    data = open_data(joined, holdout=0)
    assert data.spec.audio.rate == 11025 and data.examples.shape == (20, 200) and data.spec.classes == ("0", "1")
    assert sorted(map(tuple, data.examples.tolist())) == sorted(map(tuple, rows[:, :200].tolist()))
    table = tmp_path / "table.npz"
    np.savez(table, audio=rows / 32768)
    other = open_data(table, holdout=0)
    assert other.spec.audio.rate == 8000 and "8000 was assumed" in other.facts["rate_from"]
    assert sorted(map(tuple, other.examples.tolist())) == sorted(map(tuple, rows.tolist())), "floats are scaled"
    half = open_data(table, holdout=0, rate=4000)
    assert half.spec.audio.rate == 4000 and half.spec.width == 150 and half.facts["converted"] == {"8000 a second": 20}


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"audio": np.zeros(100, np.int16)}, "there are no `lengths`"),
        ({"audio": np.zeros(100, np.int16), "lengths": np.array([50, 49])}, "lengths sum to 99"),
        ({"audio": np.zeros(100, np.int16), "lengths": np.array([100, 0])}, "above 0"),
        ({"audio": np.zeros((4, 9), np.int32)}, "holds int32"),
        ({"audio": np.full((4, 9), 7.0)}, r"outside \[-1, 1\]"),
        ({"audio": np.full((4, 9), np.nan)}, r"outside \[-1, 1\]"),
        ({"audio": np.zeros((4, 9), np.int16), "labels": np.arange(3)}, "4 labels are needed, one for each clip"),
        ({"audio": np.zeros((4, 9), np.int16), "rate": np.array(-1)}, "rate must be one number"),
        ({"audio": np.zeros((4, 9, 2), np.int16)}, "has shape"),
    ],
)
def test_arrays_that_are_no_sound(tmp_path: Path, arrays: dict, reason: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=reason):
        open_data(tmp_path / "a.npz")


def test_settings_of_the_other_kind_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size is about images, and voices is audio"):
        open_data(folder, size=64)
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="rate is about audio, and a is images"):
        open_data(tmp_path / "a.npz", rate=8000)
    with pytest.raises(DataError, match=r"is 1 clip; training needs two"):
        open_data(folder / "low" / "0.wav")
