"""Videos as data: frames as images, and clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from films import bar, write_film, write_gif, write_sound_only
from ganvas.data import example_grid, open_data
from ganvas.data.video_source import Records
from ganvas.errors import DataError, MissingExtra, UsageError
from parts import held_out, labels_of


def bar_places(images: np.ndarray) -> list[int]:
    """Where the bar begins in each image (N, H, W, C)."""
    return sorted((images[..., 0].mean(axis=1) > 100).argmax(axis=1).tolist())


def test_frames_of_one_file_are_images(tmp_path: Path):
    """24 frames a second, so every 12th is taken; the last tenth of the film is held out, not some of its frames."""
    path = write_film(tmp_path / "a.mp4", bar(240, width=272, step=1), rate=24)
    data = open_data(path)
    assert (data.kind.is_image and data.images.shape == (18, 48, 256, 3)) or data.images.shape[1:3] == (48, 256)
    assert (len(data), len(held_out(data))) == (18, 2)
    assert max(bar_places(data.images)) < min(bar_places(held_out(data).images))
    assert any("every 12., about 2 a second (data.every)" in note for note in data.notes), data.notes
    assert len(open_data(path, every=24, holdout=0)) == 10


def test_equal_frames_are_taken_once(tmp_path: Path):
    """A film that stands still for most of the time."""
    still = np.repeat(bar(3, step=16), 20, axis=0)
    write_film(tmp_path / "f" / "a.mp4", still, rate=10)
    data = open_data(tmp_path / "f", every=2, holdout=0)
    assert 3 <= len(data) <= 5
    assert data.facts["frames_of_videos"]["omitted"] >= 25


def test_a_folder_of_labelled_videos(tmp_path: Path):
    for number in range(12):
        level = 120 if number % 2 else 250
        name = "ab"[number % 2]
        write_film(tmp_path / name / f"{number}.avi", bar(30, step=2, level=level), rate=10)
    data = open_data(tmp_path)
    assert data.spec.classes == ("a", "b") and len(held_out(data)) > 0
    light = data.images.max(axis=(1, 2, 3)) > 200
    assert (light == (labels_of(data) == 0)).all()


def test_animations_are_frames_where_asked(tmp_path: Path):
    for number in range(3):
        write_gif(tmp_path / f"{number}.gif", list(bar(8, step=4)))
    assert len(open_data(tmp_path, holdout=0)) == 3
    assert len(open_data(tmp_path, holdout=0, every=1)) == 24
    assert len(open_data(tmp_path / "0.gif", holdout=0)) == 8


def test_clips_of_animations_and_frames_in_a_zip(tmp_path: Path):
    """As those of a folder."""
    for number in range(3):
        write_gif(tmp_path / "moving" / f"{number}.gif", list(bar(8, step=4)))
    for number, frame in enumerate(bar(21, height=16, width=24, step=1)):
        (tmp_path / "frames" / "walk").mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(tmp_path / "frames" / "walk" / f"{number}.png")
    for name in ("moving", "frames"):
        zipped = Path(shutil.make_archive(str(tmp_path / name), "zip", tmp_path / name))
        folder = open_data(tmp_path / name, frames=4, holdout=0)
        assert folder.spec.kind == "video"
        assert np.array_equal(open_data(zipped, frames=4, holdout=0).examples, folder.examples)
    alone = open_data(tmp_path / "moving.zip", holdout=0)
    assert alone.spec.kind == "images" and alone.facts["animations"] == 3


def test_clips_of_files(tmp_path: Path):
    for number in range(3):
        write_film(tmp_path / f"{number}.mp4", bar(40, height=40, width=40, step=2), rate=10)
    data = open_data(tmp_path, frames=8, every=2, holdout=0)
    assert data.spec.kind == "video" and data.examples.shape == (6, 8, 40, 40, 3)
    assert (data.spec.video.frames, data.spec.video.rate, data.spec.shape) == (8, 5.0, (3, 40, 40))
    moved = np.diff((data.examples[..., 0].mean(axis=2) > 100).argmax(axis=2).astype(int), axis=1)
    assert (np.abs(np.median(moved, axis=1) - 4) <= 1).all()  # two pixels a frame, every second frame
    assert example_grid(data).ndim == 3
    small = open_data(tmp_path, frames=8, size=16, channels=1, holdout=0)
    assert small.examples.shape == (15, 8, 16, 16, 1)
    again = open_data(tmp_path, frames=8, size=16, channels=1, holdout=0)
    assert np.array_equal(again.examples, small.examples) and again.fingerprint == small.fingerprint


def test_different_rates_are_told(tmp_path: Path):
    """Those of NTSC and of films in round numbers are near enough."""
    for rate in (24, 25):
        write_film(tmp_path / f"{rate}.mp4", bar(20), rate=rate)
    alike = open_data(tmp_path, frames=8, holdout=0)
    assert not any("frames a second" in note for note in alike.notes)
    assert any("clips of 8 frames that follow each other" in note for note in alike.notes), alike.notes
    write_film(tmp_path / "10.mp4", bar(20), rate=10)
    mixed = open_data(tmp_path, frames=8, holdout=0)
    assert mixed.spec.video.rate == 24
    assert any("have 10 to 25 frames a second; all clips count as 24" in note for note in mixed.notes), mixed.notes


def test_folders_of_frames_and_arrays(tmp_path: Path):
    film = bar(21, height=16, width=24, step=1)
    for number, frame in enumerate(film):
        (tmp_path / "f" / "walk").mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / "run").mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(tmp_path / "f" / "walk" / f"{number}.png")
        Image.fromarray(frame[:, ::-1]).save(tmp_path / "f" / "run" / f"{number}.png")
    data = open_data(tmp_path / "f", frames=10, holdout=0)
    assert data.examples.shape == (4, 10, 16, 24, 3)
    starts = sorted(bytes(one.tobytes()) for one in data.examples)
    expected = [film[:10], film[10:20], film[:10, :, ::-1], film[10:20, :, ::-1]]  # 10.png comes after 9.png
    assert starts == sorted(one.tobytes() for one in expected)

    np.savez(tmp_path / "a.npz", videos=np.stack([film[:20], film[:20]] * 3)[..., 0], labels=np.arange(6) % 2, rate=5)
    data = open_data(tmp_path / "a.npz", frames=10, holdout=0)
    assert data.examples.shape == (12, 10, 16, 24, 1) and data.spec.video.rate == 5
    assert np.bincount(labels_of(data)).tolist() == [6, 6]
    assert open_data(tmp_path / "a.npz", holdout=0).spec.video.frames == 20


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(2):
        write_film(tmp_path / "short" / f"{number}.mp4", bar(5), rate=10)
    with pytest.raises(DataError, match=r"0\.mp4: too short: 5 frames \(every 1\.\) hold no clip of 16"):
        open_data(tmp_path / "short", frames=16)
    write_sound_only(tmp_path / "short" / "2.avi")
    with pytest.raises(DataError, match=r"2\.avi: it holds sound only"):
        open_data(tmp_path / "short")
    assert len(open_data(tmp_path / "short", skip_broken=True, every=1, holdout=0)) >= 4
    np.savez(tmp_path / "bad.npz", videos=np.zeros((4, 3, 8, 8, 3), np.float32))
    with pytest.raises(DataError, match=r"videos are uint8 .*got float32"):
        open_data(tmp_path / "bad.npz")
    np.savez(tmp_path / "few.npz", videos=np.zeros((4, 3, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"videos of 3 frames hold no clip of data\.frames=9"):
        open_data(tmp_path / "few.npz", frames=9)
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    with pytest.raises(UsageError, match=r"data\.fit=tile cuts photos"):
        open_data(tmp_path / "short", fit="tile", size=8, skip_broken=True)
    (tmp_path / "images").mkdir()
    for number in range(3):
        Image.new("L", (8, 8), number).save(tmp_path / "images" / f"{number}.png")
    with pytest.raises(UsageError, match=r"data\.every is about the frames of videos"):
        open_data(tmp_path / "images", every=2)
    monkeypatch.setattr("ganvas.data.video.suffixes", frozenset)
    with pytest.raises(MissingExtra, match=r'pip install "ganvas\[video\]"'):
        open_data(tmp_path / "short" / "0.mp4")


def test_records_keep_what_was_added():
    records = Records((2, 3))
    for number in range(5):
        records.add(np.full((2, 3), number, np.uint8))
    assert records.read(np.array([4, 0]))[:, 0, 0].tolist() == [4, 0]
