"""Halving and doubling for any height and width: 28 -> 14 -> 7 -> 4 and back, with the odd row or column cut off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
    """The upper left (h, w) of x (N, C, H, W); nothing happens where x has that size."""
    h, w = size
    return x if x.shape[-2:] == (h, w) else x[..., :h, :w]


def grown_to(x: Tensor, multiple: int, least: int = 0) -> Tensor:
    """x (N, C, H, W) with its last row and column repeated until both sides are multiples of `multiple`, `least` at least."""
    height, width = x.shape[-2:]
    down, across = (-(-max(side, least) // multiple) * multiple - side for side in (height, width))
    return F.pad(x, (0, across, 0, down), mode="replicate") if down or across else x


def even(x: Tensor) -> Tensor:
    """x with its last row and column repeated where height or width is odd, so that halving rounds up."""
    return grown_to(x, 2)


def enlarged(x: Tensor, times: int) -> Tensor:
    """x (N, C, H, W) upsampled by `times`, bilinear, as two matrix products, with a faster gradient than F.interpolate."""
    down, across = (
        F.interpolate(torch.eye(side, device=x.device, dtype=x.dtype)[:, None], scale_factor=times, mode="linear")[:, 0]
        for side in x.shape[2:]
    )
    return down.T @ (x @ across)


class Upsample(nn.Module):
    """Doubles by a [1, 2, 1] / 4 tent in each direction (bilinear), then cuts to `size`.

    A low-pass filter instead of nearest neighbour keeps the images of the spectrum out (StyleGAN, R3GAN sec. 3).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return cut(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), self.size)


class Downsample(nn.Module):
    """Halves by the mean of 2 x 2 pixels after `even`; the adjoint of nearest doubling, cheap on every device."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(even(x), 2)


def scatter_grid(cells: Tensor, height: int, width: int) -> Tensor:
    """(N, C * height * width) as (N, C, height, width), laid out channels_last so that convolutions need no copy."""
    grid = cells.view(cells.shape[0], height, width, -1).permute(0, 3, 1, 2)
    return grid if grid.is_contiguous(memory_format=torch.channels_last) else grid.contiguous()


def fitted(widths: Sequence[int], stages: int) -> list[int]:
    """`widths` for `stages` stages: the first (smallest images) is repeated or dropped, so that full size keeps its width."""
    missing = stages - len(widths)
    return [widths[0]] * missing + list(widths) if missing > 0 else list(widths[-stages:])
