"""`ganvas import`, from a file of weights to a restored photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from command_line import Command
from foreign_networks import write_tfjs


def test_the_command(ganvas: Command, tmp_path: Path) -> None:
    model = write_tfjs(tmp_path / "slim", 2)
    done = ganvas("import", "esrgan_slim", model, "--out", "run", "--licence", "MIT", "--json")
    assert done.code == 0 and done.json["method"] == "srgan" and done.json["run"] == "run"
    Image.fromarray(np.full((9, 8, 3), 100, np.uint8)).save("photo.png")
    assert ganvas("restore", "run", "photo.png", "--out", "results", "--device", "cpu").code == 0
    with Image.open("results/photo.png") as restored:
        assert restored.size == (16, 18)
    made = ganvas("import", "esrgan_slim", model, "--out", "again", "--license", "MIT")
    assert "next: ganvas restore again photo.jpg" in made.out
    for words, code, message in [
        (
            ("import", "esrgan", model, "--out", "x", "--licence", "MIT"),
            1,
            "neither a safetensors file nor one saved by",
        ),
        (("import", "esrgan_slim", model, "--out", "x"), 2, "licence of the weights is missing"),
        (("import", "esrgan_slim", "nowhere", "--out", "x", "--licence", "MIT"), 1, "there is no file nowhere"),
        (("train", "--resume", "run"), 2, "without the state of their training"),
    ]:
        ended = ganvas(*words)
        assert ended.code == code and message in ended.err and "Traceback" not in ended.err, ended
