"""`ganvas sample`: files of images and animations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas as library
from command_line import QUICK, Command
from ganvas.data import read_image
from ganvas.data.animation import write_animation
from ganvas.errors import UsageError


@pytest.fixture(scope="session")
def drawn(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a method that generates in three steps, with a learning rate by which each of them shows; tests only read it."""
    from ganvas.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "drawn"
    words = (
        "train", "gran", "--preset", "tiny", "--set", "steps=3", "--set", "lr=0.1", "--data", two_channels, "--steps", 2,
    )  # fmt: skip
    with pytest.raises(SystemExit) as end:
        main([*map(str, words), "--samples", "0", "--out", str(folder), *QUICK])
    assert not end.value.code
    return folder


def test_png_files_are_named_by_seed(ganvas: Command, trained: Path) -> None:
    ended = ganvas("sample", trained, "--n", 3, "--seed", 41, "--device", "cpu")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in Path("samples-first").iterdir()) == [
        "seed000041.png", "seed000042.png", "seed000043.png",
    ]  # fmt: skip
    image = library.load(trained).sample(1, seed=42)[0]
    # Two channels: the first as red, the second as green and blue.
    np.testing.assert_array_equal(read_image(Path("samples-first/seed000042.png")), image[..., [0, 1, 1]])


def test_an_npz_holds_the_bytes_and_a_grid_shows_them(ganvas: Command, trained: Path) -> None:
    ended = ganvas("sample", trained, "-n", 5, "--out", "new/five.npz", "--grid", "grid.png", "--device", "cpu")
    assert ended.code == 0, ended.err
    images = np.load("new/five.npz")["images"]
    assert (images.shape, images.dtype) == ((5, 30, 50, 2), np.uint8)
    np.testing.assert_array_equal(images, library.load(trained).sample(5))
    grid = read_image(Path("grid.png"))
    assert grid.shape == (2 * 30 + 2, 3 * 50 + 2 * 2, 3)
    np.testing.assert_array_equal(grid[:30, :50, 0], images[0, ..., 0])
    assert sorted(path.name for path in Path().iterdir()) == ["grid.png", "new"]


def test_raw_weights_give_other_images(ganvas: Command, trained: Path) -> None:
    for name, words in (("average.npz", []), ("raw.npz", ["--raw"])):
        assert ganvas("sample", trained, "-n", 2, "--out", name, "--device", "cpu", *words).code == 0
    assert not np.array_equal(np.load("average.npz")["images"], np.load("raw.npz")["images"])


def test_sample_refusals(ganvas: Command, trained: Path) -> None:
    for words, code, message in [
        (["nowhere"], 1, "there is no run at nowhere"),
        ([trained, "-n", 0], 2, "a sample needs n >= 1 (got n=0)"),
        ([trained, "--seed", -1], 2, "seeds go from 0 to"),
        ([trained, "--out", "one.png"], 2, "--out takes a folder or a FILE.npz (got one.png)"),
        ([trained, "--grid", "grid.jpg"], 2, "--grid takes a FILE.png (got grid.jpg)"),
        ([trained, "--best"], 1, f"{trained}/best/weights.safetensors is missing"),
        ([trained, "--device", "tpu"], 2, "device must be auto"),
    ]:
        ended = ganvas("sample", *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_a_grid_is_drawn_step_by_step(ganvas: Command, drawn: Path, suffix: str) -> None:
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


def test_the_last_frame_is_the_grid(ganvas: Command, drawn: Path) -> None:
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
        ([drawn, "--animate", "d.avi"], 2, "an animation is a FILE.gif, .png, .apng, .webp, .mp4 (got d.avi)"),
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
