"""A request becomes a command line, or a sentence that says what is wrong with it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import GanvasError
from ganvas.studio import jobs
from ganvas.studio.jobs import Place
from ganvas.studio.queue import Queue


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "runs" / ".studio"
    folder.mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    (folder / "folders").write_text(f"0-photos\t{tmp_path / 'photos'}\n")
    return Place.of(folder)


def words(place: Place, kind: str, request: dict[str, Any]) -> list[str]:
    title, run = jobs.check(place, kind, request)
    folder = place.runs.folder / ".studio"
    job = Queue(folder).add(kind, jobs.settled(place, kind, request), title, run)
    return jobs.command_line(job, folder, folder / "files")


def test_a_training(place: Place) -> None:
    request = {
        "method": "r3gan", "data": "folder:0-photos", "name": "mine", "options": {"minutes": 2, "preset": "cpu", "guard": True},
        "settings": {"lr": 0.01, "widths": [32, 16]}, "data_settings": {"size": 32},
    }  # fmt: skip
    runs = place.runs.folder
    assert words(place, "train", request) == [
        sys.executable, "-m", "ganvas", "train", "r3gan", "--data", str(place.folders["0-photos"]), "--minutes", "2.0",
        "--preset", "cpu", "--guard", "--set", "lr=0.01", "--set", "widths=32-16", "--set", "data.size=32",
        "--out", str(runs / "mine"), "--resume", "auto", "--json",
    ]  # fmt: skip


def test_a_run_explained_exported_and_uploaded(place: Place) -> None:
    """Files go into the job's own folder; only the upload leaves the machine, and it says where to."""
    run = place.runs.folder / "mine"
    run.mkdir()
    (run / "settings.json").write_text("{}")
    files = place.runs.folder / ".studio" / "files"
    assert words(place, "explain", {"run": "mine"})[3:] == [
        "explain", str(run), "--out", str(files / "explain.html"), "--json",
    ]  # fmt: skip
    assert files.is_dir()
    asked = {"run": "mine", "to": "page", "weights": "best", "licence": "cc-by-4.0"}
    assert words(place, "export", asked)[3:] == [
        "export", str(run), "--to", "page", "--out", str(files / "mine.html"), "--best", "--licence", "cc-by-4.0", "--json",
    ]  # fmt: skip
    assert words(place, "push", {"run": "mine", "name": "me/digits", "private": True})[3:] == [
        "push", str(run), "me/digits", "--private", "--json",
    ]  # fmt: skip


def test_labelled_images_of_a_run(place: Place) -> None:
    """Of the run's own data with its own settings; what an interrupted attempt wrote is removed; folders are packed."""
    run = place.runs.folder / "mine"
    run.mkdir()
    (run / "settings.json").write_text(
        '{"data": "digits", "data_settings": {"size": 14, "every": null, "mirror": false}}'
    )
    files = place.runs.folder / ".studio" / "files"
    (files / "images" / "0").mkdir(parents=True)
    images = files / "images"
    assert words(place, "augment", {"run": "mine", "per_class": 3})[3:] == [
        "augment", "digits", "--with", str(run), "--out", str(images), "--per-class", "3", "--set", "data.size=14",
        "--set", "data.mirror=False", "--json",
    ]  # fmt: skip
    assert not images.exists()
    (images / "0").mkdir(parents=True)
    (images / "0" / "seed1.png").write_bytes(b"x")
    (files / "images.html").write_text("page")
    jobs.pack(files)
    assert sorted(path.name for path in files.iterdir()) == ["images.html", "images.zip"]
    with zipfile.ZipFile(files / "images.zip") as archive:
        assert "0/seed1.png" in archive.namelist()
    (run / "settings.json").write_text('{"data": "--out=/tmp/x", "data_settings": {}}')
    with pytest.raises(GanvasError, match="no command takes"):
        words(place, "augment", {"run": "mine"})


