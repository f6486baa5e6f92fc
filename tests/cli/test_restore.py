"""`ganvas restore`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Command, train_once
from ganvas.data import read_image, read_provenance
from ganvas.data.photo import read_photo
from parts import image_file

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="session")
def data(_own_cache: None) -> Path:
    return image_file((3, 32, 32))


@pytest.fixture(scope="session")
def denoiser(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_once(tmp_path_factory.mktemp("runs") / "denoiser", "denoise", data, 3)


@pytest.fixture(scope="session")
def filler(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_once(tmp_path_factory.mktemp("runs") / "filler", "inpaint", data, 3)


@pytest.fixture(scope="session")
def enlarger(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_once(tmp_path_factory.mktemp("runs") / "enlarger", "srgan", data, 3)


def image(path: Path, *shape: int, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, shape).astype(np.uint8)).save(path, **more)  # pyright: ignore[reportArgumentType]
    return path


def test_one_image(ganvas: Command, enlarger: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    image(Path("in.png"), 21, 34, 4, exif=exif)
    ended = ganvas("restore", enlarger, "in.png", "--out", "out", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.lines == ["in.png -> out/in.png"]
    made = read_photo("out/in.png")
    assert made.size == (42, 68) and made.alpha is not None and made.exif is not None
    assert read_image("out/in-before-after.png").shape == (42, 68 * 2 + 8, 3)


def test_a_folder_a_zip_and_a_file_as_json(ganvas: Command, denoiser: Path) -> None:
    image(Path("photos/a/one.png"), 9, 9, 3)
    image(Path("photos/two.jpg"), 9, 9, 3)
    with zipfile.ZipFile("more.zip", "w") as archive:
        archive.write(image(Path("three.png"), 5, 6))
    image(Path("four.png"), 1, 1, 3)
    ended = ganvas(
        "restore",
        denoiser,
        "photos",
        "more.zip",
        "four.png",
        "--out",
        "out",
        "--json",
        "--no-grids",
        "--device",
        "cpu",
    )
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["task"] == "denoise" and not told["problems"]
    assert [entry["files"] for entry in told["restored"]] == [
        ["out/a/one.png"], ["out/two.png"], ["out/three.png"], ["out/four.png"],
    ]  # fmt: skip
    assert read_image("out/three.png").shape == (5, 6, 1)
    assert not list(Path("out").rglob("*-before-after.png"))


def test_a_mask_is_found_by_its_name_in_any_form_of_unicode(ganvas: Command, filler: Path) -> None:
    """macOS writes an accent as a character of its own."""
    image(Path("in") / "caf\u00e9.png", 40, 50, 3)
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:30] = 255
    Path("masks").mkdir()
    Image.fromarray(mask).save("masks/cafe\u0301.png")
    ended = ganvas("restore", filler, "in", "--mask", "masks", "--out", "out", "--device", "cpu")
    assert ended.code == 0, ended.err


def test_one_frame_of_an_animation_is_restored_and_said(ganvas: Command, denoiser: Path) -> None:
    frames = [Image.fromarray(RANDOM.integers(0, 256, (40, 50, 3)).astype(np.uint8)) for _ in range(3)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    ended = ganvas("restore", denoiser, "moving.gif", "--out", "out", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.err.startswith("warning: moving.gif has 3 frames or pages: only the first is used"), ended.err


def test_holes(ganvas: Command, filler: Path) -> None:
    image(Path("in.png"), 40, 50, 3)
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:30] = 255
    Path("masks").mkdir()
    Image.fromarray(mask).save("masks/in.png")
    for given in ("masks", "masks/in.png"):
        ended = ganvas("restore", filler, "in.png", "--mask", given, "--out", "out", "--device", "cpu")
        assert ended.code == 0, ended.err
        before, after = read_image("in.png"), read_image("out/in.png")
        assert np.array_equal(before[mask == 0], after[mask == 0])
        assert not np.array_equal(before, after)


def test_what_is_wrong_is_said_before_anything_is_written(
    ganvas: Command, filler: Path, denoiser: Path, enlarger: Path
) -> None:
    image(Path("in.png"), 8, 8, 3)
    image(Path("mask.png"), 8, 9)
    image(Path("other/in.jpg"), 8, 8, 3)
    for words, message in [
        ((filler, "in.png"), "inpainting needs --mask"),
        ((denoiser, "in.png", "--mask", "mask.png"), "--mask is for inpainting"),
        ((filler, "in.png", "--mask", "mask.png"), "in.png: the mask has 8 x 9 pixels"),
        ((filler, "in.png", "--mask", "other"), None),
        ((denoiser, "missing.png"), "missing.png"),
        ((denoiser, "in.png", "other/in.jpg"), "would both be written to"),
        ((denoiser, "in.png", "--task", "inpaint"), "can denoise, not inpaint"),
        ((denoiser, "in.png", "-n", 2), "one result per image"),
        ((denoiser, "in.png", "--interpolation", 0.5), "so interpolation has no effect (methods with two: srgan)"),
        ((enlarger, "in.png", "--interpolation", 0.5), "first_phase=0"),
    ]:
        ended = ganvas("restore", *words, "--out", "out", "--device", "cpu")
        if message is None:
            assert ended.code == 0
            continue
        assert ended.code in (1, 2) and message in ended.err, ended.err
        assert "Traceback" not in ended.err
    ended = ganvas("restore", denoiser, "in.png", "--out", ".", "--device", "cpu")
    assert "would overwrite" in ended.err


def test_no_file_of_one_image_takes_the_place_of_another_s(
    ganvas: Command, denoiser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "a-before-after"):
        image(Path(f"photos/{name}.png"), 9, 9, 3)
    words = ("restore", denoiser, "photos", "--device", "cpu", "--out")
    ended = ganvas(*words, "out")
    assert ended.code == 2 and "a and " not in ended.err and "would both be written to" in ended.err
    assert not Path("out").exists(), "told before anything is written"
    assert ganvas(*words, "out", "--no-grids").code == 0
    monkeypatch.setattr("ganvas.deprecation._warned", set())
    old = ganvas(*words, "old", "--no-sheets")  # as it was called before
    assert old.code == 0 and not list(Path("old").rglob("*-before-after-before-after.png"))
    assert old.err == (
        "warning: the option --no-sheets is now called --no-grids: the old name is accepted until ganvas 0.3\n"
    )
    assert "would overwrite photos/" in ganvas(*words, "photos").err


def test_one_broken_image_does_not_cost_the_others(ganvas: Command, denoiser: Path) -> None:
    image(Path("photos/good.png"), 9, 9, 3)
    Path("photos/bad.png").write_text("no image")
    Path("photos/empty.png").touch()
    Path("photos/link.png").symlink_to("nowhere.png")
    ended = ganvas("restore", denoiser, "photos", "--out", "out", "--json", "--device", "cpu")
    assert ended.code == 1 and "3 of 4 images failed" in ended.err
    assert all(name in ended.err for name in ("bad.png", "empty.png", "link.png")) and "skip_broken" not in ended.err
    assert [entry["image"] for entry in json.loads(ended.out)["restored"]] == ["good.png"]
    assert Path("out/good.png").is_file()


def test_masks_that_cannot_be_meant(ganvas: Command, filler: Path) -> None:
    """One of 0 and 1 is refused by its name; one that repaints all but a hole is warned of in one line, and done."""
    image(Path("in.png"), 32, 32, 3)
    dark = np.zeros((32, 32), np.uint8)
    dark[8:20, 8:20] = 1
    Image.fromarray(dark).save("dark.png")
    refused = ganvas("restore", filler, "in.png", "--mask", "dark.png", "--out", "out", "--device", "cpu")
    assert (
        refused.code == 1
        and "the mask dark.png marks nothing: its lightest pixel has the value 1 of 255" in refused.err
    )
    assert not Path("out").exists()
    holed = np.full((32, 32, 4), 255, np.uint8)
    holed[8:20, 8:20, 3] = 0
    Image.fromarray(holed).save("holed.png")
    ended = ganvas("restore", filler, "in.png", "--mask", "holed.png", "--out", "out", "--device", "cpu")
    assert ended.code == 0 and ended.err.startswith("warning: the mask holed.png is white and opaque but for"), (
        ended.err
    )
    assert len(ended.err.splitlines()) == 1
    same = (read_image("out/in.png") == read_image("in.png")).all(-1)
    assert same[8:20, 8:20].all() and not same.all()
    made = read_provenance("out/in.png")
    assert made is not None and made.needs()[1:] == ["the file in.png", "the file holed.png"]
