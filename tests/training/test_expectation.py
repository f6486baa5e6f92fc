"""`ganvas train --dry-run` answers fast: it takes a few steps and measures a few images, whatever the size of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganvas.metrics
import ganvas.metrics.evaluate
from ganvas.data import open_data
from ganvas.errors import DataError
from ganvas.training.config import TrainConfig
from ganvas.training.expectation import TIMED_STEPS, expect
from ganvas.training.prepare import start
from ganvas.training.time_plan import FEWEST_SAMPLES
from parts import data_for, image_file, small


@pytest.fixture(scope="module")
def many(_own_cache: None) -> Path:
    return image_file((1, 8, 8), 1000)


def dry(data: Path, **given: Any) -> TrainConfig:
    return TrainConfig(method="gan", preset="tiny", data=str(data), device="cpu", precision="fp32", **given)


def test_few_steps_and_few_images(many: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extracted: list[int] = []
    extract = ganvas.metrics.evaluate.extract

    def counted(extractor: Any, images: np.ndarray, *more: Any) -> Any:
        extracted.append(len(images))
        return extract(extractor, images, *more)

    monkeypatch.setattr(ganvas.metrics.evaluate, "extract", counted)
    session = start(dry(many, minutes=2))
    expected = expect(session)
    assert session.trainer.steps <= 1 + TIMED_STEPS
    assert extracted == [FEWEST_SAMPLES] * 3  # training images, held-out ones and samples
    assert 30 <= expected.training_seconds < 120 and expected.seconds == pytest.approx(120, abs=1)
    assert not (tmp_path / "runs").exists()


def test_the_features_of_many_real_images_take_their_time(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they take longer than the budget, training keeps its least share of it and the whole takes longer."""
    session = start(dry(many, minutes=1))
    monkeypatch.setattr(session.evaluator, "seconds_by_a_few", lambda *_: (0.1, 100.0))
    expected = expect(session)
    assert expected.training_seconds == pytest.approx(15, abs=0.1)
    assert expected.seconds > 115


@pytest.mark.parametrize("kind", ["audio", "text", "parallel_text", "video", "volumes"])
def test_data_that_are_no_images(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where their measures refuse the data, that is a line in a training's log, which a dry run does not have."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise DataError("too few")

    monkeypatch.setattr(ganvas.metrics, "measurements", lambda *_, **__: {"refused": refuse})
    name = {"audio": "wavenet", "text": "rnn_text", "parallel_text": "seq2seq", "video": "mocogan", "volumes": "gan3d"}[
        kind
    ]
    config = TrainConfig(method=small(name), data=data_for(name), device="cpu", precision="fp32", minutes=1)
    assert expect(start(config)).steps > 0
    assert not (tmp_path / "runs").exists()


def test_the_first_of_each_split(many: Path) -> None:
    data = open_data(str(many))
    few, test = data.first(5), data.part("test")
    held_out = few.part("test")
    assert test is not None and held_out is not None
    assert np.array_equal(few.images, data.images[:5]) and np.array_equal(held_out.images, test.images[:5])
    assert few.fingerprint == held_out.fingerprint == ""
    assert few.labels is not None and data.labels is not None and np.array_equal(few.labels, data.labels[:5])
