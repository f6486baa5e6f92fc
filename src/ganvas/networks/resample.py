"""Downsampling and upsampling by 2 for any height and width: 28 -> 14 -> 7 -> 4 and back, with the odd row or column cropped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_

Size = tuple[int, int]


def pyramid(height: int, width: int, smallest: int = 4) -> list[Size]:
    """Sizes from (height, width) down, each half of the one before rounded up, while the shorter side exceeds `smallest`.

    (28, 28) gives 28, 14, 7, 4 on both sides; (30, 50) gives (30, 50), (15, 25), (8, 13), (4, 7).
    """
    sizes = [(height, width)]
    while min(sizes[-1]) > smallest:
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def cut(x: Tensor, size: Size) -> Tensor:
    """x (N, C, H, W) cropped to its upper left (h, w)."""
    h, w = size
    if x.shape[-2:] == (h, w):
        return x
    return x[..., :h, :w]


def grown_to(x: Tensor, multiple: int, least: int = 0) -> Tensor:
    """x (N, C, H, W) with its last row and column repeated until both sides are multiples of `multiple`, and at least `least`."""
    height, width = x.shape[-2:]
    # Not -(-height // multiple): an exported graph rounds negative quotients towards zero.
    down = (max(height, least) + multiple - 1) // multiple * multiple - height
    across = (max(width, least) + multiple - 1) // multiple * multiple - width
    if not (down or across):
        return x
    return F.pad(x, (0, across, 0, down), mode="replicate")


def even(x: Tensor) -> Tensor:
    """x with its last row and column repeated where height or width is odd, so that halving rounds up."""
    return grown_to(x, 2)


def enlarged(x: Tensor, times: int) -> Tensor:
    """x (N, C, H, W) upsampled by `times`, bilinear, as two matrix products, with a faster gradient than F.interpolate."""

    def matrix(side: int) -> Tensor:
        """(side, side * times): interpolation along one axis."""
        identity = torch.eye(side, device=x.device, dtype=x.dtype)[:, None]
        return F.interpolate(identity, scale_factor=times, mode="linear")[:, 0]

    return matrix(x.shape[2]).T @ (x @ matrix(x.shape[3]))


class Halve(nn.Module):
    """A 4 x 4 convolution of stride 2 for any size, (N, a, H, W) to (N, b, H / 2 rounded up, ...). `gain`: see init_fan_in_."""

    def __init__(self, a: int, b: int, gain: float) -> None:
        super().__init__()
        self.conv = init_fan_in_(nn.Conv2d(a, b, 4, stride=2, padding=1), gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(even(x))


class Double(nn.Module):
    """A transposed 4 x 4 convolution of stride 2, (N, a, h, w) to (N, b, *size)."""

    def __init__(self, a: int, b: int, size: Size, gain: float) -> None:
        super().__init__()
        self.size = size
        self.conv = nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)
        # Each pixel of the upsampled image uses a quarter of the 4 x 4 kernel.
        nn.init.normal_(self.conv.weight, 0.0, gain / math.sqrt(4 * a))
        nn.init.zeros_(cast(Tensor, self.conv.bias))

    def forward(self, x: Tensor) -> Tensor:
        return cut(self.conv(x), self.size)


class Upsample(nn.Module):
    """Upsampling by 2 with a [1, 2, 1] / 4 filter in each direction (bilinear), cropped to `size`.

    A low-pass filter instead of nearest neighbour avoids aliases of the spectrum (StyleGAN, R3GAN sec. 3).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return cut(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), self.size)


class Downsample(nn.Module):
    """Downsampling by the mean of 2 x 2 pixels after `even`; the adjoint of nearest-neighbour upsampling."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(even(x), 2)


def scatter_grid(cells: Tensor, height: int, width: int) -> Tensor:
    """(N, C * height * width) as (N, C, height, width), laid out channels_last so that convolutions need no copy."""
    grid = cells.view(cells.shape[0], height, width, -1).permute(0, 3, 1, 2)
    if grid.is_contiguous(memory_format=torch.channels_last):
        return grid
    return grid.contiguous()


def fitted(widths: Sequence[int], stages: int) -> list[int]:
    """`widths` for `stages` stages: the first (smallest images) is repeated or dropped, so that full size keeps its width."""
    missing = stages - len(widths)
    if missing > 0:
        return [widths[0]] * missing + list(widths)
    return list(widths[-stages:])
