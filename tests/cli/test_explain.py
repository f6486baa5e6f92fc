"""`ganvas explain`: a page, JSON, a section of the report, and sentences where something is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import Command, train_once
from ganvas.data import open_data
from ganvas.report import write_report
from parts import held_out


@pytest.fixture(scope="module")
def folder(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.npz (120 labelled digits and 30 held-out ones) and a run on them."""
    data, place = open_data("digits"), tmp_path_factory.mktemp("explained")
    test = held_out(data)
    assert data.labels is not None and test.labels is not None
    np.savez(
        place / "data.npz", x_train=data.images[:120], y_train=data.labels[:120], x_test=test.images[:30],
        y_test=test.labels[:30],
    )  # fmt: skip
    train_once(place / "run", "gan", place / "data.npz", 4)
    return place


SHORT = ("--count", 8, "--units", 4, "--device", "cpu")


def test_a_run_is_explained(ganvas: Command, folder: Path) -> None:
    shutil.copytree(folder / "run", "run")
    found = ganvas("explain", "run", *SHORT, "--json")
    assert found.code == 0, found.err
    assert "latent dimensions ..." in found.err and found.json["page"] == "run/explain.html"
    page = Path("run/explain.html").read_text()
    body = page.split("<body>")[1]
    assert "http" not in body and "<script src" not in page and "prefers-color-scheme:dark" in page
    assert len(page) < 2**20 and body.count("<img") > 60 and 'alt=""' not in body
    for title in (
        "What units make", "What each layer decides", "Latent dimensions", "What the discriminator looks at",
        "Nearest training images at each depth",
    ):  # fmt: skip
        assert title in body
    # The run keeps the figures, and its report, written anew, quotes them.
    kept = json.loads(Path("run/explain.json").read_text())
    assert kept["units"] == found.json["units"] and len(kept["units"]) == 4
    report = Path("run/report.html").read_text()
    assert "Inside the model" in report and kept["layers"][0]["name"] in report
    Path("run/explain.json").write_text('{"units": 3}')
    assert "It could not be read" in write_report("run", audit=False).read_text()


def test_it_prints_a_table(ganvas: Command, folder: Path) -> None:
    found = ganvas("explain", folder / "run", *SHORT, "--raw", "--out", "page.html")
    assert found.code == 0, found.err
    assert "The unit that images depend on most is layers." in found.out and "images in page.html" in found.out
    assert not (folder / "run" / "explain.json").exists(), "raw weights are not what the report is about"


def test_without_its_data(ganvas: Command, folder: Path) -> None:
    shutil.copytree(folder / "run", "run")
    info = json.loads(Path("run/settings.json").read_text())
    Path("run/settings.json").write_text(json.dumps({**info, "data": "moved.npz"}))
    found = ganvas("explain", "run", *SHORT)
    assert found.code == 0 and "the training data are not at hand" in found.out
    again = ganvas("explain", "run", *SHORT, "--data", folder / "data.npz", "--json")
    assert again.code == 0 and again.json["probe"]["n"] == 30 and len(again.json["neighbours"]) == 6


def test_sentences(ganvas: Command, folder: Path, tmp_path: Path) -> None:
    np.savez("other.npz", images=np.zeros((5, 28, 28, 3), np.uint8))
    train_once(tmp_path / "denoiser", "denoise", folder / "data.npz", 1)
    run = folder / "run"
    for words, code, message in [
        (["nowhere"], 1, "there is no run at nowhere"),
        ([run, "--count", 3], 2, "count must lie between 8 and 256"),
        ([run, "--units", 0], 2, "units must lie between 1 and 4096"),
        ([run, "--space", "w+"], 2, "gan has no latent space w+"),
        ([run, "--out", "page.png"], 2, "--out takes a FILE.html"),
        ([run, "--set", "size=4"], 2, "--set is about the data of --data"),
        ([run, "--data", "nothing.npz"], 1, "there is no data set and no path"),
        ([tmp_path / "denoiser"], 1, "denoise generates no images from noise, so there is nothing to explain"),
    ]:
        found = ganvas("explain", *words)
        assert (found.code, message in found.err) == (code, True), (words, found.code, found.err)
