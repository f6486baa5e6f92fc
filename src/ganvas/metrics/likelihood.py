"""How well a method predicts held-out examples: mean nats, or bits a value, exact or a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import HasLikelihood, Likelihood
from ganvas.data.feed import Window, count_examples, examples_of
from ganvas.defaults import IMPORTANCE_SAMPLES
from ganvas.errors import DataError
from ganvas.figure import Figure
from ganvas.method import Method
from ganvas.metrics.extractors import Progress

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_EXAMPLES = 10_000  # held-out ones at most
EXAMPLES_PER_BLOCK = 64  # examples; each such block has random numbers of its own
WINDOW = 1024  # tokens of text that one example predicts, without context


@torch.no_grad()
def measure_likelihood(
    method: HasLikelihood,
    data: Dataset,
    *,
    samples: int = IMPORTANCE_SAMPLES,
    examples: int = MAX_EXAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Figure]:
    """The primary figure of held-out examples, at most `examples`, by its unit: {"nats": ...}, {"bits_per_dim": ...} and so on.

    Its detail "bound_or_exact" says which it is. An estimated bound takes `samples` draws per example, and has the detail
    "value_at_1" too: the same by one draw. Equal seeds measure equal images (where the method binarises them) with equal draws.
    `progress(what, done, of)` hears of each block. DataError without a test split: training images say nothing about likelihood.
    """
    held_out = data.part("test")
    if held_out is None or not count_examples(held_out, Window(1)):
        raise DataError(
            f"{data.name} has no test split, and how probable a method finds the images it was trained on means nothing:"
            " raise data.holdout"
        )
    blocks = list(likelihoods(method, held_out, samples, examples, seed, progress))
    figure = summary(blocks)
    details = dict(figure.details)
    if not blocks[0].exact:
        details["samples"] = samples
        if samples > 1:
            details["value_at_1"] = summary(likelihoods(method, held_out, 1, examples, seed)).value
    return {figure.unit: figure.replace(split=held_out.split, details=details)}


def likelihoods(
    method: HasLikelihood, data: Dataset, samples: int, examples: int, seed: int, progress: Progress | None = None
) -> Iterable[Likelihood]:
    """Block by block, of the first images of `data`."""
    window = Window(max(1, min(WINDOW, len(data) - 1)))  # of a short text, all of it is one example
    if isinstance(method, Method) and method.from_lines:
        window = method.text_window()
    device, count = method.device, min(examples, count_examples(data, window))
    for start in range(0, count, EXAMPLES_PER_BLOCK):
        rows = np.arange(start, min(count, start + EXAMPLES_PER_BLOCK))
        batch = examples_of(data, rows, window, device)
        # A generator a block: what is drawn about these images does not depend on how often z was drawn for those before.
        generator = torch.Generator().manual_seed(seed + start)
        yield method.likelihood(batch.real, batch.label, samples=samples, generator=generator)
        if progress:
            progress("likelihood", start + len(rows), count)


def summary(blocks: Iterable[Likelihood]) -> Figure:
    """The mean over all examples: nats per example, or bits per term. Blocks agree in unit and kind."""
    blocks = list(blocks)
    first = blocks[0]
    nats, terms, n = 0.0, 0.0, 0
    for block in blocks:
        nats += float(block.nats.double().sum())
        terms += _terms(block)
        n += len(block.nats)
    value = nats / n if first.unit == "nats" else nats / terms / math.log(2)
    return Figure(
        value=value,
        better="lower",
        n=n,
        unit=first.unit,
        note=first.note,
        primary=True,
        details={"bound_or_exact": "exact" if first.exact else "bound"},
    )


def _terms(block: Likelihood) -> float:
    counts = block.terms
    if isinstance(counts, Tensor):
        return float(counts.sum())
    return float(counts * len(block.nats))
