"""`ganvas augment`: a folder of labelled images and its page, an evaluation that is resumed, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import Command
from ganvas.data import open_data
from ganvas.run import Run
from parts import held_out, labels_of

TINY = ("--preset", "tiny", "--steps", 3, "--device", "cpu")


@pytest.fixture(scope="module")
def data(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 digits of classes zero, one and two, and 60 held-out ones."""
    digits = open_data("digits")
    path = tmp_path_factory.mktemp("digits") / "three.npz"
    arrays: dict[str, np.ndarray] = {}
    for split, part, count in (("train", digits, 150), ("test", held_out(digits), 60)):
        rows = np.flatnonzero(labels_of(part) < 3)[:count]
        arrays[f"x_{split}"] = part.images[rows]
        arrays[f"y_{split}"] = np.array(["zero", "one", "two"])[labels_of(part)[rows]]
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


def test_images_of_a_method_and_of_its_run(ganvas: Command, data: Path) -> None:
    made = ganvas("augment", data, "--with", "vae", *TINY, "--per-class", 5, "--no-check", "--out", "more")
    assert made.code == 0, made.err
    assert "15 images written to more/" in made.out and "no agreement check" in made.out
    assert sorted(path.name for path in Path("more").iterdir()) == ["one", "two", "zero"]
    assert len(open_data("more", holdout=0)) == 15
    page = Path("more.html").read_text()
    assert page.count("<img") == 15 and "no agreement check" in page.lower()
    # The generator is a run, of these training images.
    again = ganvas(
        "augment", data, "--with", "more-generator", "--per-class", 5, "--no-check", "--out", "again", "--json"
    )
    assert again.code == 0, again.err
    assert again.json["n"] == 15 and again.json["checked"] is False
    one, other = (Path(folder) / "one" / "seed1000003.png" for folder in ("more", "again"))
    assert one.read_bytes() == other.read_bytes()
    # The run's report, which was written anew, has the counts of each class.
    kept = json.loads(Path("more-generator/augment.json").read_text())
    assert kept["classes"] == again.json["classes"] and (kept["data"], kept["step"]) == ("three", 3)
    report = Path("more-generator/report.html").read_text()
    assert "15 images for three" in report and "No agreement check: every image is kept" in report
    shown = ganvas("data", one)
    assert "--label one" in shown.out and "more-generator" in shown.out


def test_an_evaluation_goes_on_where_it_stopped(ganvas: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.tasks.classifier.LEAST_STEPS", 5)  # what is measured is not looked at here
    words = ("augment", data, "--evaluate", "--with", "cgan", *TINY, "--per-class", 4, "--no-check", "--out", "work")
    first = ganvas(*words, "--sizes", "2", "--seeds", 1, "--json")
    assert first.code == 0, first.err
    assert first.json["tables"][0]["size"] == 2 and set(first.json["ways"]) == {
        "nothing", "standard", "generated", "both",
    }  # fmt: skip
    begun = Path("work/cell-2-0.json").stat().st_mtime_ns
    more = ganvas(*words, "--sizes", "2", "--seeds", 2)
    assert more.code == 0, more.err
    assert Path("work/cell-2-0.json").stat().st_mtime_ns == begun and Path("work/cell-2-1.json").is_file()
    assert "2 labelled images a class: accuracy on 60 held-out images" in more.out
    assert "over nothing" in more.out and "generated images" in more.out and "work/augment.html" in more.out
    assert "Do generated images help" in Path("work/augment.html").read_text()
    other = ganvas(*words, "--sizes", "2", "--seeds", 1, "--set", "z_dim=5")
    assert (other.code, "another generator" in other.err) == (1, True)


def test_a_folder_is_a_generator_only_where_it_is_named(ganvas: Command, data: Path, trained: Path) -> None:
    """A run in a folder `vae` is not taken for the method vae that is the default."""
    shutil.copytree(trained, "vae")
    made = ganvas(
        "augment",
        data,
        "--preset",
        "few",
        "--steps",
        1,
        "--device",
        "cpu",
        "--per-class",
        1,
        "--no-check",
        "--out",
        "m",
    )
    assert made.code == 0 and "training the generator into m-generator" in made.err, made.err
    named = ganvas("augment", data, "--with", "vae", "--out", "n")
    assert named.code == 1 and "this gan is not class-conditional" in named.err


def test_a_full_folder_is_refused_before_anything_is_generated(
    ganvas: Command, data: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    monkeypatch.setattr(Run, "augment", lambda *given, **options: pytest.fail("generated"))
    ended = ganvas("augment", data, "--with", trained, "--out", "full")
    assert ended.code == 2 and "full holds something already" in ended.err


def test_sentences(ganvas: Command, data: Path, trained: Path) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    np.savez("plain.npz", images=np.zeros((30, 28, 28, 1), np.uint8))
    for words, code, message in [
        ([data], 2, "--out DIR is missing"),
        ([data, "--out", "full", *TINY], 2, "full holds something already"),
        ([data, "--with", "denoise", "--out", "x"], 2, "denoise generates no images of a class that is asked for"),
        ([data, "--with", "no_such", "--out", "x"], 2, "unknown method no_such"),
        ([data, "--with", trained, "--out", "x"], 1, "not class-conditional"),
        ([data, "--with", trained, "--preset", "tiny", "--out", "x"], 2, "is trained already"),
        ([data, "--with", trained, "--evaluate"], 2, "--with takes a METHOD here"),
        ([data, "--best", "--out", "x"], 2, "--best is about a RUN"),
        ([data, "--rare", "one", "--out", "x"], 2, "--rare is a question of --evaluate"),
        ([data, "--unlabelled", "--out", "x"], 2, "--unlabelled is a part of --evaluate"),
        ([data, "--evaluate", "--sizes", "5,many"], 2, "--sizes takes numbers and all"),
        ([data, "--evaluate", "--sizes", "5000", *TINY], 1, "choose smaller sizes"),
        ([data, "--evaluate", "--rare", "four", *TINY], 2, "there is no class four"),
        ([data, "--steps", 0, "--out", "x"], 2, "--steps must be at least 1"),
        (["plain.npz", "--out", "x", *TINY], 1, "has no labels"),
        (["plain.npz", "--with", trained, "--out", "x"], 1, "has no labels"),
        (["gone.npz", "--out", "x"], 1, "there is no data set and no path 'gone.npz'"),
    ]:
        found = ganvas("augment", *words)
        assert (found.code, message in found.err) == (code, True), (words, found.code, found.err)
