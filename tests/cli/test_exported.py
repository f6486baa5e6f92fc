"""`ganvas sample`, `translate`, `restore` and `stylise` with an exported model in place of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import exported_models as models
from command_line import SOURCES, Command
from ganvas.data import read_image, read_provenance, write_png
from ganvas.export.random_numbers import latents
from ganvas.export.runtime import open_model, to_uint8


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of 21 x 45, whose last column is transparent; the sides are no multiples of 4."""
    rows, columns = np.mgrid[0:21, 0:45]
    alpha = np.where(columns == 44, 0, 255)
    pixels = np.stack([columns * 5, rows * 12, 255 - columns * 5, alpha], 2).astype(np.uint8)
    write_png(tmp_path / "photo.png", pixels)
    return tmp_path / "photo.png"


def test_sample(ganvas: Command, tmp_path: Path) -> None:
    file = models.sampler(tmp_path / "four.onnx")
    done = ganvas("sample", file, "--n", 3, "--seed", 5, "--out", "images", "--grid", "grid.png")
    assert done.code == 0, done.err
    expected = to_uint8(latents(open_model(file).facts.draws, [5, 6, 7]).reshape(3, 1, 2, 2))
    written = sorted(Path("images").glob("*.png"))
    assert np.array_equal([read_image(one) for one in written], expected)
    made = read_provenance(written[1])
    assert made is not None and (made.run, made.method, made.seed, made.weights) == ("four", "gan", 6, "ab" * 32)
    assert Path("grid.png").exists()
    refused = ganvas("sample", file, "--n", 1, "--raw")
    assert refused.code == 2 and "--raw needs the run itself" in refused.err


def test_translate(ganvas: Command, photo: Path, tmp_path: Path) -> None:
    file = models.translator(tmp_path / "negative.onnx")
    done = ganvas("translate", file, photo, "--out", "out", "--json")
    assert done.code == 0, done.err
    assert done.json["translated"] == [{"image": "photo.png", "file": str(Path("out/photo.png")), "size": [21, 45]}]
    made, original = read_image("out/photo.png"), read_image(photo)
    assert np.array_equal(made[:, :-1, :3], 255 - original[:, :-1, :3])
    assert np.array_equal(made[..., 3], original[..., 3])
    provenance = read_provenance("out/photo.png")
    assert provenance is not None and (provenance.command, provenance.run) == ("translate", "negative")
    np.savez("many.npz", images=np.stack([original[..., :3]] * 2))
    assert ganvas("translate", file, "many.npz", "--out", "arrays").code == 0
    (array,) = Path("arrays").iterdir()
    assert np.array_equal(np.load(array)["images"][1], 255 - original[..., :3])
    for words, message in (
        ((file, photo, "--direction", "ba"), "translates ab only (got direction ba)"),
        ((models.upscaler(tmp_path / "up.onnx"), photo), "use it with ganvas restore"),
        ((tmp_path / "none.onnx", photo), "the file does not exist"),
        ((file, photo, "--best"), "--best needs the run itself"),
    ):
        refused = ganvas("translate", *words, "--out", "refused")
        assert refused.code and message in refused.err and "Traceback" not in refused.err
    assert not Path("refused").exists()


def test_restore(ganvas: Command, photo: Path, tmp_path: Path) -> None:
    file = models.upscaler(tmp_path / "twice.onnx")
    done = ganvas("restore", file, photo, "--out", "out", "--json")
    assert done.code == 0, done.err
    assert done.json["restored"][0]["size"] == [42, 90]
    made, original = read_image("out/photo.png"), read_image(photo)
    assert np.array_equal(made[::2, :-2:2, :3], original[:, :-1, :3])
    Path("broken.png").write_bytes(b"\x89PNG no image")
    Path("both").mkdir()
    for name in ("photo.png", "broken.png"):
        Path(name).rename(Path("both") / name)
    partly = ganvas("restore", file, "both", "--out", "some")
    assert partly.code and "1 of 2 images failed" in partly.err and Path("some/photo.png").exists()
    refused = ganvas("restore", file, "both/photo.png", "--out", "refused", "--n", 2)
    assert refused.code == 2 and "--n needs the run itself" in refused.err


def test_restore_holes(ganvas: Command, photo: Path, tmp_path: Path) -> None:
    file = models.inpainter(tmp_path / "white.onnx")
    mask = np.zeros((21, 45, 1), np.uint8)
    mask[3:9, 10:30] = 255
    write_png("mask.png", mask)
    done = ganvas("restore", file, photo, "--mask", "mask.png", "--out", "out")
    assert done.code == 0, done.err
    made, original = read_image("out/photo.png"), read_image(photo)
    assert (made[3:9, 10:30, :3] == 255).all()
    assert np.array_equal(made[9:, :-1, :3], original[9:, :-1, :3])
    refused = ganvas("restore", file, photo, "--out", "refused")
    assert refused.code and "needs a mask of the size of the image" in refused.err


def test_stylise(ganvas: Command, photo: Path, tmp_path: Path) -> None:
    file = models.stylist(tmp_path / "mean.onnx")
    Image.new("RGB", (8, 5), (200, 100, 50)).save("red.png")
    done = ganvas("stylise", photo, "--run", file, "--style", "red.png", "--strength", 0.5, "--out", "out.png")
    assert done.code == 0, done.err
    made, original = read_image("out.png"), read_image(photo)
    expected = (original[..., :3] + np.array([200.0, 100.0, 50.0])) / 2
    assert np.abs(made[..., :3] - expected)[:, :-1].max() <= 1 and np.array_equal(made[..., 3], original[..., 3])
    for words, message in (
        ((), "stylises by any image: name one with --style"),
        (("--style", "red.png", "--style", "red.png"), "a model takes one style at a time"),
        (("--style", "red.png", "--size", 32), "--size needs the run itself"),
        (("--style", "red.png", "--strength", 2), "strength must be from 0 to 1"),
    ):
        refused = ganvas("stylise", photo, "--run", file, *words, "--out", "refused.png")
        assert refused.code and message in refused.err
    assert not Path("refused.png").exists()


WITHOUT = """
import json
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "onnx", "onnxscript", "safetensors", "scipy", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuses())
from ganvas.cli.main import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
from ganvas.export import open_model
assert open_model("four.onnx").sample(2).shape == (2, 2, 2, 1)
main(["sample", "a_run"])
"""


def test_commands_without_torch(photo: Path) -> None:
    """In a Python that has numpy, Pillow, typer and onnxruntime, as after pip install --no-deps ganvas."""
    for name, make in (
        ("four", models.sampler), ("negative", models.translator), ("twice", models.upscaler), ("mean", models.stylist),
    ):  # fmt: skip
        make(Path(f"{name}.onnx"))
    commands = [
        ["sample", "four.onnx", "--n", "4", "--out", "images", "--grid", "grid.png"],
        ["sample", "four.onnx", "--n", "4", "--out", "images.npz"],
        ["translate", "negative.onnx", str(photo), "--out", "translated"],
        ["restore", "twice.onnx", str(photo), "--out", "restored"],
        ["stylise", str(photo), "--run", "mean.onnx", "--style", str(photo), "--out", "stylised.png"],
    ]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(commands)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "this needs PyTorch, which is not installed: pip install torch" in done.stderr
    for place in ("images/seed000003.png", "grid.png", "images.npz", "translated/photo.png", "restored/photo.png"):
        assert Path(place).exists(), place
    assert Path("stylised.png").exists()
