"""Samples to look at, metrics, and the best weights so far; by the averaged weights, in the leading process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ganvas.data import Dataset
from ganvas.defaults import MEASURED_SEED
from ganvas.errors import DataError
from ganvas.figure import Figure, figures_as_dict, primary_figure
from ganvas.method import Method
from ganvas.preview import preview
from ganvas.run import RunWriter
from ganvas.sampling import sample, to_uint8
from ganvas.training.trainer import Trainer


class Evaluator:
    """`count` is the number of samples in a measurement; 0 measures nothing. `tell(event, *content)` reaches the callbacks."""

    def __init__(self, data: Dataset, count: int, writer: RunWriter, tell: Callable[..., None]) -> None:
        self.data, self.count, self.writer, self.tell = data, count, writer, tell
        self._impossible: set[str] = set()  # measures that these data do not allow

    def evaluate(self, trainer: Trainer, *, with_metrics: bool) -> float:
        """Tells the callbacks what it found, keeps the weights if they are the best, and returns the seconds of sampling."""
        averaged = trainer.average.method

        # Samples of fixed seeds. What is no image is told to the callbacks as it is, too.
        started = time.perf_counter()
        samples, image_grid = preview(averaged, self.data)
        seconds = time.perf_counter() - started
        if samples is not None and not self.data.kind.is_image:
            self.tell("sampled", samples, self.data.spec)

        figures: dict[str, Figure] = {}
        if with_metrics and self.count:
            figures = self.measure(averaged)
        self.tell("evaluated", figures, image_grid)
        self.keep_best(trainer, figures)
        return seconds

    def measure(self, averaged: Method) -> dict[str, Figure]:
        """Too few examples to measure by are no reason to stop training; that is said once. Likelihood is by one draw."""
        from ganvas.metrics import measurements

        figures: dict[str, Figure] = {}
        asked = measurements(
            averaged,
            self.data,
            lambda: to_uint8(sample(averaged, self.count, MEASURED_SEED)),
            samples=self.count,
        )
        for name, measure in asked.items():
            if name in self._impossible:
                continue
            try:
                figures |= measure()
            except DataError as error:
                self._impossible.add(name)
                self.tell("said", f"not measured: {error}")
        return figures

    def keep_best(self, trainer: Trainer, figures: dict[str, Figure]) -> None:
        """By the primary figure; a run whose best weights were chosen by another figure keeps to that one. What is no number is
        never best, and values of two figures are not compared."""
        name = trainer.best["metric"] if trainer.best else primary_figure(figures)
        if name not in figures or figures[name].better is None or not math.isfinite(figures[name].value):
            return
        figure = figures[name]
        if trainer.best and not figure.is_better_than(trainer.best["value"]):
            return
        trainer.remember_best({"metric": name, "value": figure.value, "step": trainer.steps})
        self.writer.weights(trainer.method, trainer.average.networks, "best/weights.safetensors")
        self.writer.json("best/metrics.json", {"step": trainer.steps, "metrics": figures_as_dict(figures)})
