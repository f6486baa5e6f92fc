"""`ganvas audit`: a verdict for CI, JSON, a page, and sentences where something is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import Command, train_once
from ganvas.data import open_data, write_png
from parts import held_out


@pytest.fixture(scope="module")
def audited(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.npz (200 digits and 110 held-out ones), copies.npz (training images) and a run on the data."""
    data = open_data("digits")
    folder = tmp_path_factory.mktemp("audited")
    np.savez(folder / "data.npz", x_train=data.images[:200], x_test=held_out(data).images[:110])
    np.savez(folder / "copies.npz", images=data.images[:20])
    train_once(folder / "run", "gan", folder / "data.npz", 4)
    return folder


def test_a_run_is_audited(ganvas: Command, audited: Path) -> None:
    shutil.copytree(audited / "run", "run")
    found = ganvas("audit", "run", "--count", 30, "--json", "--fail-above", 0.5, "--device", "cpu")
    assert found.code == 0, found.err
    assert (found.json["n"], found.json["failed"], found.json["page"]) == (30, False, "run/audit.html")
    assert [test["test"] for test in found.json["membership"]] == ["nearest sample", "discriminator"]
    kept = json.loads(Path("run/audit.json").read_text())
    assert kept["copies"] == found.json["copies"]
    # The report quotes it, and was written anew.
    report = Path("run/report.html").read_text()
    assert "Privacy and copies" in report and kept["verdict"][1:] in report


def test_copies_fail_in_one_sentence(ganvas: Command, audited: Path) -> None:
    words = ("audit", "--samples", audited / "copies.npz", "--data", audited / "data.npz")
    found = ganvas(*words, "--fail-above", 0.02, "--out", "page.html")
    assert found.code == 1
    assert "Copies: 20 of 20 samples (100.0%) are copies of 20 training images" in found.out
    assert (
        found.err.strip()
        == "error: 20 of 20 samples (100.00%) are copies of training images, more than --fail-above 0.02"
    )
    page = Path("page.html").read_text()
    assert page.count("<img") == 40 and "exact copy" in page and "http" not in page.split("<body>")[1]
    assert ganvas(*words).code == 0  # without a limit the verdict is all


def test_sentences(ganvas: Command, audited: Path) -> None:
    shutil.copytree(audited / "run", "run")
    info = json.loads(Path("run/settings.json").read_text())
    info["data"] = "moved.npz"
    Path("run/settings.json").write_text(json.dumps(info))
    np.savez("other.npz", images=np.zeros((5, 28, 28, 3), np.uint8))
    empty, one = Path("empty"), Path("one")
    empty.mkdir()
    write_png(one / "only.png", open_data("digits").images[0])
    data = audited / "data.npz"
    for words, code, message in [
        (["run"], 1, "there is no data set and no path 'moved.npz'"),
        ([], 2, "ganvas audit takes a RUN, or --samples and --data"),
        (["--samples", "other.npz", "--data", data, "--fail-above", 3], 2, "fail_above is a share"),
        (
            ["--samples", audited / "copies.npz", "--data", audited / "copies.npz"],
            1,
            "calibrating at a false positive rate",
        ),
        (["--samples", empty, "--data", data], 1, "empty is empty"),
        (["--samples", one, "--data", data], 1, "one has 1 image"),
        (["--samples", "nowhere", "--data", data], 1, "there is no data set and no path 'nowhere'"),
        (["run", "--out", "page.png"], 2, "--out takes a FILE.html"),
        (["run", "--set", "size=4"], 2, "--set is about the data of --data"),
    ]:
        found = ganvas("audit", *words)
        assert (found.code, message in found.err) == (code, True), (words, found.code, found.err)
