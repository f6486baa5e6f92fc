"""Samples to look at, metrics, and the best weights so far; by the averaged weights, in the leading process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ganvas.abilities import Samples
from ganvas.chunks import CHUNK
from ganvas.data import Dataset
from ganvas.defaults import MEASURED_SEED
from ganvas.errors import DataError
from ganvas.figure import Figure, figures_as_dict, primary_figure
from ganvas.method import Method
from ganvas.preview import preview
from ganvas.run import RunWriter
from ganvas.sampling import finished_blocks
from ganvas.training.time_plan import TimePlan
from ganvas.training.trainer import Trainer

SAMPLES_PER_CALL = 2 * CHUNK  # samples that are generated before the next look at the clock
MAX_REAL_IMAGES = 10_000  # real images whose features are computed, about: 50,000 by the quickest extractor
LONG_TRIAL_SHARE = 0.03  # of the budget: a measurement that takes longer is tried once only


class Evaluator:
    """`count` is the number of samples in a measurement; 0 measures nothing. `tell(event, *content)` reaches the callbacks."""

    def __init__(
        self, data: Dataset, count: int, writer: RunWriter, tell: Callable[..., None], plan: TimePlan | None = None
    ) -> None:
        self.data, self.count, self.writer, self.tell = data, count, writer, tell
        self.plan = plan or TimePlan(None, time.perf_counter(), lambda phase: None)
        self._impossible: set[str] = set()  # measures that these data do not allow

    def evaluate(self, trainer: Trainer, *, with_metrics: bool) -> float:
        """Tells the callbacks what it found, keeps the weights if they are the best, and returns the seconds of sampling."""
        averaged = trainer.average.method

        # Samples of fixed seeds. What is no image is told to the callbacks as it is, too.
        started = time.perf_counter()
        with self.plan.phase("sampling", f"step {trainer.steps}"):
            samples, image_grid = preview(averaged, self.data)
        seconds = time.perf_counter() - started
        if samples is not None and not self.data.kind.is_image:
            self.tell("sampled", samples, self.data.spec)

        figures: dict[str, Figure] = {}
        if with_metrics and self.count:
            with self.plan.phase("measuring", f"step {trainer.steps}"):
                figures = self.measure(averaged, self.count)
        self.tell("evaluated", figures, image_grid)
        self.keep_best(trainer, figures)
        return seconds

    def seconds_of(self, trainer: Trainer, count: int) -> float:
        """What a measurement by `count` samples takes, once what depends on the real data alone is there."""
        averaged = trainer.average.method
        taken = 0.0
        for _ in range(2):
            started = time.perf_counter()
            self.measure(averaged, count)
            taken, before = time.perf_counter() - started, taken
            if before == 0.0 and self.plan.budget is not None and taken > LONG_TRIAL_SHARE * self.plan.budget:
                break  # a second one would cost too much of the budget
        return taken

    def seconds_by_a_few(self, trainer: Trainer, count: int) -> tuple[float, float]:
        """(seconds of a measurement by `count` samples, seconds before the first one for what depends on the real data alone),
        estimated from `count` images of each split: all of them may take minutes."""
        averaged, test = trainer.average.method, self.data.part("test")
        few = Evaluator(self.data.first(count), count, self.writer, lambda *_: None)
        started = time.perf_counter()
        few.measure(averaged, count)
        taken = time.perf_counter() - started
        held_out = 0 if test is None else len(test)
        few_held_out = min(count, held_out)
        if not isinstance(averaged, Samples):  # all of the test split is translated, restored or coded
            return taken * max(1.0, held_out / max(1, few_held_out)), 0.0

        started = time.perf_counter()
        few._sampled(averaged, count)
        sampling = time.perf_counter() - started
        real, few_real = len(self.data), min(count, len(self.data))
        each = max(0.0, taken - sampling) / (count + few_real + few_held_out)
        return sampling + each * count, each * (min(real, MAX_REAL_IMAGES) + min(held_out, MAX_REAL_IMAGES))

    def measure(self, averaged: Method, count: int) -> dict[str, Figure]:
        """Too few examples to measure by are no reason to stop training; that is said once. Likelihood is by one draw."""
        from ganvas.metrics import measurements

        figures: dict[str, Figure] = {}
        asked = measurements(
            averaged,
            self.data,
            lambda n: self._sampled(averaged, n),
            samples=count,
            progress=self.plan.progress,
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

    def _sampled(self, averaged: Method, count: int) -> np.ndarray:
        """Finished samples, a few at a time: as floats they would take four times the memory."""
        blocks: list[np.ndarray] = []
        done = 0
        for _, block in finished_blocks(averaged, count, MEASURED_SEED, at_once=SAMPLES_PER_CALL):
            blocks.append(block)
            done += len(block)
            self.plan.progress("samples", done, count)
        return np.concatenate(blocks)

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
