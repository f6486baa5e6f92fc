"""Likelihoods over a data set: units by hand, blocks, what data without a test split meet."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

from ganvas.abilities import HasLikelihood, Likelihood
from ganvas.errors import DataError
from ganvas.metrics.likelihood import measure_likelihood, summary
from parts import images


class Brightness(HasLikelihood):
    """Each image costs its mean brightness in nats, and 1 / draws more; it is a bound."""

    def __init__(self, unit: str = "nats", exact: bool = False) -> None:
        super().__init__()
        self.here = nn.Parameter(torch.zeros(()))
        self.unit, self.exact, self.asked = unit, exact, []

    def compute_likelihood(self, examples, labels, samples, generator):
        assert generator is not None and labels is not None and len(labels) == len(examples)
        self.asked.append((len(examples), samples, torch.rand((), generator=generator).item()))
        nats = (examples + 1).mean((1, 2, 3)) + (0 if self.exact else 1 / samples)
        return Likelihood(nats, self.unit, terms=examples[0].numel(), exact=self.exact, note="by hand")


def test_a_bound_by_one_draw_and_by_many() -> None:
    data, method = images((1, 28, 28), 1000), Brightness()
    assert isinstance(method, HasLikelihood)
    found = measure_likelihood(method, data, samples=4, seed=5)
    held = data.part("test")
    assert held is not None and len(held) == 100
    bright = held.images.mean() / 127.5
    entry = found["nats"]
    assert entry.value == pytest.approx(bright + 0.25, abs=1e-5)
    assert entry.details["value_at_1"] == pytest.approx(bright + 1, abs=1e-5)
    known = {"unit": "nats", "bound_or_exact": "bound", "n": 100, "samples": 4, "better": "lower", "split": "test"}
    told = entry.as_dict()
    assert told | known == told and entry.note == "by hand"
    many, one = method.asked[:2], method.asked[2:]
    assert [block[:2] for block in many] == [(64, 4), (36, 4)] and [block[:2] for block in one] == [(64, 1), (36, 1)]
    assert [block[2] for block in many] == [block[2] for block in one], (
        "the same images are drawn for any number of draws"
    )
    assert many[0][2] != many[1][2]


def test_an_exact_one_is_asked_once() -> None:
    data, method = images((2, 30, 50)), Brightness("bits_per_dim", exact=True)
    entry = measure_likelihood(method, data, samples=7)["bits_per_dim"]
    held = data.part("test")
    assert held is not None and len(method.asked) == 1
    assert entry.value == pytest.approx(held.images.mean() / 127.5 / 3000 / math.log(2), rel=1e-5)
    assert (
        entry.details["bound_or_exact"] == "exact"
        and "samples" not in entry.details
        and "value_at_1" not in entry.details
    )


def test_bits_are_shared_out_over_all_terms() -> None:
    """log 2 nats over 2 characters and 3 log 2 over 6: 4 bits over 8 characters, not the mean of two quotients."""
    nats, terms = torch.tensor([1.0, 3.0]) * math.log(2), torch.tensor([2, 6])
    texts = [Likelihood(nats, "bits_per_character", terms), Likelihood(nats[:1], "bits_per_character", terms[:1])]
    assert summary(texts).value == pytest.approx(5 / 10) and summary(texts[:1]).value == pytest.approx(0.5)
    assert summary(texts).n == 3
    assert summary([Likelihood(nats, "nats", terms)]).value == pytest.approx(2 * math.log(2))


def test_training_images_are_refused() -> None:
    alone = dataclasses.replace(images(), _parts={})
    with pytest.raises(DataError, match=r"has no test split.*raise data.holdout"):
        measure_likelihood(Brightness(), alone)
