"""Samples to look at, metrics, and the best weights so far; by the averaged weights, in the leading process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ganvas.data import Dataset
from ganvas.defaults import MEASURED_SEED
from ganvas.errors import DataError
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

        metrics = self.measure(averaged) if with_metrics and self.count else {}
        self.tell("evaluated", metrics, image_grid)
        self.keep_best(trainer, metrics)
        return seconds

    def measure(self, averaged: Method) -> dict[str, Any]:
        """Too few examples to measure by are no reason to stop training; that is said once. Likelihood is by one draw."""
        from ganvas.metrics import measurements

        metrics: dict[str, Any] = {}
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
                metrics |= measure()
            except DataError as error:
                self._impossible.add(name)
                self.tell("said", f"not measured: {error}")
        return metrics

    def keep_best(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """By the Fréchet distance; where nothing is sampled, by the first figure of which less or more is better."""
        sided = [name for name, entry in metrics.items() if entry.get("better") in ("lower", "higher")]
        distances = [name for name in sided if name.startswith("FD")]
        key = next(iter(distances + sided), None)
        if key is None:
            return
        value = metrics[key]["value"]
        sign = 1 if metrics[key]["better"] == "lower" else -1
        if trainer.best and not sign * value < sign * trainer.best["value"]:
            return
        trainer.remember_best({"metric": key, "value": value, "step": trainer.steps})
        self.writer.weights(trainer.method, trainer.average.networks, "best/weights.safetensors")
        self.writer.json("best/metrics.json", {"step": trainer.steps, "metrics": metrics})
