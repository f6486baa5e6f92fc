"""`ganvas sample RUN --animate FILE`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import QUICK, Command
from PIL import Image

from ganvas.data.animation import write_animation
from ganvas.errors import UsageError


@pytest.fixture(scope="session")
def drawn(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a method that generates in three steps; tests only read it."""
    from ganvas.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "drawn"
    words = ("train", "gran", "--preset", "tiny", "--set", "steps=3", "--data", two_channels, "--steps", 2)
    with pytest.raises(SystemExit) as end:
        main([*map(str, words), "--samples", "0", "--out", str(folder), *QUICK])
    assert not end.value.code
    return folder


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_a_sheet_is_drawn_step_by_step(ganvas: Command, drawn: Path, suffix: str) -> None:
    place = Path(f"drawing{suffix}")
    ended = ganvas("sample", drawn, "-n", 5, "--animate", place, "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.out == f"a grid of 5 images in 3 steps written to drawing{suffix}\n"
    with Image.open(place) as animation:
        assert (animation.n_frames, animation.size) == (3, (3 * 50 + 2 * 2, 2 * 30 + 2))  # pyright: ignore[reportAttributeAccessIssue]
        assert animation.info.get("loop") == 0
        frames = []
        for number in range(3):
            animation.seek(number)
            animation.load()
            frames.append((animation.info["duration"], np.asarray(animation.convert("RGB"))))
    assert [duration for duration, _ in frames] == [500, 500, 2000]
    assert not np.array_equal(frames[0][1], frames[1][1])


def test_the_last_frame_is_the_sheet(ganvas: Command, drawn: Path) -> None:
    ended = ganvas(
        "sample", drawn, "-n", 4, "--seed", 9, "--animate", "new/d.png", "--grid", "s.png", "--device", "cpu"
    )
    assert ended.code == 0, ended.err
    with Image.open("new/d.png") as animation:
        animation.seek(2)
        last = np.asarray(animation.convert("RGB"))
    np.testing.assert_array_equal(last, np.asarray(Image.open("s.png").convert("RGB")))
    assert sorted(path.name for path in Path().iterdir()) == ["new", "s.png"]


def test_refusals(ganvas: Command, drawn: Path, trained: Path) -> None:
    for words, code, message in [
        ([drawn, "--animate", "d.mp4"], 2, "an animation is a FILE.gif, .png, .apng, .webp (got d.mp4)"),
        ([trained, "--animate", "d.gif"], 1, "gan generates images in one step, so there is nothing to animate"),
        ([drawn, "--animate", "d.gif", "-n", 0], 2, "a sample needs n >= 1"),
        ([drawn, "--animate", "d.gif", "--label", "1"], 2, "this gran was trained without classes"),
    ]:
        ended = ganvas("sample", *words, "--device", "cpu")
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_channels_move(tmp_path: Path, channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 7, channels)).astype(np.uint8)
    write_animation(tmp_path / "a.png", frames, [0.1, 0.2])
    with Image.open(tmp_path / "a.png") as animation:
        assert animation.n_frames == 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UsageError, match="an animation is a FILE"):
        write_animation(tmp_path / "a.bmp", frames, [0.1, 0.2])
