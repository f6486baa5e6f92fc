"""Straight paths from noise to images, and the loss of a velocity field on them. t (N,) runs from 0, noise, to 1, the image."""

from __future__ import annotations

from torch import Tensor


def on_path(noise: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """(1 - t) x_0 + t x_1, (N, C, H, W) (Liu 2022, eq. 1; Lipman 2022, eq. 22 with sigma_min = 0)."""
    return noise.lerp(x, t.view(-1, 1, 1, 1))


def flow_matching(velocity: Tensor, noise: Tensor, x: Tensor) -> Tensor:
    """Mean over the values of |v(x_t) - (x_1 - x_0)|^2 (Lipman 2022, eq. 23 with sigma_min = 0; Liu 2022, eq. 1), (N,)."""
    return (velocity - (x - noise)).square().flatten(1).mean(1)


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """unconditional + weight (conditional - unconditional): classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598,
    eq. 6, with weight 1 + w)."""
    return unconditional.lerp(conditional, weight)
