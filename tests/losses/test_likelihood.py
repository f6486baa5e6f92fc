"""Likelihoods worked by hand, and probabilities that sum to 1."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from ganvas.losses.flow import flow_matching, guided, on_path
from ganvas.losses.likelihood import (
    bernoulli_log_likelihood,
    discretised_normal_log_likelihood,
    importance_bound,
    logistic_mixture_log_likelihood,
    logistic_mixture_mean,
    mixture_outputs,
)

LEVELS = torch.linspace(-1, 1, 256).view(256, 1, 1, 1)


def pixel(*numbers: float) -> torch.Tensor:
    """What a network says of one pixel, (1, P, 1, 1)."""
    return torch.tensor(numbers).view(1, -1, 1, 1)


def test_bernoulli_by_hand() -> None:
    """sigmoid(log 3) = 3/4: a 1 has log 3/4, a 0 log 1/4, a grey of 1/2 their mean; two pixels add up."""
    logits = torch.full((3, 1, 1, 2), math.log(3.0))
    x = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.5, 0.5]]).view(3, 1, 1, 2)
    three, one = math.log(0.75), math.log(0.25)
    assert_close(bernoulli_log_likelihood(x, logits), torch.tensor([2 * three, one + three, one + three]))


def test_bernoulli_of_sure_logits_is_finite() -> None:
    assert bernoulli_log_likelihood(torch.zeros(1, 1), torch.full((1, 1), 1000.0)).item() == -1000


@pytest.mark.parametrize(
    ("mu", "log_sigma"), [(0.0, -2.0), (0.31, -4.0), (-1.5, 0.0), (0.999, -7.0), (0.2, -20.0), (0.0, 3.0)]
)
def test_discretised_normal_sums_to_one(mu: float, log_sigma: float) -> None:
    said = torch.full_like(LEVELS, mu), torch.full_like(LEVELS, log_sigma)
    assert discretised_normal_log_likelihood(LEVELS, *said).exp().sum().item() == pytest.approx(1, abs=2e-4)


def test_discretised_normal_by_hand() -> None:
    """Three levels -1, 0, 1 and N(0, 1/4): 0 has Phi(1) - Phi(-1) = 0.6827, each end Phi(-1) = 0.1587."""
    x = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1)
    found = discretised_normal_log_likelihood(x, torch.zeros(3, 1), torch.full((3, 1), math.log(0.5)), levels=3)
    assert_close(found.exp(), torch.tensor([0.158655, 0.682689, 0.158655]), atol=1e-5, rtol=0)


def test_discretised_normal_far_away_is_finite_and_pulls() -> None:
    mu = torch.full((1, 1), 0.9, requires_grad=True)
    found = discretised_normal_log_likelihood(torch.full((1, 1), -0.5), mu, torch.full((1, 1), -6.0))
    found.sum().backward()
    assert math.isfinite(found.item()) and mu.grad is not None and mu.grad.item() < 0, "less mu, more likely"


def test_numbers_a_pixel() -> None:
    """10 a component for RGB (Salimans 2017), 3 for grey: a logit, a mean and a scale."""
    assert (mixture_outputs(3, 10), mixture_outputs(1, 5), mixture_outputs(2, 1)) == (100, 15, 6)


@pytest.mark.parametrize("scale", [-20.0, -5.0, -1.0, 3.0])
def test_logistic_mixture_sums_to_one_over_all_levels(scale: float) -> None:
    said = pixel(0.3, -1.0, -0.6, 0.8, scale, scale + 1).expand(256, -1, -1, -1)
    found = logistic_mixture_log_likelihood(LEVELS, said)
    assert found.shape == (256,) and bool(torch.isfinite(found).all())
    assert found.exp().sum().item() == pytest.approx(1, abs=2e-4)


def test_logistic_mixture_of_two_channels_sums_to_one() -> None:
    """Over all 5 x 5 pairs of levels: the second channel's mean moves with the first."""
    levels = torch.linspace(-1, 1, 5)
    x = torch.cartesian_prod(levels, levels).view(25, 2, 1, 1)
    said = pixel(0.2, -0.4, -0.5, 0.5, 0.3, -0.3, -1.0, -1.5, -0.5, -2.0, 0.7, -1.3).expand(25, -1, -1, -1)
    assert logistic_mixture_log_likelihood(x, said, levels=5).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_logistic_mixture_by_hand() -> None:
    """Three levels, one logistic of scale 1 at 0: 0 has sigmoid(1/2) - sigmoid(-1/2) = 0.2449, 1 has sigmoid(-1/2) = 0.3775.

    A second logistic far to the right, as likely: its mass is at 1, and both are halved.
    """
    x = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    alone = logistic_mixture_log_likelihood(x, pixel(0.0, 0.0, 0.0).expand(2, -1, -1, -1), levels=3)
    assert_close(alone.exp(), torch.tensor([0.244919, 0.377541]), atol=1e-5, rtol=0)
    two = logistic_mixture_log_likelihood(x, pixel(0.0, 0.0, 0.0, 50.0, 0.0, 0.0).expand(2, -1, -1, -1), levels=3)
    assert_close(two.exp(), torch.tensor([0.122459, 0.688770]), atol=1e-5, rtol=0)


