"""Parts of variational autoencoders: mean and variance as two halves of an output, and a plain MLP decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganvas.networks.mlp import stack

Shape = tuple[int, int, int]


class GaussianEncoder(nn.Module):
    """Images (N, C, H, W) to mu and logvar, each (N, z_dim) float32: the halves of the output of `body`, (N, 2 z_dim)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.body(x).float().chunk(2, 1)
        return mu, logvar


class MLPDecoder(nn.Module):
    """z (N, z_dim) to unbounded outputs (N, P, H, W)."""

    def __init__(self, z_dim: int, widths: Sequence[int], shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.Sequential(*stack([z_dim, *widths], "relu", "none"), nn.Linear(widths[-1], math.prod(shape)))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, *self.shape)


class SharedSigma(nn.Module):
    """z (N, z_dim) to (N, 2 C, H, W): the means from `network`, and a learned log sigma per channel, the same at all pixels."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.log_sigma = nn.Parameter(torch.full((channels,), -1.0))

    def forward(self, z: Tensor) -> Tensor:
        means = self.network(z)
        return torch.cat([means, self.log_sigma.to(means.dtype).view(1, -1, 1, 1).expand_as(means)], 1)
