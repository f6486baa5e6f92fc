"""Fully connected networks for images of any shape: the classic GAN's generator and discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ganvas.networks.layers import LEAKY_SLOPE, Draw, WideLinear, dropout

Shape = tuple[int, int, int]


def stack(widths: Sequence[int], activation: str, norm: str) -> list[nn.Module]:
    """Linear, norm and activation from each width to the next. The first layer has no batch norm, since it gets raw input."""
    layers: list[nn.Module] = []
    for number, (wide, next_wide) in enumerate(pairwise(widths)):
        layers.append(WideLinear(wide, next_wide))
        if norm == "batch" and number > 0:
            layers.append(nn.BatchNorm1d(next_wide))
        if activation == "relu":
            layers.append(nn.ReLU(inplace=True))
        else:
            layers.append(nn.LeakyReLU(LEAKY_SLOPE, inplace=True))
    return layers


class MLPGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W) in [-1, 1]."""

    def __init__(
        self, z_dim: int, widths: Sequence[int], shape: Shape, activation: str = "relu", norm: str = "none"
    ) -> None:
        super().__init__()
        self.shape = shape
        hidden = stack([z_dim, *widths], activation, norm)
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], math.prod(shape)), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, *self.shape)


class MLPDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs)."""

    def __init__(
        self, shape: Shape, widths: Sequence[int], activation: str = "relu", outputs: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = dropout
        hidden = stack([math.prod(shape), *widths], activation, "none")
        self.layers = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], outputs))

    def forward(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """With `draw`, units of the hidden layers are dropped at the rate `dropout`."""
        x = x.contiguous()
        if draw is None:
            return self.layers(x)
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU | nn.LeakyReLU):
                x = dropout(x, self.dropout, draw)
        return x