def test_a_channel_is_told_by_those_before() -> None:
    """One component, three channels, coefficients tanh(a): mean of green m + g r, of blue m + g' r + g'' g (eq. 3)."""
    a = torch.tensor([0.5, -0.4, 0.2])
    g = a.tanh()
    x = torch.tensor([0.2, -0.2, 0.6]).view(1, 3, 1, 1)
    chained = logistic_mixture_log_likelihood(x, pixel(0, 0.1, 0.2, 0.3, -2, -2, -2, *a.tolist()))
    green, blue = 0.2 + g[0] * 0.2, 0.3 + g[1] * 0.2 - g[2] * 0.2
    plain = logistic_mixture_log_likelihood(x, pixel(0, 0.1, green.item(), blue.item(), -2, -2, -2, 0, 0, 0))
    assert_close(chained, plain)


def test_the_mean_of_a_mixture() -> None:
    """Shares 3/4 and 1/4 of means 0.4 and -0.4: 0.2. Two channels: green is 0.1 + tanh(1) red within each component."""
    assert logistic_mixture_mean(pixel(math.log(3.0), 0, 0.4, -0.4, -3, -3), 1).item() == pytest.approx(0.2)
    two = logistic_mixture_mean(pixel(math.log(3.0), 0, 0.4, -0.4, 0.1, 0.1, 0, 0, 0, 0, 1, 1), 2)
    assert two.flatten().tolist() == pytest.approx([0.2, 0.1 + math.tanh(1) * 0.2])


def test_importance_bound_by_hand() -> None:
    """Weights 1 and 3: log 2, above the mean of their logarithms."""
    weights = torch.tensor([[0.0], [math.log(3.0)]])
    assert importance_bound(weights).item() == pytest.approx(math.log(2))
    assert importance_bound(weights).item() > weights.mean().item()
    assert importance_bound(weights[1:]).item() == pytest.approx(math.log(3))


# --- flow ----------------------------------------------------------------------------------------------------------------


def test_a_straight_path_and_its_velocity() -> None:
    noise, x = torch.full((2, 1, 1, 2), -1.0), torch.full((2, 1, 1, 2), 3.0)
    t = torch.tensor([0.25, 1.0])
    assert on_path(noise, x, t).flatten(1).tolist() == [[0.0, 0.0], [3.0, 3.0]]
    velocity = torch.tensor([[4.0, 4.0], [4.0, 2.0]]).view(2, 1, 1, 2)  # the line's is 4
    assert flow_matching(velocity, noise, x).tolist() == [0.0, 2.0]


def test_guidance_goes_beyond() -> None:
    told, untold = torch.tensor([3.0]), torch.tensor([1.0])
    assert [guided(told, untold, weight).item() for weight in (0.0, 1.0, 2.5)] == [1.0, 3.0, 6.0]
