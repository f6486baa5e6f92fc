"""Discrete draws with a gradient: Gumbel noise, and the softmax in place of the maximum."""

from __future__ import annotations

from torch import Tensor


def gumbel_noise(uniform: Tensor) -> Tensor:
    """-log(-log u), standard Gumbel numbers, of uniform numbers in [0, 1) of any shape.

    The greatest of logits + noise is a draw from softmax(logits) (Jang 2017, arXiv:1611.01144, eq. 1).
    """
    return -(-uniform.clamp_min(1e-20).log()).log()


def gumbel_softmax(logits: Tensor, noise: Tensor, inverse_temperature: float) -> Tensor:
    """softmax((logits + noise) / temperature) over the last axis (Jang 2017, eq. 2): shares that sum to 1 and are the nearer to
    the one-hot draw, the larger `inverse_temperature`."""
    return ((logits + noise) * inverse_temperature).softmax(-1)
