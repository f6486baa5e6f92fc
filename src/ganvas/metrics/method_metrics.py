"""What a trained method can be measured by follows from what it can do; a training and `ganvas evaluate` ask here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ganvas.abilities import HasLikelihood, Restores, Samples, Stylises, Tokenizes, Translates, offers
from ganvas.figure import Figure
from ganvas.method import Method
from ganvas.metrics.evaluate import measure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.likelihood import measure_likelihood
from ganvas.metrics.reconstruction import measure_reconstruction
from ganvas.metrics.restored import measure_restoration
from ganvas.metrics.solids import MAX_SOLIDS, measure_solids
from ganvas.metrics.stylising import measure_stylising
from ganvas.metrics.text_translation import measure_partner_likelihood, measure_text_translation
from ganvas.metrics.translation import measure_translation
from ganvas.metrics.videos import MAX_VIDEOS, measure_videos
from ganvas.registry import find, method_names

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

Measurements = dict[str, Callable[[], dict[str, Figure]]]


def measurements(
    method: Method,
    data: Dataset,
    sampled: Callable[[int], np.ndarray],
    *,
    samples: int,
    importance: int = 1,
    progress: Progress | None = None,
) -> Measurements:
    """{"samples": ..., "likelihood": ...}: each, called, gives figures by name, or DataError where `data` have too few examples.

    `sampled(n)` gives n finished samples of the method where it samples: images uint8 (n, H, W, C), volumes uint8 (n, D, H, W),
    videos uint8 (n, T, H, W, C).
    `samples` is how many are measured, or translated, at most; `importance` the draws for a bound of the likelihood.
    """
    measures: Measurements = {}
    if isinstance(method, Samples) and data.kind.is_image:
        measures["samples"] = lambda: measure(sampled(samples), data, data.part("test"), progress=progress)
    if isinstance(method, Samples) and data.kind.is_solid:
        measures["solids"] = lambda: measure_solids(sampled(min(samples, MAX_SOLIDS)), data, progress)
    if isinstance(method, Samples) and data.kind.moves:
        measures["videos"] = lambda: measure_videos(sampled(min(samples, MAX_VIDEOS)), data, progress)
    if isinstance(method, Translates) and data.kind.is_image:
        measures["translation"] = lambda: measure_translation(method, data, samples=samples)
    elif isinstance(method, Translates):
        measures["translation"] = lambda: measure_text_translation(method, data, samples=samples, progress=progress)
        if offers(method, Translates.partner_likelihood):
            measures["likelihood"] = lambda: measure_partner_likelihood(method, data, samples=samples)
    if isinstance(method, HasLikelihood):
        measures["likelihood"] = lambda: measure_likelihood(method, data, samples=importance)
    if isinstance(method, Tokenizes):
        measures["reconstruction"] = lambda: measure_reconstruction(method, data)
    if isinstance(method, Stylises):
        measures["stylising"] = lambda: measure_stylising(method, data)
    if isinstance(method, Restores) and offers(method, Restores.degrade):
        measures["restoration"] = lambda: measure_restoration(method, data)
    return measures


def unmeasured(name: str) -> str:
    """Why `ganvas evaluate` has no figures for a run of this method, and what to do; "" where it has some."""
    if name not in method_names():
        return ""
    cls = find(name)
    if issubclass(cls, (Samples, HasLikelihood, Tokenizes, Translates, Stylises)) or offers(cls, Restores.degrade):
        return ""
    why = f"{name} generates images from others, and its run alone cannot be evaluated"
    if issubclass(cls, Restores):
        return f"{why}: put results of `ganvas restore` into a folder for `ganvas evaluate FOLDER --data REAL_ONES`"
    return why
