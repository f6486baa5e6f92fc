"""Policy gradients: the mean over all choices is the gradient of the expected reward, with and without a baseline."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from ganvas.losses.policy import advantages, policy_gradient

REWARDS = torch.tensor([1.0, 0.25])


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_a_choice_of_two_has_the_analytic_gradient(baseline: float) -> None:
    """With p = softmax(a, b), d E[reward] / da = p_a p_b (r_a - r_b), and the opposite for b. By hand: p = (3/4, 1/4) gives
    3/16 * 3/4 = 9/64."""
    logits = torch.tensor([3.0, 1.0]).log().requires_grad_()
    log_p = logits.log_softmax(0)
    loss = (log_p.detach().exp() * policy_gradient(log_p, REWARDS - baseline)).sum()  # the mean over draws from p
    (gradient,) = torch.autograd.grad(loss, logits)
    assert_close(-gradient, torch.tensor([9 / 64, -9 / 64]))


def test_rewards_have_no_gradient() -> None:
    log_p, rewards = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
    policy_gradient(log_p, rewards).sum().backward()
    assert rewards.grad is None
    assert_close(log_p.grad, torch.tensor([-1.0, -1.0]))


def test_advantages_have_no_mean_at_any_place() -> None:
    rewards = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert_close(advantages(rewards), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    scaled = advantages(rewards, scale=True)
    assert_close(scaled.square().mean(), torch.tensor(1.0), atol=1e-4, rtol=0)
