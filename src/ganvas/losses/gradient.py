"""Penalties on the gradient of D at its input, one value per example, without the paper's factor."""

from __future__ import annotations

import torch
from torch import Tensor


def squared_gradient(x: Tensor, logits: Tensor) -> Tensor:
    """|grad_x D(x)|^2 (Mescheder 2018, eq. 9 at real images: R1, eq. 10 at fakes: R2), without the factor gamma / 2.

    x (N, ...) must require grad; logits = D(x), (N,) or (N, 1). Returns (N,), summed over all values of an image.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.float().square().flatten(1).sum(1)


def auto_gamma(total_variance: float) -> float:
    """The weight gamma of R1 (and R2) for data of this total variance, the mean squared distance of an image from the mean image.

    A penalty on |dD/dx|^2 must scale with the square of the data's distances to stay equally strong. 200 gives the built-in
    digits a gamma of about 1, where 0.3 did no better (docs/experiments.md); other data are not measured yet.
    """
    return total_variance / 200


def one_centred(x: Tensor, logits: Tensor) -> Tensor:
    """(|grad_x D(x)| - 1)^2 (Gulrajani 2017, eq. 3), without the factor lambda. Shapes as in `squared_gradient`."""
    # A gradient of exactly zero has no derivative of its norm; 1e-12 keeps it finite and changes no float32 digit.
    return ((squared_gradient(x, logits) + 1e-12).sqrt() - 1).square()


def between(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Points on the lines from fake to real, share (N, 1, 1, 1) in [0, 1], ready for a penalty (Gulrajani 2017, algorithm 1)."""
    return torch.lerp(fake.to(real.dtype), real, share).detach().requires_grad_()  # under autocast G gives bf16


def path_length(w: Tensor, images: Tensor, directions: Tensor) -> Tensor:
    """|J_w^T y| (Karras 2020, arXiv:1912.04958, eq. 4): how far a step of w moves the image, seen along random directions y.

    w (N, L, E), one row a style input, must require grad; images = g(w) and directions (N, C, H, W). Returns (N,): the
    root of the squared gradient summed over E and averaged over L, the layers.
    """
    (gradient,) = torch.autograd.grad((images * directions).sum(), w, create_graph=True)
    # A gradient of exactly zero has no derivative of its norm; 1e-12 keeps it finite and changes no float32 digit.
    return (gradient.float().square().sum(2).mean(1) + 1e-12).sqrt()