def test_whether_generated_images_help(place: Place) -> None:
    """Of data, not of a run; it continues in its own folder, and no value becomes an option."""
    request = {"source": "folder:0-photos", "sizes": "5,all", "seeds": 3, "rare": "--out", "settings": {"size": 14}}
    files = place.runs.folder / ".studio" / "files"
    assert words(place, "augmentation", request)[3:] == [
        "augment", str(place.folders["0-photos"]), "--evaluate", "--out", str(files), "--sizes", "5,all", "--seeds", "3",
        "--rare=--out", "--set", "data.size=14", "--json",
    ]  # fmt: skip
    assert jobs.check(place, "augmentation", request) == ("Would generated images help? photos", "")
    for change, message in (({"source": "set:digts"}, "did you mean digits"), ({"sizes": "5;6"}, "sizes must match")):
        with pytest.raises(GanvasError, match=message):
            jobs.check(place, "augmentation", request | change)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("export", {"to": "exe"}),
        ("export", {"to": "onnx", "licence": "--out"}),
        ("export", {"to": "onnx", "out": "/tmp/x"}),
        ("push", {"name": "--out/x"}),
        ("push", {"name": "me/../x"}),
        ("push", {"name": "me"}),
        ("explain", {"weights": "other"}),
        ("explain", {"run": "../mine"}),
    ],
)
def test_words_of_ones_own_are_refused(place: Place, kind: str, change: dict[str, Any]) -> None:
    run = place.runs.folder / "mine"
    run.mkdir()
    (run / "settings.json").write_text("{}")
    with pytest.raises(GanvasError):
        jobs.check(place, kind, {"run": "mine", **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "r3gam"}, "there is no method r3gam; did you mean r3gan?"),
        ({"data": "digits"}, "names no data"),
        ({"data": "set:digts"}, "did you mean digits?"),
        ({"data": "/etc"}, "names no data"),
        ({"data": "folder:../../etc"}, "names no data"),
        ({"data": "data:0123456789abcdef"}, "not here"),
        ({"name": "../x"}, "name must match"),
        ({"name": "-rf"}, "name must match"),
        ({"name": ".studio"}, "name must match"),
        ({"options": {"out": "/tmp/x"}}, "there is no option out"),
        ({"options": {"log_to": "wandb"}}, "there is no option log_to"),
        ({"options": {"resume": "x"}}, "there is no option resume"),
        ({"options": {"minutes": -1}}, "minutes must be > 0"),
        ({"options": {"preset": "tyni"}}, "did you mean tiny?"),
        ({"options": {"precision": "fp8"}}, "precision must be one of"),
        ({"settings": {"learning": 1}}, "r3gan has no setting learning"),
        ({"codes": "nothing"}, "there is no run"),
        ({"callbacks": []}, "has no 'callbacks'"),
    ],
)
def test_refused(place: Place, change: dict[str, Any], message: str) -> None:
    with pytest.raises(GanvasError) as error:
        jobs.check(place, "train", {"method": "r3gan", "data": "set:digits", "name": "x", **change})
    assert message in str(error.value)


def test_what_is_asked_of_runs(place: Place) -> None:
    run = place.runs.folder / "r"
    run.mkdir()
    (run / "settings.json").write_text("{}")
    (run / "log.jsonl").write_text('{"step": 9, "seconds": 30}\n{"event": "finished", "step": 9, "waited": 90.0}\n')
    assert words(place, "evaluate", {"run": "r", "samples": 100})[3:] == [
        "evaluate",
        str(run),
        "--samples",
        "100",
        "--json",
    ]
    assert words(place, "directions", {"run": "r"})[3:] == ["edit", str(run), "--find", "--count", "10", "--json"]
    assert words(place, "extend", {"run": "r", "minutes": 1})[3:] == [
        "train",
        "--resume",
        str(run),
        "--minutes",
        "2.5",
        "--json",
    ]
    assert words(place, "apply", {"run": "r", "name": "s"})[3:6] == ["doctor", str(run), "--apply"]
    with pytest.raises(GanvasError, match="there is no run 'nothing'"):
        jobs.check(place, "evaluate", {"run": "nothing"})
    with pytest.raises(GanvasError, match="a run r is here already"):
        jobs.check(place, "train", {"data": "set:digits", "name": "r"})
    with pytest.raises(GanvasError, match="did you mean evaluate"):
        jobs.check(place, "evaluat", {"run": "r"})
