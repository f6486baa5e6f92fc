"""A discriminator that scores every part of an image by itself, for restorations: strided convolutions with spectral norm.

Idea: a restored image as a whole is right by its pixels already; what the discriminator has to see is texture, and that is local
(Isola 2017, arXiv:1611.07004, sec. 3.2.2). Spectral norm (Miyato 2018, arXiv:1802.05957) in place of batch norm.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.networks.layers import LEAKY_SLOPE
from ganvas.networks.resample import even


class LocalDiscriminator(nn.Module):
    """Images (N, C, H, W) of any size to a map of logits (N, 1, h, w); `stages` downsamplings."""

    def __init__(self, channels: int, *, width: int = 32, stages: int = 3) -> None:
        super().__init__()
        widths = [width * 2 ** min(stage, 3) for stage in range(stages + 1)]
        self.first = _conv(channels, width, 3)
        self.steps = nn.ModuleList([_conv(a, b, 4, stride=2) for a, b in pairwise(widths)])
        self.last = _conv(widths[-1], 1, 3)

    def features(self, x: Tensor) -> list[Tensor]:
        """Activations (N, C_i, h_i, w_i) of every layer but the last, from full size down."""
        features = [F.leaky_relu(self.first(x), LEAKY_SLOPE)]
        for step in self.steps:
            features.append(F.leaky_relu(step(even(features[-1])), LEAKY_SLOPE))
        return features

    def logits(self, features: list[Tensor]) -> Tensor:
        """Logits (N, 1, h, w), float32, from the output of `features`."""
        return self.last(features[-1]).float()

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self.features(x))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return cast(nn.Conv2d, spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding=1)))
