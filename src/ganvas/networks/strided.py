"""The small pair that `r3gan` uses on a CPU: DCGAN's strided convolutions, without normalisation.

Of the networks tried on 2 cores these learned most in two minutes: 4 x 4 convolutions of stride 2 are dense, and no layer works
at full size but the first of D and the last of G (docs/experiments.md).

Initial weights preserve the variance of the activations (He 2015), as batch norm otherwise would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import BiasedActivation, init_fan_in_, norm2d
from ganvas.networks.resample import cut, even, fitted, pyramid, scatter_grid

Shape = tuple[int, int, int]
SLOPE, GAIN = BiasedActivation.slope, BiasedActivation.gain


class StridedGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W). `widths` are the channels from the smallest size up, full size excepted. `norm`: see
    `norm2d`."""

    def __init__(self, z_dim: int, shape: Shape, widths: Sequence[int], norm: str = "none") -> None:
        super().__init__()
        channels, height, wide = shape
        self.sizes = pyramid(height, wide)[::-1]
        widths = fitted(widths, max(1, len(self.sizes) - 1))
        bias = norm == "none"  # batch norm takes away what a bias adds
        self.project = nn.Linear(z_dim, widths[0] * math.prod(self.sizes[0]), bias=bias)
        init_fan_in_(self.project, GAIN)
        convs: list[nn.Conv2d | nn.ConvTranspose2d] = []
        if len(self.sizes) == 1:  # nothing to upsample: an image of a few pixels
            convs.append(nn.Conv2d(widths[0], channels, 3, padding=1))
            weights_per_pixel = 9
            self.sizes = self.sizes * 2
        else:
            ends = [*widths, channels]
            for place, (a, b) in enumerate(pairwise(ends), 2):
                convs.append(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=bias or place == len(ends)))
            weights_per_pixel = 4  # of the 4 x 4 kernel, per channel
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList([norm2d(norm, conv.in_channels) for conv in convs])
        for conv in convs:
            gain = GAIN
            if conv is convs[-1]:
                gain = 0.5
            nn.init.normal_(conv.weight, 0.0, gain / math.sqrt(conv.in_channels * weights_per_pixel))
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(self, z: Tensor) -> Tensor:
        x = scatter_grid(self.project(z), *self.sizes[0])
        for norm, conv, size in zip(self.norms, self.convs, self.sizes[1:], strict=True):
            x = cut(conv(F.leaky_relu(norm(x), SLOPE)), size)
        return x


class StridedDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs); the generator's mirror. `norm` is after each convolution but the first."""

    def __init__(self, shape: Shape, widths: Sequence[int], outputs: int = 1, norm: str = "none") -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        widths = fitted(widths, max(1, len(sizes) - 1))[::-1]
        if len(sizes) == 1:
            convs = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        else:
            convs: list[nn.Conv2d] = []
            for a, b in pairwise([channels, *widths]):
                convs.append(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=norm == "none" or not convs))
        self.convs = nn.ModuleList(convs)
        kinds = ["none", *[norm] * (len(convs) - 1)]
        self.norms = nn.ModuleList([norm2d(kind, conv.out_channels) for kind, conv in zip(kinds, convs, strict=True)])
        # No bias: in a difference of two logits it cancels, and Adam would move it by rounding errors alone.
        self.head = nn.Linear(widths[-1] * math.prod(sizes[-1]), outputs, bias=False)
        self.halves = len(sizes) > 1
        for conv in convs:
            init_fan_in_(conv, GAIN)
        init_fan_in_(self.head)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            if self.halves:
                x = even(x)
            x = F.leaky_relu(norm(conv(x)), SLOPE)
        return self.head(x.flatten(1))
