"""`ganvas invert`, and `ganvas edit` of given images."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas as library
from command_line import Command, train_once
from ganvas.data import read_image, read_provenance, video, write_png
from ganvas.data.animation import write_animation
from ganvas.data.photo import read_photo
from parts import image_file

FEW = (
    ("editor", "POINTS", 200), ("directions", "POINTS", 200), ("directions", "EFFECT_IMAGES", 16),
    ("invert", "START_CANDIDATES", 64),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directions of few samples: what they are worth is a matter of tests/tasks."""
    for module, name, count in FEW:
        monkeypatch.setattr(importlib.import_module(f"ganvas.tasks.{module}"), name, count)


@pytest.fixture(scope="session")
def coloured(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the VAE on colour images after two steps: it encodes."""
    return train_once(tmp_path_factory.mktemp("runs") / "coloured", "vae", image_file((3, 32, 32)), 2)


IMAGES = ("photos", "--arithmetic", "brightness>0.5 - brightness<0.5", "--out", "a")


def photos(folder: Path) -> Path:
    """A wide photo with alpha and a square one."""
    random = np.random.default_rng(0)
    write_png(folder / "wide.png", random.integers(0, 256, (40, 90, 4)).astype(np.uint8))
    write_png(folder / "square.png", random.integers(0, 256, (32, 32, 3)).astype(np.uint8))
    return folder


def test_invert_and_edit(ganvas: Command, coloured: Path, tmp_path: Path) -> None:
    """Points go into an .npz; edited photos keep their size, their alpha, and what lies outside of the cropped middle."""
    given = photos(tmp_path / "photos")
    ended = ganvas(
        "invert", coloured, given, "--out", "codes.npz", "--steps", 3, "--reference", 2, "--preview", "seen.png",
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    facts = ended.json
    assert [one["image"] for one in facts["images"]] == ["square.png", "wide.png"]
    assert facts["space"] == "z" and facts["how"] == "encoder and 3 steps of optimisation"
    assert facts["psnr"] > 5 and facts["reference_psnr"] > 5 and facts["features"]
    assert read_image(Path("seen.png")).shape == (2 * 34 - 2, 2 * 34 - 2, 3)
    with np.load("codes.npz") as content:
        assert content["codes"].shape == (2, 8) and content["images"].shape == (2, 32, 32, 3)
        assert str(content["source"]) == Path(os.path.relpath(given, Path.cwd())).as_posix(), "no absolute path in it"

    one = library.load(coloured).invert(given / "wide.png", steps=1, reference=0, device="cpu")
    assert one.images.shape == (1, 32, 32, 3) and one.reference_psnr is None

    edited = ganvas("edit", coloured, "codes.npz", "--direction", "brightness=3", "--out", "edited", "--device", "cpu")
    assert edited.code == 0, edited.err
    assert edited.lines[0] == "edited/square.png" and any("brightness (asked)" in line for line in edited.lines)
    before, after = read_photo(given / "wide.png"), read_photo("edited/wide.png")
    assert before.alpha is not None and after.alpha is not None
    np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_array_equal(after.pixels[:, :, :25], before.pixels[:, :, :25])
    assert after.pixels[:, :, 25:65].mean() > before.pixels[:, :, 25:65].mean()


def test_images_without_originals(ganvas: Command, coloured: Path) -> None:
    """An array is inverted as it is, and edited at the training's size."""
    np.savez("some.npz", images=library.load(coloured).sample(3, seed=4))
    ended = ganvas(
        "edit", coloured, "some.npz", "--arithmetic", "brightness>0.5 - brightness<0.5", "--inversion-steps", 2, "--out", "e",
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert [one["size"] for one in ended.json["edited"]] == [[32, 32]] * 3
    assert read_image(Path("e/edited000002.png")).shape == (32, 32, 3)
    folders = ganvas(
        "edit",
        coloured,
        "--arithmetic",
        "some.npz - 3 + 0-2",
        "--inversion-steps",
        2,
        "--out",
        "sum.png",
        "--device",
        "cpu",
    )
    assert folders.code == 0, folders.err
    assert read_image(Path("sum.png")).shape == (32, 4 * 34 - 2, 3)


def test_a_difference_that_moves_images_is_kept(ganvas: Command, coloured: Path, tmp_path: Path) -> None:
    """--save and --noise act where images are given, as they do for seeds."""
    run = tmp_path / "run"
    shutil.copytree(coloured, run)
    photos(Path("photos"))
    words = ("--inversion-steps", 1, "--device", "cpu")
    kept = ganvas("edit", run, *IMAGES, "--save", "lighter", *words)
    assert kept.code == 0, kept.err
    again = ganvas("edit", run, "photos", "--direction", "lighter=1", "--out", "b", *words)
    assert again.code == 0, again.err
    assert np.array_equal(read_image(Path("a/square.png")), read_image(Path("b/square.png")))
    refused = ganvas("edit", run, *IMAGES, "--noise", "0=3", *words)
    assert refused.code == 2 and "noise" in refused.err


def test_what_is_wrong_is_said_before_the_inversion(
    ganvas: Command, coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inversion takes minutes, which a mistake in the edit should not cost; and nothing is written."""

    def invert(*given: object, **options: object) -> None:
        pytest.fail("inverted first")

    monkeypatch.setattr(sys.modules["ganvas.tasks.invert"], "invert", invert)
    given = photos(tmp_path / "photos")
    shutil.move(given / "square.png", given / "square.webp")
    before = sorted(given.iterdir())
    light = ("--direction", "brightness=1")
    for words, message in [
        (("--direction", "wobble=1", "--out", "a"), "there is no direction wobble"),
        ((*light, "--layers", "0-1", "--out", "a"), "layers"),
        (("--arithmetic", "1 - 2 + 3", "--out", "a"), "images are moved by a difference"),
        (("--arithmetic", f"{given} - class:9", "--out", "a"), "there is no class 9"),
        ((*light, "--out", given), "the result of wide.png would overwrite an original"),
    ]:
        ended = ganvas("edit", coloured, given, *words, "--device", "cpu")
        assert (ended.code, message in ended.err) == (2, True), (words, ended.err)
    assert sorted(given.iterdir()) == before and not Path("a").exists()


def test_a_folder_in_python(coloured: Path, tmp_path: Path) -> None:
    """A run takes what the command takes: folders, in arithmetic too."""
    given, run = photos(tmp_path / "photos"), library.load(coloured)
    assert run.invert(given, steps=1, reference=0, device="cpu").images.shape == (2, 32, 32, 3)
    total = run.edit(arithmetic=f"{given} - 3 + 0-2", inversion_steps=1, device="cpu")
    assert total.shape == (32, 4 * 34 - 2, 3)
    moved = run.edit(given, direction=["brightness=1"], steps=3, inversion_steps=1, device="cpu")
    assert moved.shape == (2 * 34 - 2, 3 * 34 - 2, 3)


def test_directions_and_videos(ganvas: Command, coloured: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(coloured, run)
    found = ganvas("edit", run, "--find", "--how", "pca,sefa", "--count", 2, "--device", "cpu", "--json")
    assert found.code == 0, found.err
    names = [one["name"] for one in found.json["directions"]]
    assert names == ["pca1", "pca2", "coarse1", "coarse2", "sefa1", "sefa2"]
    made = read_provenance(run / "editing" / "directions.png")
    assert (
        made is not None
        and made.command_line() == "ganvas edit run --seeds 0-7 --find --how pca,sefa --count 2 --out out.png"
    )
    assert "pca1" in (run / "report.html").read_text()
    kept = ganvas(
        "edit",
        run,
        "--arithmetic",
        "brightness>0.8 - brightness<0.2",
        "--save",
        "lighter",
        "--out",
        "l.png",
        "--device",
        "cpu",
    )
    assert kept.code == 0, kept.err
    used = ganvas(
        "edit", run, "--direction", "lighter=0.5", "--direction", "pca1=-1", "--keep", "contrast", "--seeds", "0-1",
        "--steps", 3, "--out", "moves.gif", "--device", "cpu",
    )  # fmt: skip
    assert used.code == 0, used.err
    with Image.open("moves.gif") as video:
        assert video.n_frames == 4 and video.size == (66, 32)  # pyright: ignore[reportAttributeAccessIssue]
    editor = library.load(run).editor(device="cpu")
    assert {"lighter", "sefa2"} <= set(editor.directions())
    assert editor.move(editor.points([0]), {"lighter": 1.0}).after.shape == (1, 32, 32, 3)
    walk = ganvas("edit", run, "--walk", "--seeds", "0-2", "--frames", 2, "--out", "walk.webp", "--device", "cpu")
    assert walk.code == 0, walk.err
    with Image.open("walk.webp") as video:
        assert video.n_frames == 6  # pyright: ignore[reportAttributeAccessIssue]


def test_mp4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ganvas: Command, coloured: Path) -> None:
    """With the encoder a file that begins as MP4 files do; without it one line that names the extra."""
    walk = ("edit", coloured, "--walk", "--seeds", "0-1", "--frames", 2, "--out", "walk.mp4", "--device", "cpu")
    monkeypatch.setitem(sys.modules, "av", None)
    ended = ganvas(*walk)
    assert ended.code == 1 and 'pip install "ganvas[video]"' in ended.err
    monkeypatch.undo()
    if importlib.util.find_spec("av") is None:
        pytest.skip("the extra video is not installed")
    frames = np.random.default_rng(0).integers(0, 256, (5, 31, 33, 1)).astype(np.uint8)
    write_animation(tmp_path / "v.mp4", frames, [0.1] * 5)
    assert (tmp_path / "v.mp4").read_bytes()[4:8] == b"ftyp"
    with open(tmp_path / "v.mp4", "rb") as file:
        assert video.header(file, "v.mp4") == (30, 32, 10.0, 5)


def test_refusals(ganvas: Command, coloured: Path, trained: Path) -> None:
    photos(Path("photos"))
    Path("empty").mkdir()
    np.savez("small.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
    np.savez("codes.npz", codes=np.zeros((1, 8), np.float32), space=np.array("z"), weights=np.array("others"))
    for words, code, message in [
        (("invert", coloured, "photos", "--out", "a.png"), 2, "--out takes a FILE.npz (got a.png)"),
        (("invert", coloured, "photos", "--out", "a.npz", "--preview", "a.gif"), 2, "--preview takes a FILE.png"),
        (("invert", coloured, "photos", "--out", "a.npz", "--space", "w"), 2, "vae has no latent space w"),
        (("invert", coloured, "photos", "--out", "a.npz", "--steps", -1), 2, "steps must be 0 or more"),
        (("invert", coloured, "small.npz", "--out", "a.npz"), 1, "this run of vae is of images of"),
        (("invert", coloured, "empty", "--out", "a.npz"), 1, "there are no images in empty"),
        (("invert", trained, "photos", "--out", "a.npz"), 1, "this run of gan was trained on 2 channels"),
        (("edit", coloured, "photos", "--direction", "brightness=1", "--out", "a.png"), 2, "--out takes a folder"),
        (("edit", coloured, "photos", "--walk", "--out", "a"), 2, "IMAGES needs --direction or --arithmetic"),
        (
            ("edit", coloured, "codes.npz", "--direction", "brightness=1", "--out", "a"),
            2,
            "codes.npz was inverted with other",
        ),
        (("edit", coloured, "--find", "--how", "ica"), 2, "directions are found by pca, pca:LAYER, sefa or probe"),
        (("edit", coloured, "--arithmetic", "class:9", "--out", "a.png"), 2, "there is no class 9"),
        (
            ("edit", coloured, "--arithmetic", "1 - 2 + 3", "--save", "x", "--out", "a.png"),
            2,
            "--save keeps a direction",
        ),
        (
            ("edit", coloured, "--arithmetic", "1 - 2 + 3", "--truncation", 0.5, "--out", "a.png"),
            2,
            "truncation is about images that are moved",
        ),
        (("edit", coloured, *IMAGES, "--truncation", 0.5), 2, "--truncation is about images of seeds"),
        (("edit", coloured, *IMAGES, "--label", "1"), 2, "this vae was trained without classes"),
        (("edit", coloured, *IMAGES, "--seeds", "3"), 2, "--seeds is about images of seeds"),
        (("edit", coloured, *IMAGES, "--both"), 2, "--both is about a grid"),
        (("edit", coloured, *IMAGES, "--steps", 3), 2, "--steps is about a grid"),
        (("edit", coloured, "--walk", "--count", 3, "--out", "a.webp"), 2, "--count needs --find"),
        (
            ("edit", coloured, "--walk", "--steps", 3, "--out", "a.webp"),
            2,
            "--steps needs --interpolate or --direction",
        ),
    ]:
        ended = ganvas(*words, "--device", "cpu")
        assert (ended.code, ended.out) == (code, ""), (words, ended)
        assert ended.err.startswith(f"error: {message}"), ended.err
