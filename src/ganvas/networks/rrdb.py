"""ESRGAN's generator: residual-in-residual dense blocks, without normalisation (Wang 2018, arXiv:1809.00219, sec. 3.1, fig. 4).

As in the authors' code, upsampling is by nearest neighbour and a convolution, and the network works on values in [0, 1]. With
`unshuffle` the image's blocks of 2 x 2 pixels become channels first (Wang 2021, arXiv:2107.10833, sec. 3.3): for small factors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import LEAKY_SLOPE
from ganvas.networks.resample import cut, grown_to

RESIDUAL = 0.2  # factor on each residual branch (sec. 3.1)
CONVOLUTIONS = 5  # of a dense block


class DenseBlock(nn.Module):
    """x + 0.2 f(x): five convolutions, each of which sees x and the results before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        for number in range(CONVOLUTIONS):
            outputs = width if number == CONVOLUTIONS - 1 else growth
            self.convs.append(_conv(width + number * growth, outputs))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for conv in self.convs[:-1]:
            features.append(F.leaky_relu(conv(torch.cat(features, 1)), LEAKY_SLOPE))
        return x + RESIDUAL * self.convs[-1](torch.cat(features, 1))


class RRDB(nn.Module):
    """x + 0.2 f(x) with three dense blocks."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL * self.blocks(x)


class RRDBNet(nn.Module):
    """Images (N, C, H, W) to (N, C, H * scale, W * scale), both in [-1, 1]; `scale` is a power of two."""

    def __init__(
        self, channels: int, scale: int, *, width: int = 64, blocks: int = 23, unshuffle: bool = False
    ) -> None:
        super().__init__()
        self.scale, self.shrink = scale, 2 if unshuffle else 1
        growth = max(1, width // 2)
        self.first = _conv(channels * self.shrink**2, width)
        self.body = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.after_body = _conv(width, width)
        steps = (scale * self.shrink).bit_length() - 1
        self.up = nn.ModuleList(_conv(width, width) for _ in range(steps))
        self.full = _conv(width, width)
        self.last = _conv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2] * self.scale, x.shape[3] * self.scale)
        x = grown_to((x + 1) / 2, self.shrink)
        first = self.first(F.pixel_unshuffle(x, self.shrink))
        y = first + self.after_body(self.body(first))
        for conv in self.up:
            y = F.leaky_relu(conv(F.interpolate(y, scale_factor=2.0, mode="nearest")), LEAKY_SLOPE)
        y = self.last(F.leaky_relu(self.full(y), LEAKY_SLOPE))
        return cut(2 * y.float() - 1, size)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    """3 x 3, with a tenth of He's weights (sec. 3.1: a small start)."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=LEAKY_SLOPE)
    with torch.no_grad():
        conv.weight.mul_(0.1)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
