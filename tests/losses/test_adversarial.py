"""Each equation at logits chosen so that the value can be worked out by hand: sigmoid(ln 3) = 3/4."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.losses import adversarial as losses

LN3 = math.log(3.0)


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_cross_entropy_of_an_undecided_and_of_a_surer_discriminator() -> None:
    value = losses.discriminator_cross_entropy(logits(0.0, LN3, LN3), logits(0.0, -LN3, LN3))
    # D(x), D(G(z)): (1/2, 1/2), (3/4, 1/4), (3/4, 3/4)
    expected = [2 * math.log(2), -2 * math.log(3 / 4), -math.log(3 / 4) - math.log(1 / 4)]
    assert_close(value, torch.tensor(expected, dtype=torch.float64))


def test_cross_entropy_stays_finite_for_large_logits() -> None:
    real, fake = logits(-500.0, 500.0), logits(500.0, -500.0)
    value = losses.discriminator_cross_entropy(real, fake)
    assert_close(value, torch.tensor([1000.0, 0.0], dtype=torch.float64))
    value.sum().backward()
    assert_close(real.grad, torch.tensor([-1.0, 0.0], dtype=torch.float64))
    assert_close(fake.grad, torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_minimax_is_log_of_one_minus_d() -> None:
    assert_close(
        losses.minimax_generator(logits(LN3, -LN3)),
        torch.tensor([math.log(1 / 4), math.log(3 / 4)], dtype=torch.float64),
    )


def test_non_saturating_is_minus_log_d() -> None:
    assert_close(
        losses.non_saturating_generator(logits(LN3, -LN3)),
        torch.tensor([-math.log(3 / 4), -math.log(1 / 4)], dtype=torch.float64),
    )


def test_minimax_saturates_where_d_is_sure_and_the_other_does_not() -> None:
    """The slopes at a logit l are -D and -(1 - D): Goodfellow 2014, sec. 3."""
    sure = logits(-20.0)
    (minimax,) = torch.autograd.grad(losses.minimax_generator(sure).sum(), sure)
    (other,) = torch.autograd.grad(losses.non_saturating_generator(sure).sum(), sure)
    assert abs(minimax.item()) < 1e-8 and other.item() == pytest.approx(-1, abs=1e-8)


def test_least_squares() -> None:
    x = logits(3.0, -1.0)
    assert_close(losses.least_squares(x, 1.0), torch.tensor([2.0, 2.0], dtype=torch.float64))
    assert_close(losses.least_squares(x, 0.0), torch.tensor([4.5, 0.5], dtype=torch.float64))
    (slope,) = torch.autograd.grad(losses.least_squares(x, 1.0).sum(), x)
    assert_close(slope, torch.tensor([2.0, -2.0], dtype=torch.float64))


def test_wasserstein() -> None:
    real, fake = logits(5.0, -1.0), logits(2.0, 4.0)
    assert_close(losses.wasserstein_critic(real, fake), torch.tensor([-3.0, 5.0], dtype=torch.float64))
    assert_close(losses.wasserstein_generator(fake), torch.tensor([-2.0, -4.0], dtype=torch.float64))


def test_hinge_pulls_only_inside_the_margin() -> None:
    real, fake = logits(0.25, 1.5, -2.0), logits(-0.25, -3.0, 2.0)
    value = losses.hinge_discriminator(real, fake)
    assert_close(value, torch.tensor([1.5, 0.0, 6.0], dtype=torch.float64))
    value.sum().backward()
    assert_close(real.grad, torch.tensor([-1.0, 0.0, -1.0], dtype=torch.float64))
    assert_close(fake.grad, torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))


def test_relativistic_sees_the_gap_of_a_pair_only() -> None:
    real, fake = logits(1.0, 11.0, 0.0), logits(1.0 + LN3, 11.0 + LN3, 0.0)
    expected = torch.tensor([math.log(4), math.log(4), math.log(2)], dtype=torch.float64)  # softplus(ln 3) = ln(1 + 3)
    assert_close(losses.relativistic_discriminator(real, fake), expected)
    other_way = torch.tensor([math.log(4 / 3), math.log(4 / 3), math.log(2)], dtype=torch.float64)  # softplus(-ln 3)
    assert_close(losses.relativistic_generator(real, fake), other_way)


@pytest.mark.parametrize(
    "loss",
    [losses.discriminator_cross_entropy, losses.wasserstein_critic, losses.hinge_discriminator, losses.relativistic_discriminator,
     losses.relativistic_generator],
)  # fmt: skip
def test_gradients_of_pairs(loss) -> None:
    real, fake = logits(0.3, -1.7, 2.1, 0.4), logits(-0.2, 0.9, -2.3, 4.0)
    assert torch.autograd.gradcheck(loss, (real, fake))
    # A better discriminator never costs D more, nor a better generator G.
    slopes = torch.autograd.grad(loss(real, fake).sum(), (real, fake))
    sign = -1 if loss is losses.relativistic_generator else 1
    assert (sign * slopes[0] <= 0).all() and (sign * slopes[1] >= 0).all()


@pytest.mark.parametrize(
    "loss", [losses.minimax_generator, losses.non_saturating_generator, losses.wasserstein_generator]
)
def test_gradients_of_generators(loss) -> None:
    fake = logits(0.3, -1.7, 2.1)
    assert torch.autograd.gradcheck(loss, (fake,))
    (slope,) = torch.autograd.grad(loss(fake).sum(), fake)
    assert (slope < 0).all(), "G gains by images that D takes for real"


def test_values_keep_the_shape_of_the_logits() -> None:
    column = torch.zeros(5, 1)
    assert losses.discriminator_cross_entropy(column, column).shape == (5, 1)
    assert losses.least_squares(torch.zeros(5), 1.0).shape == (5,)
