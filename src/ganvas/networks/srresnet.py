"""SRResNet (Ledig 2017, arXiv:1609.04802, fig. 4): residual blocks at the small size, then pixel shuffle to the large one."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import PReLU, norm2d


class SRResNet(nn.Module):
    """Images (N, C, H, W) to (N, C, H * scale, W * scale).

    `tail` is "staged" (each doubling is a convolution to four times the channels, shuffled; then one at full size, as in the
    paper) or "direct" (one convolution at the small size to scale^2 values a pixel, shuffled: Shi 2016, arXiv:1609.05158). With
    `base` the output is added to the bicubic enlargement, and initially 0.
    """

    def __init__(
        self,
        channels: int,
        scale: int,
        *,
        width: int = 64,
        blocks: int = 16,
        kernel: int = 9,
        norm: str = "batch",
        tail: str = "staged",
        base: bool = True,
    ) -> None:
        super().__init__()
        self.scale, self.base = scale, base
        self.head = nn.Sequential(_conv(channels, width, kernel), PReLU())
        body: list[nn.Module] = [ResidualBlock(width, norm) for _ in range(blocks)]
        self.body = nn.Sequential(*body, _conv(width, width, 3), norm2d(norm, width))
        if norm == "none":
            with torch.no_grad():
                cast(nn.Conv2d, self.body[-2]).weight.mul_(0.1)  # so that the branch of `first` dominates initially
        if tail == "staged":
            self.tail = _staged(width, channels, scale, kernel)
        else:
            self.tail = _direct(width, channels, scale)
        if base:
            last = next(layer for layer in reversed(self.tail) if isinstance(layer, nn.Conv2d))
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        first = self.head(x)
        enlarged = self.tail(first + self.body(first)).float()
        if not self.base:
            return enlarged
        size = (x.shape[2] * self.scale, x.shape[3] * self.scale)
        return enlarged + F.interpolate(x.float(), size, mode="bicubic", antialias=True, align_corners=False)


class ResidualBlock(nn.Module):
    """x + conv(PReLU(conv(x))), each convolution normalised (fig. 4); without normalisation the branch starts small."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        last = _conv(width, width, 3)
        if norm == "none":
            with torch.no_grad():
                last.weight.mul_(0.1)
        self.layers = nn.Sequential(_conv(width, width, 3), norm2d(norm, width), PReLU(), last, norm2d(norm, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _staged(width: int, channels: int, scale: int, kernel: int) -> nn.Sequential:
    is_power_of_two = scale & (scale - 1) == 0
    steps = [2] * (scale.bit_length() - 1) if is_power_of_two else [scale]
    layers: list[nn.Module] = []
    for step in steps:
        layers += [_conv(width, width * step**2, 3), nn.PixelShuffle(step), PReLU()]
    return nn.Sequential(*layers, _conv(width, channels, kernel))


def _direct(width: int, channels: int, scale: int) -> nn.Sequential:
    return nn.Sequential(_conv(width, channels * scale**2, 3), nn.PixelShuffle(scale))


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """He's weights for a PReLU at its initial slope of 1/4 (He 2015, eq. 15)."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(conv.weight, a=0.25)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
