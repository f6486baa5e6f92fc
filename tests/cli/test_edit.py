"""`ganvas edit`."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import ganvas as library
from command_line import Command, train_once
from ganvas.data import read_image
from ganvas.errors import UsageError
from ganvas.tasks.edit import read_seeds, traverse

FEW = (("editor", "POINTS", 200), ("directions", "POINTS", 200), ("directions", "EFFECT_IMAGES", 16))


@pytest.fixture(autouse=True)
def _few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directions of few samples: what they are worth is a matter of tests/tasks."""
    for module, name, count in FEW:
        monkeypatch.setattr(importlib.import_module(f"ganvas.tasks.{module}"), name, count)


@pytest.fixture(scope="session")
def coded(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of InfoGAN after two steps: a code of three categories and one number."""
    return train_once(tmp_path_factory.mktemp("runs") / "coded", "infogan", two_channels, 2)


def test_a_traversal_is_a_grid(ganvas: Command, coded: Path) -> None:
    ended = ganvas("edit", coded, "--traverse", "--out", "all.png", "--seeds", "3-4", "--values", 5, "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.lines == ["a traversal of category1, continuous1 written to all.png"]
    # Two channels: the first as red, the second as green and blue. 5 columns of 50, 2 blocks of 2 rows of 30.
    grid = read_image(Path("all.png"))
    assert grid.shape == (2 * (2 * 32 - 2) + 6, 5 * 52 - 2, 3)
    np.testing.assert_array_equal(grid, traverse(library.load(coded).method, [3, 4], values=5))


def test_one_code_alone(ganvas: Command, coded: Path) -> None:
    ended = ganvas(
        "edit", coded, "--traverse", "--code", "category1", "--seeds", 2, "--out", "one.png", "--device", "cpu"
    )
    assert ended.code == 0, ended.err
    assert read_image(Path("one.png")).shape == (30, 3 * 52 - 2, 3)


def test_an_interpolation_is_a_strip(ganvas: Command, trained: Path) -> None:
    ended = ganvas("edit", trained, "--interpolate", 3, 8, "--steps", 4, "--out", "strip.png", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.lines == ["4 images from seed 3 to seed 8 written to strip.png"]
    strip = read_image(Path("strip.png"))
    assert strip.shape == (30, 4 * 52 - 2, 3)
    first = library.load(trained).sample(1, seed=3)[0]
    np.testing.assert_array_equal(strip[:, :50], first[..., [0, 1, 1]])


def test_edit_refusals(ganvas: Command, trained: Path, coded: Path) -> None:
    for words, code, message in [
        ([trained, "--out", "a.png"], 2, "nothing to edit: give one of --traverse, --interpolate, --find, --direction"),
        (
            [trained, "--traverse", "--interpolate", 0, 1, "--out", "a.png"],
            2,
            "--traverse and --interpolate are two edits",
        ),
        ([trained, "--traverse"], 2, "--out FILE is missing"),
        ([trained, "--walk", "--out", "a.bmp"], 2, "an animation is a FILE.gif"),
        ([trained, "--walk", "--out", "a.webp", "--keep", "slant"], 2, "--keep needs --direction"),
        ([trained, "--mix", "0", "1", "--out", "a.png"], 2, "--mix needs --layers"),
        ([trained, "--direction", "thickness", "--out", "a.png"], 2, "a direction is NAME=STRENGTH"),
        ([trained, "--reach", "brightness=0", "--out", "a.png"], 2, "reach asks for a change other than 0"),
        ([trained, "--reach", "wobble=1", "--out", "a.png"], 2, "there is no attribute wobble"),
        ([trained, "--direction", "wobble=1", "--out", "a.png"], 2, "there is no direction wobble"),
        ([trained, "--direction", "hue=1", "--out", "a.png"], 2, "hue is measured of colour images"),
        ([trained, "--direction", "brightness=1", "--space", "w", "--out", "a.png"], 2, "gan has no latent space w"),
        ([trained, "--noise", "0=1", "--out", "a.png"], 2, "gan adds no noise to its layers"),
        ([trained, "--arithmetic", "3 - 4 -", "--out", "a.png"], 2, "an operand is missing at the end"),
        (
            [trained, "nothing.png", "--direction", "brightness=1", "--out", "a"],
            1,
            "there are no images at nothing.png",
        ),
        ([trained, "--traverse", "--out", "a.png"], 2, "the latent of gan has no codes"),
        (
            [coded, "--traverse", "--code", "category", "--out", "a.png"],
            2,
            "there is no code category; did you mean category1",
        ),
        ([coded, "--interpolate", -1, 1, "--out", "a.png"], 2, "seeds go from 0 to"),
        ([trained, "--interpolate", 2**64, 1, "--out", "a.png"], 2, "seeds go from 0 to"),
        ([trained, "--interpolate", 0, 2**64, "--out", "a.png"], 2, "seeds go from 0 to"),
        ([coded, "--traverse", "--seeds", 2**64, "--out", "a.png"], 2, "seeds go from 0 to"),
        ([coded, "--traverse", "--out", "a.jpg"], 2, "--out takes a FILE.png (got a.jpg)"),
        ([coded, "--interpolate", 0, 1, "--code", "category1", "--out", "a.png"], 2, "--code needs --traverse"),
        ([coded, "--traverse", "--seeds", "7-0", "--out", "a.png"], 2, "seeds must be increasing"),
        (["nowhere", "--traverse", "--out", "a.png"], 1, "there is no run at nowhere"),
    ]:
        ended = ganvas("edit", *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err
    assert not list(Path().iterdir())


def test_seeds_are_read() -> None:
    assert (list(read_seeds("0-3")), list(read_seeds("5"))) == ([0, 1, 2, 3], [5])
    for text in ("", "a", "-3", "3-", "1-b", "3-1"):
        with pytest.raises(UsageError, match="seeds"):
            read_seeds(text)
