"""What experiment loggers get: the log's own keys, the grid of samples, the settings; a resume continues the same log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganvas
from ganvas.errors import UsageError
from ganvas.run import Run
from ganvas.training import loggers
from ganvas.training.config import LOGGERS, TrainConfig, logger_names
from ganvas.training.loggers import MetricLogger, flat, make_loggers
from parts import train_small


class Notes(MetricLogger):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[tuple[int, dict[str, Any]]] = []
        self.values: list[tuple[int, str, float]] = []
        self.images: list[tuple[int, str, np.ndarray]] = []
        self.texts: list[tuple[int, str, str]] = []
        self.ended = 0

    def begin(self, folder: Path, settings: dict[str, Any], *, step: int) -> None:
        self.began.append((step, settings))

    def scalars(self, values: dict[str, float], step: int) -> None:
        self.values += [(step, name, value) for name, value in values.items()]

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        self.images.append((step, name, pixels))

    def text(self, name: str, content: str, step: int) -> None:
        self.texts.append((step, name, content))

    def end(self) -> None:
        self.ended += 1


def test_it_gets_what_the_log_gets(tmp_path: Path) -> None:
    notes = Notes()
    run = train_small("gan", tmp_path / "run", 3, samples=32, callbacks=[notes])
    rows = {(row["step"], key): value for row in run.log() if "event" not in row for key, value in row.items()}
    logged = {(step, name): value for step, name, value in notes.values if name == "generator/loss"}
    assert logged and all(rows[place] == value for place, value in logged.items())
    names = {name for _, name, _ in notes.values}
    assert {"metrics/" + name for name in run.metrics["metrics"]} & names and "health/rollbacks" in names
    step, name, grid = notes.images[-1]
    assert (step, name, grid.dtype) == (3, "samples", np.uint8) and grid.shape[2] in (1, 3)
    began, settings = notes.began[0]
    assert (began, notes.ended) == (0, 1)
    assert settings["settings.lr"] == run.info["settings"]["lr"] and settings["method"] == "gan"
    assert "command" not in settings and "git" not in settings


def test_texts_are_texts(tmp_path: Path) -> None:
    notes = Notes()
    train_small("rnn_text", tmp_path / "run", 2, callbacks=[notes])
    assert notes.texts[-1][:2] == (2, "samples") and not notes.images


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, []), ("none", []), ("wandb", ["wandb"]), ("tensorboard, wandb", ["tensorboard", "wandb"]),
        (["trackio", "trackio"], ["trackio"]),
    ],
)  # fmt: skip
def test_several_are_joined_by_commas(given: Any, names: list[str]) -> None:
    assert logger_names(TrainConfig("gan", "digits", log_to=given).log_to) == names


def test_another_one_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"log_to must be tensorboard, wandb, trackio or none \(got 'tensorbord'\); did you mean"
    ):
        TrainConfig("gan", "digits", log_to="tensorbord")


@pytest.mark.parametrize("name", LOGGERS)
def test_a_missing_package_is_a_sentence_with_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=rf'--log-to {name} needs the package .*: pip install "ganvas\[{name}\]"'):
        train_small("gan", tmp_path / "run", 1, log_to=name)
    assert not (tmp_path / "run").exists()


def test_settings_are_flat() -> None:
    nested = {"a": {"b": 1, "c": {"d": None}}, "command": ["/home/x"], "widths": [1, 2]}
    assert flat(nested) == {"a.b": 1, "widths": "[1, 2]"}


def test_loggers_are_made_once_each() -> None:
    assert make_loggers(None) == []


# --- the packages themselves ------------------------------------------------------------------------------------------------


def test_tensorboard_reads_it_and_a_resume_continues(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # pyright: ignore[reportMissingImports]
        EventAccumulator,
    )

    run = train_small("gan", tmp_path / "run", 2, samples=32, log_to="tensorboard")
    ganvas.train(resume=run.folder, steps=4, device="cpu")
    assert Run(run.folder).info["log_to"] == "tensorboard"
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    steps = [event.step for event in events.Scalars("generator/loss")]
    assert steps == sorted(set(steps)) and steps[-1] == 4 and min(steps) <= 2
    assert "samples" in events.Tags()["images"] and events.Images("samples")[-1].height > 0
    assert any(tag.startswith("metrics/FD") for tag in events.Tags()["scalars"])
    hparams = EventAccumulator(str(run.folder / "tensorboard" / "hparams")).Reload()
    assert "_hparams_/session_start_info" in hparams.summary_metadata


def test_wandb_writes_offline_and_a_resume_keeps_the_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = train_small("gan", tmp_path / "run", 2, log_to="wandb")
    identity = json.loads((run.folder / "wandb" / "run.json").read_text())["id"]
    ganvas.train(resume=run.folder, steps=3, device="cpu")
    assert json.loads((run.folder / "wandb" / "run.json").read_text())["id"] == identity
    files = list((run.folder / "wandb").glob(f"offline-run-*/run-{identity}.wandb"))
    assert files and all(path.stat().st_size > 500 for path in files)


def test_trackio_keeps_a_new_run_apart_and_a_resume_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "base"))  # read when it is imported
    pytest.importorskip("trackio")
    for place in ("one", "two"):  # two runs of one name
        run = train_small("gan", tmp_path / place / "run", 2, samples=32, log_to="trackio")
    ganvas.train(resume=run.folder, steps=3, device="cpu", quiet=True)
    assert capfd.readouterr().out == ""

    base = sqlite3.connect(tmp_path / "base" / "ganvas.db")
    steps: dict[str, list[int]] = {}
    figures: list[str] = []
    for identity, step, content in base.execute("select run_id, step, cast(metrics as text) from metrics"):
        if "generator/loss" in content:
            steps.setdefault(identity, []).append(step)
        figures += [name for name in json.loads(content) if name.startswith("metrics/FD[")]
    assert sorted(max(one) for one in steps.values()) == [2, 3]
    assert len(figures) >= 3
    assert list((tmp_path / "base" / "media").rglob("*.png"))
