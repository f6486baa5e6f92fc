"""The terms of VQ-VAE (van den Oord 2017, arXiv:1711.00937, eq. 3), and what a codebook's use is told in."""

from __future__ import annotations

import torch
from torch import Tensor


def reconstruction_error(x: Tensor, made: Tensor) -> Tensor:
    """-log p(x | z_q) of eq. 3 for a normal of fixed width, without its factor and constant: mean squared error, (N,).

    x and made (N, ...).
    """
    return (x - made).float().square().flatten(1).mean(1)


def codebook_error(z: Tensor, chosen: Tensor) -> Tensor:
    """|sg[z] - e|^2 of eq. 3, second term, over the numbers of a vector: moves the codes alone.

    z, chosen (..., E). Returns (...).
    """
    return (z.detach() - chosen).float().square().mean(-1)


def commitment_error(z: Tensor, chosen: Tensor) -> Tensor:
    """|z - sg[e]|^2 of eq. 3, third term, without its weight beta, over the numbers of a vector: moves the encoder alone.

    z, chosen (..., E). Returns (...).
    """
    return (z - chosen.detach()).float().square().mean(-1)


def perplexity(shares: Tensor) -> Tensor:
    """exp of the entropy of shares (K,) that sum to 1: the number of codes that as even a use would need, ()."""
    return torch.special.entr(shares.float()).sum().exp()
