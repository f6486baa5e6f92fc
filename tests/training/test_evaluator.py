"""Which weights best/ keeps."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ganvas.figure import Figure
from ganvas.run import RunWriter
from ganvas.training.evaluator import Evaluator
from parts import images, small, trainer_for


def translation(l1: float, distance: float) -> dict[str, Figure]:
    return {"L1": Figure(l1, "lower", 4, primary=True), "FD[digits]": Figure(distance, "lower", 4, reference=0.1)}


def evaluator(folder: Path) -> Evaluator:
    return Evaluator(images(), 4, RunWriter(folder), lambda event, *content: None)


def test_best_goes_by_the_primary_figure(tmp_path: Path) -> None:
    trainer, keeper = trainer_for(small("dcgan")), evaluator(tmp_path)
    kept: list[bool] = []
    for step, figures in enumerate([translation(0.5, 9.0), translation(0.6, 1.0), translation(0.4, 20.0), {}], start=1):
        trainer.steps = step
        keeper.keep_best(trainer, figures)
        kept.append(bool(trainer.best) and trainer.best["step"] == step)
    assert kept == [True, False, True, False]
    assert trainer.best == {"metric": "L1", "value": 0.4, "step": 3}
    best = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert best["step"] == 3 and best["metrics"]["FD[digits]"]["value"] == 20.0
    assert (tmp_path / "best" / "weights.safetensors").exists()


def test_a_run_keeps_to_the_figure_that_it_began_with(tmp_path: Path) -> None:
    """Runs of earlier versions went by the Fréchet distance: an L1 must not be compared with it."""
    trainer, keeper = trainer_for(small("dcgan")), evaluator(tmp_path)
    trainer.remember_best({"metric": "FD[digits]", "value": 5.0, "step": 1})
    keeper.keep_best(trainer, translation(0.1, 6.0))
    assert trainer.best["step"] == 1 and not (tmp_path / "best").exists()
    keeper.keep_best(trainer, translation(0.9, 4.0))
    assert trainer.best["metric"] == "FD[digits]" and trainer.best["value"] == 4.0


def test_figures_without_a_better_side_keep_nothing(tmp_path: Path) -> None:
    trainer = trainer_for(small("dcgan"))
    evaluator(tmp_path).keep_best(trainer, {"size": Figure(3.0)})
    assert not trainer.best and not (tmp_path / "best").exists()


def test_what_is_no_number_is_never_best(tmp_path: Path) -> None:
    trainer, keeper = trainer_for(small("dcgan")), evaluator(tmp_path)
    keeper.keep_best(trainer, translation(math.nan, 1.0))
    assert not trainer.best
    keeper.keep_best(trainer, translation(0.5, 1.0))
    assert trainer.best["value"] == 0.5


def test_values_of_two_figures_are_not_compared(tmp_path: Path) -> None:
    """30 dB, where higher is better, is no improvement of a distance of 5."""
    trainer = trainer_for(small("dcgan"))
    trainer.remember_best({"metric": "FD[digits]", "value": 5.0, "step": 1})
    evaluator(tmp_path).keep_best(trainer, {"PSNR": Figure(30.0, "higher", 4, primary=True)})
    assert trainer.best == {"metric": "FD[digits]", "value": 5.0, "step": 1}
