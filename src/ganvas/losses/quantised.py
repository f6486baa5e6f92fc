"""The terms of VQ-VAE (van den Oord 2017, arXiv:1711.00937, eq. 3), and the perplexity of a codebook."""

from __future__ import annotations

import torch
from torch import Tensor


def reconstruction_error(x: Tensor, reconstructed: Tensor) -> Tensor:
    """-log p(x | z_q) of eq. 3 for a normal of fixed width, without its factor and constant: mean squared error, (N,).

    x and reconstructed (N, ...).
    """
    return (x - reconstructed).float().square().flatten(1).mean(1)


def codebook_error(z: Tensor, chosen: Tensor) -> Tensor:
    """|sg[z] - e|^2 of eq. 3, second term, mean over a vector. Its gradient trains only the codes.

    z, chosen (..., E). Returns (...).
    """
    return (z.detach() - chosen).float().square().mean(-1)


def commitment_error(z: Tensor, chosen: Tensor) -> Tensor:
    """|z - sg[e]|^2 of eq. 3, third term, without its weight beta, mean over a vector. Its gradient trains only the encoder.

    z, chosen (..., E). Returns (...).
    """
    return (z - chosen.detach()).float().square().mean(-1)


def perplexity(shares: Tensor) -> Tensor:
    """exp of the entropy of shares (K,) that sum to 1: the effective number of codes in use, ()."""
    return torch.special.entr(shares.float()).sum().exp()
