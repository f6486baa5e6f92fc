"""Policy gradients: how likely chosen tokens become, by the rewards that followed them."""

from __future__ import annotations

from torch import Tensor


def policy_gradient(log_probabilities: Tensor, rewards: Tensor) -> Tensor:
    """-log p(token) * reward (Williams 1992, REINFORCE; Yu 2017, eq. 8, negated), of the shape of both.

    Its gradient, averaged over tokens drawn from p, is that of the negative expected reward. `rewards` have no gradient; a
    number subtracted from all rewards of one place (a baseline) leaves that average as it is and lowers its variance.
    """
    return -log_probabilities * rewards.detach()


def advantages(rewards: Tensor, scale: bool = False) -> Tensor:
    """`rewards` (N, T) less their mean over the N rows of each place (Williams 1992, the baseline of sec. 4); with `scale`
    divided by the standard deviation of all of them."""
    centred = rewards - rewards.mean(0, keepdim=True)
    if not scale:
        return centred
    return centred / (centred.square().mean().sqrt() + 1e-6)
