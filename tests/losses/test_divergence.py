"""Numbers of entropies, likelihoods and divergences, worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence
from torch.testing import assert_close

from ganvas.losses.divergence import (
    categorical_entropy,
    categorical_log_likelihood,
    normal_kl,
    normal_log_likelihood,
    paired_information,
    uniform_entropy,
)
from ganvas.losses.perceptual import feature_distance


def test_kl_of_a_normal() -> None:
    """mu 3 alone: 9/2. Variance 4 alone: (4 - 1 - log 4) / 2. A standard normal: 0."""
    mu, logvar = (
        torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        torch.tensor([[0.0, 0.0], [math.log(4.0), 0.0], [0.0, 0.0]]),
    )
    assert_close(normal_kl(mu, logvar), torch.tensor([4.5, (3 - math.log(4)) / 2, 0.0]))


def test_kl_is_that_of_torch() -> None:
    random = torch.Generator().manual_seed(0)
    mu, logvar = torch.randn(5, 3, generator=random), torch.randn(5, 3, generator=random)
    theirs = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert_close(normal_kl(mu, logvar), theirs)


def test_log_likelihood_of_a_normal() -> None:
    """Two values at their mean: -log(2 pi); one of them 2 away: 2 less; of variance e^2: log(2 pi) / 2 + 1 + 4 / (2 e^2)."""
    x, mu = torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.tensor([[1.0, 5.0], [1.0, 5.0]])
    assert_close(normal_log_likelihood(x, mu), torch.tensor([0.0, -2.0]) - math.log(2 * math.pi))
    wide = normal_log_likelihood(torch.tensor([[2.0]]), torch.zeros(1, 1), torch.tensor([[2.0]]))
    assert_close(wide, torch.tensor([-(math.log(2 * math.pi) / 2 + 1 + 4 / (2 * math.e**2))]))


def test_log_likelihood_of_a_category() -> None:
    """Logits (log 3, 0) are the odds 3 to 1."""
    logits = torch.tensor([[math.log(3.0), 0.0]] * 2)
    assert_close(categorical_log_likelihood(torch.eye(2), logits), torch.tensor([math.log(3 / 4), math.log(1 / 4)]))
    assert torch.isfinite(categorical_log_likelihood(torch.eye(2), torch.tensor([[-1e4, 1e4]] * 2))).all()


def test_entropies() -> None:
    assert categorical_entropy(2) == pytest.approx(0.6931472)
    assert categorical_entropy(10) == pytest.approx(float(Categorical(torch.ones(10)).entropy()), abs=1e-6)
    assert uniform_entropy(-1, 1) == pytest.approx(math.log(2))
    assert uniform_entropy(0, 1) == 0.0


def test_feature_distance_is_half_the_square_and_zero_for_equals() -> None:
    a = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]])
    assert feature_distance(a, a).tolist() == [0.0, 0.0]
    assert feature_distance(a, torch.zeros_like(a)).tolist() == [2.5, 0.0]


def test_information_of_two_readings() -> None:
    """Four examples, two categories. Both views sure and alike: log 2. The second view blind: 0. One of four read otherwise:
    (1/4, 1/4; 0, 1/2), made symmetric (1/4, 1/8; 1/8, 1/2)."""
    sure = 50 * torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert_close(paired_information(sure, sure), torch.tensor(math.log(2)))
    assert_close(paired_information(sure, torch.zeros(4, 2)), torch.tensor(0.0), atol=1e-6, rtol=0)
    most = 50 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    joint = torch.tensor([[0.25, 0.125], [0.125, 0.5]])
    own = joint.sum(1)
    expected = sum(joint[i, j] * math.log(joint[i, j] / (own[i] * own[j])) for i in range(2) for j in range(2))
    assert_close(paired_information(sure, most), torch.as_tensor(expected))
    collapsed = 50 * torch.tensor([[1.0, 0.0]] * 4)
    assert float(paired_information(collapsed, collapsed)) < 1e-6, "one category for everything says nothing"
