"""Figures of a trained method, each with its reference: whatever its abilities allow to measure."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from ganvas.data import Dataset
from ganvas.defaults import IMPORTANCE_SAMPLES, MEASURED_SAMPLES, MEASURED_SEED
from ganvas.errors import DataError, RunError, UsageError
from ganvas.figure import Figure
from ganvas.method import Method
from ganvas.metrics import measurements
from ganvas.metrics.method_metrics import unmeasured
from ganvas.sampling import finished_samples


def evaluate(
    method: Method,
    data: Dataset,
    *,
    samples: int | None = None,
    seed: int = MEASURED_SEED,
    importance_samples: int = IMPORTANCE_SAMPLES,
    say: Callable[[str], None] = warnings.warn,
) -> dict[str, Figure]:
    """Figures by name of a method in eval mode against `data`, which have the shape of the method's own data.

    `samples` images (None: 2000) from seed `seed` on are generated; `importance_samples` are the draws per image for a likelihood
    that is a bound. `say` is called with a sentence for what `data` are too few to measure.
    RunError where there is nothing to measure; DataError where the data do not fit, or are too few for every figure.
    """
    count = MEASURED_SAMPLES if samples is None else samples
    if count < 1:
        raise UsageError(f"samples must be at least 1 (got {samples})")
    if importance_samples < 1:
        raise UsageError(f"importance_samples must be at least 1 (got {importance_samples})")
    if why := unmeasured(method.name):
        raise RunError(why)
    check_shape(f"the images of this {method.name}", method.spec.shape, data)

    figures: dict[str, Figure] = {}
    failed: list[DataError] = []
    asked = measurements(
        method, data, lambda n: finished_samples(method, n, seed), samples=count, importance=importance_samples
    )
    for measure in asked.values():
        try:
            figures |= measure()
        except DataError as error:
            failed.append(error)
    if not figures and failed:
        raise failed[0]
    for error in failed:
        say(f"not measured: {error}")
    return figures


def check_shape(what: str, shape: tuple[int, int, int], data: Dataset) -> None:
    """DataError where images of `shape` (C, H, W) cannot be measured against `data`."""
    if shape != data.spec.shape:
        raise DataError(
            f"{what} are {_words(shape)}, those of {data.source} {_words(data.spec.shape)}:"
            " only like can be measured against like"
        )


def _words(shape: tuple[int, int, int]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' * (shape[0] != 1)}"
