"""`ganvas sample`, `evaluate`, `compare` and `data`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Command

import ganvas as library
from ganvas.data import read_image


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
    ended = ganvas("sample", trained, "-n", 5, "--out", "new/five.npz", "--grid", "sheet.png", "--device", "cpu")
    assert ended.code == 0, ended.err
    images = np.load("new/five.npz")["images"]
    assert (images.shape, images.dtype) == ((5, 30, 50, 2), np.uint8)
    np.testing.assert_array_equal(images, library.load(trained).sample(5))
    sheet = read_image(Path("sheet.png"))
    assert sheet.shape == (2 * 30 + 2, 3 * 50 + 2 * 2, 3)
    np.testing.assert_array_equal(sheet[:30, :50, 0], images[0, ..., 0])
    assert sorted(path.name for path in Path().iterdir()) == ["new", "sheet.png"]


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
        ([trained, "--grid", "sheet.jpg"], 2, "--grid takes a FILE.png (got sheet.jpg)"),
        ([trained, "--best"], 1, f"{trained}/best/weights.safetensors is missing"),
        ([trained, "--device", "tpu"], 2, "device must be auto"),
    ]:
        ended = ganvas("sample", *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err
    assert not list(Path().iterdir())


def test_evaluate_gives_the_figures_and_keeps_them(ganvas: Command, trained: Path) -> None:
    shutil.copytree(trained, "mine")
    shutil.copytree(trained, "other")
    found = ganvas("evaluate", "mine", "--samples", 40, "--json", "--device", "cpu")
    assert found.code == 0, found.err
    assert found.json.keys() == {"run", "data", "n", "metrics"}
    assert (found.json["run"], found.json["n"]) == ("mine", 40)
    for name in ("coverage", "precision", "recall", "density", "modes", "copies"):
        assert found.json["metrics"][name].keys() >= {"value", "reference", "n"}
    kept = json.loads(Path("mine/metrics.json").read_text())
    assert (kept["step"], kept["metrics"]) == (6, found.json["metrics"])
    shown = ganvas("evaluate", "other", "--samples", 40, "--device", "cpu")
    assert "n     40" in shown.lines
    assert any(re.fullmatch(r"coverage \S+ \(reference \S+, n \d+\)", line) for line in shown.lines)

    page = ganvas("compare", "mine", "other", "--out", "page.html", "--json")
    assert page.code == 0, page.err
    assert len(page.json["groups"]) == 1  # the same settings
    assert "<html" in Path("page.html").read_text()
    assert "2 runs compared in page.html" in ganvas("compare", "mine", "other", "--out", "page.html").lines


def test_anybody_s_images_are_measured(ganvas: Command, trained: Path, two_channels: Path) -> None:
    ganvas("sample", trained, "-n", 20, "--out", "theirs.npz", "--device", "cpu")
    found = ganvas("evaluate", "theirs.npz", "--data", two_channels, "--json").json
    assert found.keys() == {"images", "data", "n", "metrics"}
    assert (found["images"], found["n"]) == ("theirs.npz", 20)
    for words, code, message in [
        (["theirs.npz"], 2, "theirs.npz is no run, so --data must say what its images are measured against"),
        (["theirs.npz", "--data", "digits"], 1, "the images of theirs.npz are 30x50 with "),
        (["theirs.npz", "--set", "size=4"], 2, "--set is about the data of --data, which is not given"),
        (["nowhere"], 1, "there is no run and there are no images at nowhere"),
        ([trained, "--samples", 0], 2, "--samples must be at least 1 (got 0)"),
        (
            [trained, "--data", "digits"],
            1,
            f"the images of {trained} are 30x50 with 2 channels, those of digits ",
        ),
    ]:
        ended = ganvas("evaluate", *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err


def test_data_shows_a_sheet_and_draws_one(ganvas: Command, image_folder: Path) -> None:
    shown = ganvas("data", image_folder)
    assert shown.code == 0, shown.err
    assert "shape           1 channel, 8 high, 6 wide" in shown.lines
    assert shown.lines[-1] == "contact sheet written to contact-images.png"
    assert read_image(Path("contact-images.png")).ndim == 3
    found = ganvas("data", image_folder, "--set", "holdout=0", "--size", "4x3", "--out", "sheet.png", "--json").json
    assert (found["counts"], found["shape"]) == ({"train": 12}, [1, 4, 3])
    assert found["classes"]["train"] == {"even": 6, "odd": 6}
    assert found["contact_sheet"] == "sheet.png"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 1, "there is no data set and no path 'nowhere'"),
        (["digits", "--size", "big"], 2, "data.size must be auto, a number of pixels"),
        (["digits", "--size", "8", "--set", "size=9"], 2, "the size is given twice"),
        (["digits", "--set", "fitt=pad"], 2, "unknown setting data.fitt"),
        (["digits", "--out", "sheet.jpg"], 2, "--out takes a FILE.png for the contact sheet (got sheet.jpg)"),
    ],
)
def test_data_refusals(ganvas: Command, words: list[str], code: int, message: str) -> None:
    ended = ganvas("data", *words)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"error: {message}"), ended.err
