"""The residual pair of R3GAN (Huang 2024, arXiv:2501.05441, sec. 3 and appendix): no normalisation, no noise, no tricks.

Two kinds of block with the same in- and output:
    grouped   1x1 up, grouped 3x3, 1x1 down (the paper's inverted bottleneck in ResNeXt style)
    dense     3x3, 3x3: the same idea where grouped convolutions are slow

The last layer of each block starts at zero, so that a fresh network is the sum of its transitions (Fixup, Zhang 2019).

Departs from the paper: any height and width; the low-pass filter of doubling is the bilinear tent, that of halving a 2 x 2 mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganvas.networks.layers import BiasedActivation, init_fan_in_
from ganvas.networks.resample import Downsample, Upsample, fitted, pyramid

Shape = tuple[int, int, int]


def conv(channels: int, out: int, kernel: int, gain: float = 1.0, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps height and width, without bias, of the given gain."""
    layer = nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False)
    init_fan_in_(layer, gain)
    return layer


class Residual(nn.Module):
    """x + f(x), (N, C, H, W). `depth`, the number of blocks of the whole network, scales the initial weights (Fixup, sec. 3)."""

    def __init__(self, channels: int, kind: str, expansion: int, group_size: int, depth: int) -> None:
        super().__init__()
        if kind == "grouped":
            gain = BiasedActivation.gain * depth ** (-1 / 4)  # -1 / (2 m - 2) with m = 3 linear layers
            wide = channels * expansion
            groups = max(1, wide // group_size)
            while wide % groups:
                groups -= 1
            layers = [
                conv(channels, wide, 1, gain),
                BiasedActivation(wide),
                conv(wide, wide, 3, gain, groups),
                BiasedActivation(wide),
                conv(wide, channels, 1, 0.0),
            ]
        else:
            gain = BiasedActivation.gain * depth ** (-1 / 2)  # m = 2
            layers = [
                BiasedActivation(channels),
                conv(channels, channels, 3, gain),
                BiasedActivation(channels),
                conv(channels, channels, 3, 0.0),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ResNetGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W). `widths` from the smallest stage to full size; fewer or more stages are fitted."""

    def __init__(
        self, z_dim: int, shape: Shape, widths: Sequence[int], blocks: int = 2, kind: str = "grouped", expansion: int = 2,
        group_size: int = 16,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)[::-1]
        widths = fitted(widths, len(sizes))
        depth = blocks * len(sizes)
        self.basis = nn.Parameter(torch.randn(widths[0], *sizes[0]))
        self.project = nn.Linear(z_dim, widths[0], bias=False)
        init_fan_in_(self.project)
        stages: list[nn.Module] = []
        for number, (here, size) in enumerate(zip(widths, sizes, strict=True)):
            if number:
                before = widths[number - 1]
                if before != here:
                    stages.append(conv(before, here, 1))
                stages.append(Upsample(size))
            stages += [Residual(here, kind, expansion, group_size, depth) for _ in range(blocks)]
        self.stages = nn.Sequential(*stages)
        self.to_image = conv(widths[-1], channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.basis * self.project(z)[:, :, None, None]
        return self.to_image(self.stages(x.contiguous(memory_format=torch.channels_last)))


class ResNetDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs); the generator's mirror."""

    def __init__(
        self,
        shape: Shape,
        widths: Sequence[int],
        blocks: int = 2,
        kind: str = "grouped",
        expansion: int = 2,
        group_size: int = 16,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        widths = fitted(widths, len(sizes))[::-1]
        depth = blocks * len(sizes)
        self.extract = conv(channels, widths[0], 1)
        stages: list[nn.Module] = []
        for number, here in enumerate(widths):
            stages += [Residual(here, kind, expansion, group_size, depth) for _ in range(blocks)]
            if number + 1 < len(widths):
                after = widths[number + 1]
                stages.append(Downsample())
                if here != after:
                    stages.append(conv(here, after, 1))
        self.stages = nn.Sequential(*stages)
        # One weight per cell and channel, summed over the cells: a depthwise convolution of the size of the image.
        self.basis = nn.Parameter(torch.randn(widths[-1], *sizes[-1]) / math.sqrt(math.prod(sizes[-1])))
        self.head = nn.Linear(widths[-1], outputs, bias=False)
        init_fan_in_(self.head)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.extract(x))
        return self.head((x * self.basis.to(x.dtype)).sum((2, 3)))
