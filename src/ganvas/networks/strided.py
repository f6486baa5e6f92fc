"""The small pair that `r3gan` uses on a CPU: DCGAN's strided convolutions, but no normalisation anywhere.

Of the networks tried on 2 cores it learned most in two minutes: 4 x 4 convolutions of stride 2 are dense, and no layer works at
full size but the first of D and the last of G (docs/experiments.md).

Weights keep the variance of what passes through (He 2015), which batch norm would otherwise do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import BiasedActivation, init_fan_in_
from ganvas.networks.resample import cut, even, fitted, pyramid, scatter_grid

Shape = tuple[int, int, int]
SLOPE, GAIN = BiasedActivation.slope, BiasedActivation.gain


class StridedGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W). `widths` are the channels from the smallest size up, full size excepted."""

    def __init__(self, z_dim: int, shape: Shape, widths: Sequence[int]) -> None:
        super().__init__()
        channels, height, wide = shape
        self.sizes = pyramid(height, wide)[::-1]
        widths = fitted(widths, max(1, len(self.sizes) - 1))
        self.project = nn.Linear(z_dim, widths[0] * math.prod(self.sizes[0]))
        init_fan_in_(self.project, GAIN)
        convs: list[nn.Conv2d | nn.ConvTranspose2d] = []
        if len(self.sizes) == 1:  # nothing to double: an image of a few pixels
            convs = [nn.Conv2d(widths[0], channels, 3, padding=1)]
            self.sizes = self.sizes * 2
        else:
            pairs = zip(widths, [*widths[1:], channels], strict=True)
            convs = [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in pairs]
        self.convs = nn.ModuleList(convs)
        for conv in convs:
            # Each pixel of a doubled image is made by a quarter of the 4 x 4 kernel.
            fan_in = conv.in_channels * (4 if isinstance(conv, nn.ConvTranspose2d) else 9)
            nn.init.normal_(conv.weight, 0.0, (0.5 if conv is convs[-1] else GAIN) / math.sqrt(fan_in))
            nn.init.zeros_(cast(Tensor, conv.bias))

    def forward(self, z: Tensor) -> Tensor:
        x = scatter_grid(self.project(z), *self.sizes[0])
        for conv, size in zip(self.convs, self.sizes[1:], strict=True):
            x = cut(conv(F.leaky_relu(x, SLOPE)), size)
        return x


class StridedDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs); the generator's mirror."""

    def __init__(self, shape: Shape, widths: Sequence[int], outputs: int = 1) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        widths = fitted(widths, max(1, len(sizes) - 1))[::-1]
        pairs = zip([channels, *widths[:-1]], widths, strict=True)
        if len(sizes) == 1:
            convs = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        else:
            convs = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairs]
        self.convs = nn.ModuleList(convs)
        # No bias: in a difference of two logits it cancels, and Adam would move it by rounding errors alone.
        self.head = nn.Linear(widths[-1] * math.prod(sizes[-1]), outputs, bias=False)
        self.halves = len(sizes) > 1
        for conv in convs:
            init_fan_in_(conv, GAIN)
        init_fan_in_(self.head)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(even(x) if self.halves else x), SLOPE)
        return self.head(x.flatten(1))
