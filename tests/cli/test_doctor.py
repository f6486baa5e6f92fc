"""`ganvas doctor`: words, JSON, exit codes; --apply makes a run; the end of `train`, its view and its report say the same."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from command_line import QUICK, Command
from ganvas.cli.doctor import train_changed
from ganvas.cli.view import Screen
from ganvas.doctor import Change, Diagnosis, Finding
from ganvas.report.sections_measures import doctor_section
from ganvas.run import Run
from ganvas.training.health import Health
from logs import write_log
from parts import image_file, small, train_small, trainer_for


@pytest.fixture(autouse=True, scope="module")
def _patient() -> Iterator[None]:
    """These trainings take a second, and are looked at all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Health, "affordable", lambda *_: True)
        yield


TRAIN = ("train", "gan", "--preset", "tiny", "--samples", 0, *QUICK)


@pytest.fixture(scope="module")
def many(_own_cache: None) -> Path:
    """Enough images for a training of 150 steps."""
    return image_file((1, 10, 12), 1500)


@pytest.fixture(scope="module")
def sleepy(tmp_path_factory: pytest.TempPathFactory, many: Path) -> tuple[Path, str]:
    """A run whose steps are far too short to go anywhere, and what its training printed."""
    from ganvas.cli.main import main

    folder, said = tmp_path_factory.mktemp("runs") / "asleep", io.StringIO()
    words = (*TRAIN, "--data", many, "--steps", 150, "--set", "lr=1e-8", "--out", folder)
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as end:
        main([*map(str, words)])
    assert not end.value.code
    return folder, said.getvalue()


@pytest.fixture
def asleep(sleepy: tuple[Path, str]) -> Path:
    return sleepy[0]


def test_words_and_json(ganvas: Command, asleep: Path) -> None:
    said = ganvas("doctor", asleep)
    assert said.code == 0
    assert "doctor: learning_rate_too_low (confidence " in said.out and "  change: --set lr=" in said.out
    found = ganvas("doctor", asleep, "--json").json
    assert found["healthy"] is False and found["step"] == 150
    first = {one["name"]: one for one in found["findings"]}["learning_rate_too_low"]
    assert first["change"].startswith("--set lr=") and first["settings"]["lr"] > 1e-8
    assert 0.5 <= first["confidence"] <= 1 and first["evidence"]


def test_a_note_does_not_make_a_training_ill(ganvas: Command, tmp_path: Path) -> None:
    folder = write_log(tmp_path, settings={"batch_size": 2})
    said = ganvas("doctor", folder)
    assert said.code == 0 and said.out.startswith(
        "doctor: no trouble found (note: unusual_setting)\nnote: unusual_setting"
    )
    assert "No harm is seen" in said.out and "  change: --set batch_size=16 (" in said.out
    found = ganvas("doctor", folder, "--json").json
    assert found["healthy"] is True and found["findings"][0]["level"] == "note"
    shown = doctor_section(cast(Run, SimpleNamespace(folder=folder))).html
    assert "No trouble found." in shown and "Note: Unusual setting" in shown


def test_too_short_a_run_is_not_judged(ganvas: Command, trained: Path) -> None:
    assert ganvas("doctor", trained).out.startswith("doctor: not enough to tell")
    found = ganvas("doctor", trained, "--json")
    assert found.code == 0 and found.json["healthy"] is None and found.json["findings"] == []


def test_bad_words(ganvas: Command, tmp_path: Path, trained: Path) -> None:
    missing = ganvas("doctor", tmp_path / "nowhere")
    assert missing.code == 1 and "there is no log" in missing.err
    assert "give both" in ganvas("doctor", trained, "--out", tmp_path / "new").err
    nothing = ganvas("doctor", trained, "--apply")
    assert nothing.code == 1 and "there is no setting to change" in nothing.err
    assert "in one process only" in ganvas(*TRAIN, "--data", "digits", "--guard", "--nproc", 2).err


def test_apply_trains_on_with_the_change(ganvas: Command, asleep: Path, tmp_path: Path) -> None:
    done = ganvas("doctor", asleep, "--apply", "--out", tmp_path / "new", "--json")
    assert done.code == 0 and done.json["steps"] == 150
    old, new = (json.loads((folder / "settings.json").read_text()) for folder in (asleep, tmp_path / "new"))
    changed = {key for key in new["settings"] if new["settings"][key] != old["settings"][key]}
    assert changed == {"lr"} and new["settings"]["lr"] > 1e-8
    assert new["fingerprint"] == old["fingerprint"] and new["budget"] == old["budget"]


@pytest.mark.parametrize("instructions", [True, False])
def test_apply_knows_the_codes_and_the_machine(
    instructions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prior is started again upon the same codes; bf16 is taken over only where it is not emulated."""
    first = train_small("vq_vae", tmp_path / "first", 1)
    old = train_small("code_prior", tmp_path / "old", 1, codes=first.folder)
    settings = json.loads((old.folder / "settings.json").read_text())
    (old.folder / "settings.json").write_text(json.dumps({**settings, "precision": "bf16"}))
    monkeypatch.setattr("ganvas.precision.has_bf16", lambda device: instructions)
    finding = Finding("learning_rate_too_low", 0.9, {}, Change("", {"lr": 0.01}))
    train_changed(old.folder, Diagnosis(False, (finding,), 1), tmp_path / "new", json=True)
    new = Run(tmp_path / "new").info
    assert (new["settings"]["lr"], new["precision"]) == (0.01, "bf16" if instructions else "fp32")


def test_train_and_report_say_it_too(ganvas: Command, sleepy: tuple[Path, str], many: Path, tmp_path: Path) -> None:
    folder, said = sleepy
    assert "try --set lr=" in said, "while it trains"
    assert said.rindex("doctor: learning_rate_too_low") > said.index("finished step 150")
    page = (folder / "report.html").read_text()
    assert "What the doctor says" in page and "Learning rate too low" in page and "--apply" in page
    words = (*TRAIN, "--data", many, "--steps", 150, "--set", "lr=1e-8")
    assert ganvas(*words, "--out", tmp_path / "again", "--json").json["doctor"]["healthy"] is False


def test_the_screen_has_a_line_for_it(tmp_path: Path) -> None:
    stream = io.StringIO()
    view = Screen(Console(file=stream, force_terminal=True, width=100, height=30, color_system="truecolor"))
    trainer = trainer_for(small("gan"))
    view.started(trainer)
    change = Change("a smaller learning rate", {"lr": 1e-4})
    view.diagnosed(trainer, Diagnosis(False, (Finding("divergence", 0.87, {}, change),), 7))
    view.diagnosed(trainer, Diagnosis(None, (), 7, "the log is short"))
    view.close()
    shown = stream.getvalue()
    assert "doctor: divergence (87%), try --set lr=0.0001" in shown
    assert "doctor: not enough to tell: the log is short" in shown
