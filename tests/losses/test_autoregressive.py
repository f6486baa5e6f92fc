"""Distributions of a channel given what came before: their numbers by hand, and that they are distributions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from ganvas.losses.autoregressive import (
    Binary,
    Categorical,
    Distribution,
    LogisticMixture,
    drawn,
    log_logistic,
    to_levels,
    to_values,
)

EACH = [Binary(2), Categorical(2, 3), Categorical(1, 5), LogisticMixture(2, 3, 4), LogisticMixture(3, 2, 2)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_bytes_are_their_own_levels() -> None:
    images = torch.arange(256).float() / 127.5 - 1
    assert to_levels(images, 256).tolist() == list(range(256))
    assert to_levels(images, 2).tolist() == [0] * 128 + [1] * 128
    assert_close(to_values(to_levels(images, 256), 256), images)


@pytest.mark.parametrize("levels", [2, 3, 16, 100, 200, 255, 256])
def test_a_level_survives_being_written_as_a_byte(levels: int) -> None:
    codes = torch.arange(levels)
    bytes_ = ((to_values(codes, levels) + 1) * 127.5).round()
    assert torch.equal(to_levels(bytes_ / 127.5 - 1, levels), codes)


def test_binary_by_hand() -> None:
    """Logits log 3 and 0: probabilities of 1 are 3/4 and 1/2."""
    raw = torch.tensor([math.log(3.0), 0.0]).view(1, 1, 1, 2)
    image = torch.tensor([0, 1]).view(1, 1, 1, 2)
    assert Binary(1).log_likelihood(raw, image).item() == pytest.approx(math.log(0.25 * 0.5), rel=1e-6)
    assert Binary(1).cumulative(torch.tensor([[math.log(3.0)]]), torch.empty(1, 0)).item() == pytest.approx(0.25)


def test_categorical_by_hand() -> None:
    """Two channels of three levels, weights 1 : 2 : 5 and 1 : 1 : 2."""
    raw = torch.tensor([1.0, 2.0, 5.0, 1.0, 1.0, 2.0]).log().view(1, 6, 1, 1)
    codes = torch.tensor([2, 0]).view(1, 2, 1, 1)
    assert Categorical(2, 3).log_likelihood(raw, codes).item() == pytest.approx(math.log(5 / 8 * 1 / 4), rel=1e-6)
    assert_close(Categorical(2, 3).cumulative(raw[:, :3, 0, 0], torch.empty(1, 0)), torch.tensor([[1 / 8, 3 / 8]]))


def test_a_logistic_by_hand() -> None:
    """Three levels -1, 0, 1 with edges -1/2 and 1/2, mean 0.2, scale 1/2."""
    low, high = sigmoid((-0.5 - 0.2) / 0.5), sigmoid((0.5 - 0.2) / 0.5)
    found = log_logistic(torch.arange(3), torch.tensor(0.2), torch.tensor(math.log(0.5)), 3).exp()
    assert_close(found, torch.tensor([low, high - low, 1 - high]))


def test_a_logistic_stays_finite_far_from_its_mean() -> None:
    """Scale e^-7, 2 away: log p = -(2 - 1/255) e^7 + log(1 - exp(-2/255 e^7)), which no difference of sigmoids holds."""
    mean = torch.tensor(-1.0, requires_grad=True)
    far = log_logistic(torch.tensor(254), mean, torch.tensor(-7.0), 256)
    inverse, half = math.exp(7), 1 / 255
    value = 254 * 2 / 255 - 1
    assert far.item() == pytest.approx(
        -(value + 1 - half) * inverse + math.log1p(-math.exp(-2 * half * inverse)), rel=1e-5
    )
    far.backward()
    assert mean.grad is not None and mean.grad.item() == pytest.approx(inverse, rel=1e-4)


def test_a_mixture_of_two_channels_by_hand() -> None:
    """Weights 1 : 3; the second channel's mean moves by tanh(a) times the first's value."""
    made = LogisticMixture(2, 3, 2)
    weights, means, scales, pair = [0.0, math.log(3)], [0.1, -0.4, 0.3, 0.6], [-1.0, -0.5, -0.7, -0.2], [0.8, -1.5]
    raw = torch.tensor([*weights, *means, *scales, *pair])
    assert made.outputs == len(raw)

    def mass(k: int, mean: float, log_scale: float) -> float:
        low = 0.0 if k == 0 else sigmoid((k - 1.5 - mean) / math.exp(log_scale))
        high = 1.0 if k == 2 else sigmoid((k - 0.5 - mean) / math.exp(log_scale))
        return high - low

    for first, second in itertools.product(range(3), range(3)):
        expected = sum(
            weight * mass(first, means[i], scales[i])
            * mass(second, means[2 + i] + math.tanh(pair[i]) * (first - 1), scales[2 + i])
            for i, weight in enumerate((0.25, 0.75))
        )  # fmt: skip
        codes = torch.tensor([first, second]).view(1, 2, 1, 1)
        assert made.log_likelihood(raw.view(1, -1, 1, 1), codes).exp().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("made", EACH, ids=str)
def test_cumulative_sums_the_likelihood(made: Distribution) -> None:
    """All pixels of all levels: their probabilities are the products of the steps of `cumulative`, and sum to 1."""
    torch.manual_seed(0)
    raw = torch.randn(made.outputs)
    channels: int = made.channels  # pyright: ignore[reportAttributeAccessIssue]
    total = 0.0
    for codes in itertools.product(range(made.levels), repeat=channels):
        pixel = torch.tensor(codes)
        product = 1.0
        for c in range(channels):
            part = raw.chunk(made.groups)[c if made.groups > 1 else 0]
            below = made.cumulative(part[None], to_values(pixel[None, :c], made.levels))[0]
            steps = torch.cat([torch.zeros(1), below, torch.ones(1)]).diff()
            product *= steps[codes[c]].item()
        likelihood = made.log_likelihood(raw.view(1, -1, 1, 1), pixel.view(1, -1, 1, 1)).exp().item()
        assert likelihood == pytest.approx(product, rel=1e-4, abs=1e-7)
        total += likelihood
    assert total == pytest.approx(1, abs=1e-5)


def test_drawing_inverts_the_cumulative_distribution() -> None:
    """1 : 2 : 5 of 8: level 0 up to 1/8, level 1 up to 3/8."""
    raw = torch.tensor([1.0, 2.0, 5.0]).log().expand(5, 3)
    uniform = torch.tensor([0.0, 0.12, 0.13, 0.37, 0.999])
    assert drawn(Categorical(1, 3), raw, uniform, torch.empty(5, 0)).tolist() == [-1, -1, 0, 0, 1]


def test_drawing_at_a_temperature() -> None:
    """1 : 2 : 5 is 1 : 4 : 25 at a temperature of 0.5, for a softmax as for a mixture; at 0 the most probable remains."""
    raw = torch.tensor([1.0, 2.0, 5.0]).log().expand(6, 3)
    uniform = torch.tensor([0.0, 0.03, 0.04, 0.16, 0.17, 0.999])
    none = torch.empty(6, 0)
    assert drawn(Categorical(1, 3), raw, uniform, none, 0.5).tolist() == [-1, -1, 0, 0, 1, 1]
    assert drawn(Categorical(1, 3), raw, uniform, none, 0.0).tolist() == [1] * 6

    made, numbers = LogisticMixture(1, 8, 2), torch.rand(4000)
    raw = torch.randn(1, made.outputs)
    shares = torch.cat([torch.zeros(1), made.cumulative(raw, none[:1])[0], torch.ones(1)]).diff()
    values = drawn(made, raw.expand(4000, -1), numbers, torch.empty(4000, 0), 0.5)
    found = torch.bincount(to_levels(values, 8), minlength=8) / 4000
    assert_close(found, shares.square() / shares.square().sum(), atol=0.03, rtol=0)


def test_components_begin_side_by_side() -> None:
    made = LogisticMixture(3, 256, 5)
    _, means, scales, coefficients = made.split(made.bias()[None, :, None])
    assert_close(means[0, 2, :, 0], torch.tensor([-0.9, -0.45, 0.0, 0.45, 0.9]))
    assert scales.unique().tolist() == [-1.5] and not coefficients.any()
