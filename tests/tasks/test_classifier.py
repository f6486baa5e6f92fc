"""Training the small classifier: reproducible, and what oversampling, re-weighting and generated images change."""

from __future__ import annotations

import numpy as np
import torch

from ganvas.data import open_data
from ganvas.tasks.classifier import Labelled, classifier_steps, labelled_part, predictions, train_classifier
from parts import held_out


def recall(network: torch.nn.Module, held: Labelled, number: int) -> float:
    of_class = held.rows(torch.nonzero(held.labels == number)[:, 0])
    return float((predictions(network, of_class.images) == number).double().mean())  # pyright: ignore[reportArgumentType]


def test_a_seed_gives_the_same_weights_and_leaves_the_callers_alone() -> None:
    real = labelled_part(open_data("digits"), 50)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = train_classifier(real, 10, seed=1, steps=5, changes=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    second, third = (train_classifier(real, 10, seed=seed, steps=5, changes=True) for seed in (1, 2))
    assert torch.equal(first.linear.weight, second.linear.weight)
    assert not torch.equal(first.linear.weight, third.linear.weight)


def test_a_rare_class_is_found_by_oversampling_and_by_weights() -> None:
    data = open_data("digits")
    assert data.labels is not None
    rows = np.concatenate([np.flatnonzero(data.labels == 4)[:100], np.flatnonzero(data.labels == 9)[:4]])
    real = Labelled(labelled_part(data).images[rows], torch.tensor([0] * 100 + [1] * 4))
    test = held_out(data)
    held = labelled_part(test)
    chosen = torch.nonzero((held.labels == 4) | (held.labels == 9))[:, 0]
    held = Labelled(held.images[chosen], (held.labels[chosen] == 9).long())
    plain = recall(train_classifier(real, 2, seed=0, steps=80), held, 1)
    assert recall(train_classifier(real, 2, seed=0, steps=80, oversample=True), held, 1) > plain + 0.05
    assert recall(train_classifier(real, 2, seed=0, steps=80, reweight=True), held, 1) > plain + 0.05
    more = Labelled(held.images[::2], held.labels[::2])  # as good as generated images can be
    assert recall(train_classifier(real, 2, seed=0, steps=80, generated=more), held, 1) > plain + 0.2


def test_steps_follow_the_real_images() -> None:
    assert [classifier_steps(n) for n in (10, 1920, 6400, 60_000)] == [300, 300, 1000, 1500]
