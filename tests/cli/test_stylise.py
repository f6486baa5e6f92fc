"""`ganvas stylise` by the real command, with the digit network of the package."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import QUICK, Command, finish, start
from ganvas.data import read_image, write_png
from ganvas.data.mosaic import mosaic
from ganvas.networks.features.digits import digit_network_card

FAST = ("--network", "digits", "--device", "cpu", "--precision", "fp32", "--set", "steps=4", "--set", "levels=2")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of 44 x 36 with alpha."""
    rows, columns = np.mgrid[0:36, 0:44]
    image = np.stack([columns * 5, rows * 6, 255 - columns * 5, np.full_like(rows, 200)], 2).astype(np.uint8)
    write_png(tmp_path / "photo.png", image)
    return tmp_path / "photo.png"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    write_png(tmp_path / "painting.png", mosaic(40, cells=20))
    return tmp_path / "painting.png"


def test_a_painting_and_a_video(ganvas: Command, photo: Path, painting: Path) -> None:
    done = ganvas("stylise", photo, "--style", painting, "--out", "out.png", "--video", "out.gif", "--json", *FAST)
    assert done.code == 0, done.err
    told = done.json
    assert told["network"] == "digits" and told["sha256"] == digit_network_card()["sha256"]
    assert (
        told["steps"] == 10 and not told["stopped"] and set(told["losses"]) == {"loss", "content", "style", "variation"}
    )
    made, original = read_image("out.png"), read_image(photo)
    assert made.shape == (36, 44, 4) and np.array_equal(made[..., 3], original[..., 3])
    assert np.abs(made[..., :3].astype(int) - original[..., :3]).mean() > 3
    with Image.open("out.gif") as video:
        assert video.n_frames > 3 and video.size == (44, 36)  # pyright: ignore[reportAttributeAccessIssue]
    assert "progress 100.0%" in done.err


def test_two_styles_masks_and_colour(ganvas: Command, photo: Path, painting: Path) -> None:
    left = np.zeros((36, 44, 1), np.uint8)
    left[:, :22] = 255
    write_png("left.png", left)
    done = ganvas(
        "stylise", photo, "--style", painting, "--mask", "left.png", "--preserve-colour", "--out", "half.png", *FAST
    )  # fmt: skip
    assert done.code == 0, done.err
    made, original = read_image("half.png"), read_image(photo)
    assert np.array_equal(made[:, 22:], original[:, 22:]) and not np.array_equal(made[:, :22], original[:, :22])
    both = ganvas(
        "stylise", photo, "--style", painting, "--style", photo, "--weights", "0.7,0.3", "--out", "both.jpg", *FAST
    )  # fmt: skip
    assert both.code == 2 and "JPEG holds no alpha" in both.err
    assert (
        ganvas(
            "stylise", photo, "--style", painting, "--style", photo, "--weights", "0.7,0.3", "--out", "both.png", *FAST
        ).code
        == 0
    )


def test_ctrl_c_writes_the_image_so_far(photo: Path, painting: Path, tmp_path: Path) -> None:
    words = [word if word != "steps=4" else "steps=100000" for word in FAST]
    process = start("stylise", photo, "--style", painting, "--out", tmp_path / "cut.png", *words)
    assert process.stderr is not None
    assert "progress" in process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130 and "stopped, written" in ended.out, ended
    assert read_image(tmp_path / "cut.png").shape == (36, 44, 4)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--out", "o.png"), 2, "--style is missing"),
        (("--style", "no.png", "--out", "o.png"), 1, "cannot read the image no.png"),
        (("--style", "painting.png", "--out", "o.bmp"), 2, "images are written as"),
        (("--style", "painting.png", "--out", "o.png", "--video", "v.avi"), 2, "an animation is a FILE"),
        (("--style", "painting.png", "--out", "o.png", "--weights", "1,x"), 2, "--weights takes numbers"),
        (("--style", "painting.png", "--out", "o.png", "--network", "vgg61"), 2, "did you mean vgg"),
        (("--style", "painting.png", "--out", "o.png", "--set", "bata=3"), 2, "did you mean beta"),
        (("--style", "painting.png", "--out", "o.png", "--minutes", "0", "--network", "digits"), 2, "minutes must be"),
        (("--style", "dot.png", "--out", "o.png", "--network", "digits"), 1, "16 pixels a side"),
        (("--run", "nowhere", "--out", "o.png"), 1, "there is no run at nowhere"),
        (("--run", "nowhere", "--out", "o.png", "--video", "v.gif"), 2, "--video is for the optimisation"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    ganvas: Command, photo: Path, painting: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    write_png("dot.png", np.zeros((1, 1, 3), np.uint8))
    done = ganvas("stylise", photo, *words)
    assert (done.code, done.out) == (code, "") and told in done.err, done
    assert not Path("o.png").exists()


def test_a_trained_run_paints_in_one_pass(ganvas: Command, photo: Path, painting: Path, image_folder: Path) -> None:
    common = (
        "--preset",
        "tiny",
        "--data",
        image_folder,
        "--set",
        "data.size=24",
        "--set",
        "batch_size=4",
        "--steps",
        3,
        "--samples",
        0,
        *QUICK,
    )
    trained = ganvas("train", "fast_style", "--set", f"style={painting}", "--out", "fast", *common)
    assert trained.code == 0, trained.err
    done = ganvas("stylise", photo, "--run", "fast", "--out", "fast.png", "--json")
    assert done.code == 0 and done.json["method"] == "fast_style", done.err
    made, original = read_image("fast.png"), read_image(photo)
    assert made.shape == original.shape and np.array_equal(made[..., 3], original[..., 3])
    painting.unlink()  # a trained painter needs it no more
    assert ganvas("stylise", photo, "--run", "fast", "--out", "again.png").code == 0
    refused = ganvas("stylise", photo, "--style", photo, "--run", "fast", "--out", "no.png")
    assert refused.code == 2 and "knows one painting" in refused.err


def test_nothing_that_is_read_is_overwritten(ganvas: Command, photo: Path, painting: Path) -> None:
    before = photo.read_bytes(), painting.read_bytes()
    for out, more, message in (
        (photo, (), "choose another --out"),
        (painting, (), "choose another --out"),
        ("two.webp", ("--video", "two.webp"), "choose another --video"),
    ):
        done = ganvas("stylise", photo, "--style", painting, "--out", out, *more, *FAST)
        assert done.code == 2 and message in done.err, done.err
    assert (photo.read_bytes(), painting.read_bytes()) == before and not Path("two.webp").exists()
