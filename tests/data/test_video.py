"""Video files and animations, frame by frame."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from films import bar, write_film, write_gif, write_sound_only
from ganvas.data import video
from ganvas.data.image import Broken


def frames_of(path: Path) -> list[np.ndarray]:
    with open(path, "rb") as file:
        return list(video.frames(file, path.name))


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov"])
def test_frames_come_in_their_order(name: str, tmp_path: Path):
    film = bar(20)
    path = write_film(tmp_path / name, film, rate=25)
    with open(path, "rb") as file:
        head = video.header(file, name)
    assert head[:3] == (48, 64, 25.0) and head.frame_count in (20, None)
    read = frames_of(path)
    assert len(read) == 20 and read[0].shape == (48, 64, 3)
    for number in (0, 7, 19):
        assert np.abs(read[number].astype(int) - film[number]).mean() < 12
        columns = read[number][:, :, 0].mean(axis=0)
        assert abs(int(columns.argmax()) - number - 4) <= 5  # the bar of that frame


def test_an_animation_is_decoded_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    film = bar(6)
    path = write_gif(tmp_path / "a.gif", list(film), milliseconds=50)
    with open(path, "rb") as file:
        assert video.header(file, "a.gif") == (48, 64, 20.0, 6)
    assert np.array_equal(np.stack(frames_of(path))[..., :3], film)


def test_what_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("av")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    for content in (b"x" * 100, playlist, b"ffconcat version 1.0\nfile /etc/hostname\n"):
        with pytest.raises(Broken, match="no video of a kind that is read here"):
            video.header(io.BytesIO(content), "a.mp4")
    write_sound_only(tmp_path / "sound.avi")
    with open(tmp_path / "sound.avi", "rb") as file, pytest.raises(Broken, match="sound only"):
        video.header(file, "sound.avi")
    one = write_gif(tmp_path / "one.gif", [bar(1)[0]])
    with open(one, "rb") as file, pytest.raises(Broken, match="one image, not an animation"):
        video.header(file, "one.gif")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(Broken, match=r'pip install "ganvas\[video\]"'):
        video.header(io.BytesIO(b"x"), "a.mp4")


def test_a_damaged_file_gives_the_frames_before(tmp_path: Path):
    rng = np.random.default_rng(0)
    path = write_film(tmp_path / "a.avi", rng.integers(0, 256, (40, 48, 64, 3), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    read = []
    try:
        with open(path, "rb") as file:
            read.extend(video.frames(file, "a.avi"))
    except Broken:
        pass
    assert 5 < len(read) < 40
