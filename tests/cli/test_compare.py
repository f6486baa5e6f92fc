"""`ganvas compare` on real runs that were measured by different numbers of samples, and on what it advises."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from command_line import QUICK, Command
from parts import image_file


@pytest.fixture(scope="module")
def images(_own_cache: None) -> Path:
    """120 small images, of which 12 are held out."""
    return image_file((1, 8, 8), 120)


def test_runs_measured_by_other_counts(ganvas: Command, images: Path) -> None:
    """Shown with a note; with as many held-out images as the smaller count they are ranked at that count, else the note's
    commands make them alike."""
    for method, samples in (("gan", 8), ("vae", 60)):
        words = (
            "train",
            method,
            "--preset",
            "tiny",
            "--data",
            images,
            "--steps",
            2,
            "--samples",
            samples,
            "--out",
            method,
        )
        assert ganvas(*words, *QUICK).code == 0
    ended = ganvas("compare", "gan", "vae")
    assert ended.code == 0, ended.err
    advice = next(line for line in ended.lines if line.startswith("To rank them: "))
    assert advice == "To rank them: ganvas evaluate gan --samples 60"
    assert any("(n 8)" in line and "(n 60)" in line for line in ended.lines)
    assert Path("compare.html").is_file()

    assert ganvas(*shlex.split(advice.removeprefix("To rank them: "))[1:]).code == 0
    again = ganvas("compare", "gan", "vae", "--json").json
    assert again["notes"] == []
    assert {entry["ranked"] for group in again["groups"] for entry in group["metrics"].values()} == {True}


def test_few_held_out_images_bring_both_to_their_count(ganvas: Command, images: Path) -> None:
    for method, samples in (("gan", 40), ("vae", 60)):
        words = (
            "train",
            method,
            "--preset",
            "tiny",
            "--data",
            images,
            "--steps",
            2,
            "--samples",
            samples,
            "--out",
            method,
        )
        assert ganvas(*words, *QUICK).code == 0
    table = ganvas("compare", "gan", "vae", "--json").json
    primary = [group["metrics"][table["main"]] for group in table["groups"]]
    assert [entry["n"] for entry in primary] == [12, 12] and all(entry["ranked"] for entry in primary)
    assert "compared by 12 samples of each run (n 40 and 60 were measured)" in table["notes"][0]
