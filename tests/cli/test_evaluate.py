"""`ganvas evaluate` and `ganvas compare`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import Command
from ganvas.cli.output import print_metrics
from ganvas.figure import Figure


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
            "the images of this gan are 30x50 with 2 channels, those of digits ",
        ),
    ]:
        ended = ganvas("evaluate", *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err


def test_samples_with_alpha_are_measured_on_the_background_of_the_data(ganvas: Command) -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
    alpha = np.full((60, 16, 16, 1), 255, np.uint8)
    np.savez("data.npz", images=colours)
    np.savez("opaque.npz", images=np.concatenate([colours[:40], alpha[:40]], axis=-1))
    np.savez("plain.npz", images=colours[:40])
    with_alpha = ganvas("evaluate", "opaque.npz", "--data", "data.npz", "--json")
    assert with_alpha.code == 0, with_alpha.err
    assert with_alpha.json["metrics"] == ganvas("evaluate", "plain.npz", "--data", "data.npz", "--json").json["metrics"]


def test_what_simpler_means_score_has_rows_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Figure(
        70.5, "higher", 40, input=62.0, input_is="copied", details={"baselines": {"copying": 62.0, "memory": 44.4}}
    )
    print_metrics({"chrF": figure})
    assert capsys.readouterr().out.splitlines() == [
        "chrF 70.5 (copied 62, n 40)",
        "chrF of copying 62 (n 40)",
        "chrF of memory 44.4 (n 40)",
    ]
