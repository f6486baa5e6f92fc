"""`ganvas translate`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from command_line import Command, train_once
from ganvas.data import read_image, write_png
from parts import image_file


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of CycleGAN on RGB images after two steps."""
    return train_once(tmp_path_factory.mktemp("runs") / "crossing", "cyclegan", image_file((3, 32, 32)), 2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    random = np.random.default_rng(0)
    for name, shape in {"one.png": (1, 1, 3), "in/grey.png": (9, 13, 1), "in/deep/alpha.png": (40, 33, 4)}.items():
        write_png(tmp_path / name, random.integers(0, 256, shape).astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_image_a_folder_a_zip_and_an_array(ganvas: Command, crossing: Path, here: Path) -> None:
    ended = ganvas("translate", crossing, "one.png", "--out", "out", "--device", "cpu")
    assert ended.code == 0 and ended.lines == ["one.png -> out/one.png"], ended.err
    assert read_image("out/one.png").shape == (1, 1, 3)

    ended = ganvas("translate", crossing, "in", "--out", "out", "--direction", "ba", "--json", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.json["direction"] == "ba" and ended.json["problems"] == []
    assert [one["size"] for one in ended.json["translated"]] == [[40, 33], [9, 13]]
    assert read_image("out/grey.png").shape == (9, 13, 3)
    np.testing.assert_array_equal(read_image("out/deep/alpha.png")[..., 3], read_image("in/deep/alpha.png")[..., 3])

    with zipfile.ZipFile("in.zip", "w") as archive:
        archive.write("in/grey.png", "a/grey.png")
    assert ganvas("translate", crossing, "in.zip", "--out", "zipped", "--direction", "ba", "--device", "cpu").code == 0
    np.testing.assert_array_equal(read_image("zipped/a/grey.png"), read_image("out/grey.png"))

    np.savez("some.npz", images=np.zeros((3, 10, 12, 3), np.uint8))
    assert ganvas("translate", crossing, "some.npz", "--out", "arrays", "--device", "cpu").code == 0
    with np.load("arrays/some.npz") as found:
        assert found["images"].shape == (3, 10, 12, 3) and found["images"].dtype == np.uint8


def test_one_that_is_broken_stops_no_other(ganvas: Command, crossing: Path, here: Path) -> None:
    Path("in/broken.png").write_bytes(b"nothing")
    ended = ganvas("translate", crossing, "in", "--out", "out", "--device", "cpu")
    assert ended.code == 1 and "1 of 3 images failed" in ended.err and "broken.png" in ended.err
    assert len(ended.lines) == 2 and Path("out/grey.png").exists()


def test_refusals(ganvas: Command, crossing: Path, trained: Path, here: Path) -> None:
    Path("void").mkdir()
    for words, code, message in [
        ([crossing, "one.png", "--out", "a.png"], 2, "--out takes a folder (got a.png)"),
        ([crossing, "one.png", "--out", "."], 2, "the result of one.png would overwrite it"),
        ([crossing, "one.png", "--out", "o", "--direction", "up"], 2, "translates ab and ba (got direction up)"),
        ([crossing, "nowhere.png", "--out", "o"], 1, "cannot read the image nowhere.png"),
        ([crossing, "void", "--out", "o"], 1, "there are no images in void"),
        ([trained, "one.png", "--out", "o"], 1, "gan does not translate images"),
    ]:
        ended = ganvas("translate", *words, "--device", "cpu")
        assert ended.code == code and message in ended.err and not ended.out, (words, ended)
    assert not Path("o").exists()


def test_a_run_is_measured(ganvas: Command, crossing: Path) -> None:
    """Both ways, beside copying; what it scored becomes the run's newest figures."""
    ended = ganvas("evaluate", crossing, "--json", "--device", "cpu")
    assert ended.code == 0, ended.err
    metrics = json.loads(ended.out)["metrics"]
    assert {"L1", "PSNR", "L1 ba", "PSNR ba"} < set(metrics) and metrics["L1"]["input"] > 0
    assert json.loads((crossing / "metrics.json").read_text())["metrics"] == metrics
