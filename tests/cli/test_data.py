"""`ganvas data`."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Command
from ganvas.data import read_image, read_provenance


def test_data_shows_a_card_and_draws_one(ganvas: Command, image_folder: Path) -> None:
    shown = ganvas("data", image_folder)
    assert shown.code == 0, shown.err
    assert "shape           1 channel, 8 high, 6 wide" in shown.lines
    assert shown.lines[-1] == "grid written to grid-images.png"
    assert read_image(Path("grid-images.png")).ndim == 3
    made = read_provenance("grid-images.png")
    assert made is not None and (made.command, made.inputs) == ("data", (image_folder.name,))
    found = ganvas("data", image_folder, "--set", "holdout=0", "--size", "4x3", "--out", "grid.png", "--json").json
    assert (found["counts"], found["shape"]) == ({"train": 12}, [1, 4, 3])
    assert found["classes"]["train"] == {"even": 6, "odd": 6}
    assert found["example_grid"] == "grid.png"
    made = read_provenance("grid.png")
    assert made is not None and made.settings == {"holdout": 0.0, "size": "4x3"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 1, "there is no data set and no path 'nowhere'"),
        (["digits", "--size", "big"], 2, "data.size must be auto, a number of pixels"),
        (["digits", "--size", "8", "--set", "size=9"], 2, "the size is given twice"),
        (["digits", "--set", "fitt=pad"], 2, "unknown setting data.fitt"),
        (["digits", "--out", "card.jpg"], 2, "--out takes a FILE.png for the grid (got card.jpg)"),
    ],
)
def test_data_refusals(ganvas: Command, words: list[str], code: int, message: str) -> None:
    ended = ganvas("data", *words)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"error: {message}"), ended.err


def test_data_says_what_is_passed_over(ganvas: Command, image_folder: Path) -> None:
    (image_folder / "a.psd").write_bytes(b"8BPS")
    shown = ganvas("data", image_folder)
    assert "note: 1 file passed over: 1 image of another kind (a.psd; convert them to PNG)" in shown.lines
    card = ganvas("data", image_folder, "--json").json
    assert card["notes"] == [line.removeprefix("note: ") for line in shown.lines if line.startswith("note: ")]
    assert card["passed_over"] == [
        {"what": "image of another kind", "count": 1, "files": ["a.psd"], "advice": "convert them to PNG"}
    ]
    words = ("train", "gan", "--preset", "tiny", "--data", image_folder, "--steps", "1", "--set", "batch_size=4")
    assert "data: 1 file passed over: 1 image" in ganvas(*words, "--dry-run").out
    assert "data: 1 file passed over: 1 image" in ganvas(*words, "--samples", "0").out
