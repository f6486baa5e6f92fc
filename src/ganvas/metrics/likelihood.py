"""How well a method predicts held-out examples: mean nats, or bits a value, exact or a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import HasLikelihood, Likelihood
from ganvas.data.feed import count_examples, examples_of
from ganvas.defaults import IMPORTANCE_SAMPLES
from ganvas.errors import DataError
from ganvas.metrics.readers import Progress

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

HELD = 10_000  # held-out images at most
AT_ONCE = 64  # examples; each such block has random numbers of its own
WINDOW = 1024  # tokens of text that one example predicts, from nothing known before it

Entry = dict[str, Any]


@torch.no_grad()
def measure_likelihood(
    method: HasLikelihood,
    data: Dataset,
    *,
    samples: int = IMPORTANCE_SAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Entry]:
    """{unit: {"value", "unit", "bound_or_exact", "n", "better", "split", ...}} of held-out images, at most 10,000.

    An estimated bound takes `samples` draws an image, and has `value_at_1` beside it: the same by one draw. Equal seeds measure
    equal images (where the method binarises them) with equal draws. `progress(what, done, of)` hears of each block. DataError
    where `data` are training images: those say nothing of likelihood.
    """
    held = data.part("test")
    if held is None or not count_examples(held, 1):
        raise DataError(
            f"{data.name} has no test split, and how probable a method finds the images it was trained on means nothing:"
            " raise data.holdout"
        )
    found = list(likelihoods(method, held, samples, seed, progress))
    entry = summary(found) | {"split": held.split}
    if entry["bound_or_exact"] == "bound":
        entry["samples"] = samples
        if samples > 1:
            entry["value_at_1"] = summary(likelihoods(method, held, 1, seed))["value"]
    return {entry["unit"]: entry}


def likelihoods(
    method: HasLikelihood, data: Dataset, samples: int, seed: int, progress: Progress | None = None
) -> Iterable[Likelihood]:
    """Block by block, of the first images of `data`."""
    window = max(1, min(WINDOW, len(data) - 1))  # of a short text, all of it is one example
    device, count = method.device, min(HELD, count_examples(data, window))
    for start in range(0, count, AT_ONCE):
        rows = np.arange(start, min(count, start + AT_ONCE))
        batch = examples_of(data, rows, window, device)
        # A generator a block: what is drawn about these images does not depend on how often z was drawn for those before.
        generator = torch.Generator().manual_seed(seed + start)
        yield method.likelihood(batch.real, batch.label, samples=samples, generator=generator)
        if progress:
            progress("likelihood", start + len(rows), count)


def summary(found: Iterable[Likelihood]) -> Entry:
    """The mean over all examples: nats an example, or bits a term. Blocks agree in unit and kind."""
    blocks = list(found)
    first = blocks[0]
    nats = sum(float(block.nats.double().sum()) for block in blocks)
    n = sum(len(block.nats) for block in blocks)
    terms = sum(_terms(block) for block in blocks)
    value = nats / n if first.unit == "nats" else nats / terms / math.log(2)
    entry: Entry = {"value": value, "unit": first.unit, "bound_or_exact": "exact" if first.exact else "bound", "n": n}
    return entry | {"better": "lower"} | ({"note": first.note} if first.note else {})


def _terms(block: Likelihood) -> float:
    counts = block.terms
    return float(counts.sum()) if isinstance(counts, Tensor) else float(counts * len(block.nats))
