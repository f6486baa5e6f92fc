"""The Laplacian pyramid (Burt and Adelson 1983), and the networks of LAPGAN (Denton 2015, arXiv:1506.05751) on its levels.

Level 0 is the full image, each next level half its size (rounded up). I_k is the image at level k, d downsamples, u upsamples:

    h_k = I_k - u(I_{k+1})      the band of level k: what downsampling lost       h_K = I_K at the coarsest level K
    I_k = u(I_{k+1}) + h_k      from the coarsest up, exactly, whatever d and u are

Departs from the paper: d is the mean of 2 x 2 pixels and u bilinear; any height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import dcgan_weights, norm2d
from ganvas.networks.resample import Size, cut, even

Shape = tuple[int, int, int]

# --- the pyramid: pure functions -----------------------------------------------------------------------------------------


def size_of(x: Tensor) -> Size:
    """(H, W) of x (N, C, H, W)."""
    return x.shape[-2], x.shape[-1]


def down(x: Tensor) -> Tensor:
    """d: half of x (N, C, H, W), rounded up; each pixel the mean of four."""
    return F.avg_pool2d(even(x), 2)


def up(x: Tensor, size: Size) -> Tensor:
    """u: x (N, C, h, w) upsampled by 2 (bilinear) and cropped to `size`, whose half (rounded up) is (h, w)."""
    return cut(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), size)


def downsampled(x: Tensor, count: int) -> list[Tensor]:
    """I_0 = x (N, C, H, W), I_1 = d(I_0), ... I_count."""
    images = [x]
    for _ in range(count):
        images.append(down(images[-1]))
    return images


def bands(x: Tensor, count: int) -> list[Tensor]:
    """h_0 ... h_count of x (N, C, H, W); the last is I_count itself (Denton 2015, eq. 3)."""
    images = downsampled(x, count)
    fine = [here - up(below, size_of(here)) for here, below in pairwise(images)]
    return [*fine, images[-1]]


def collapse(bands: Sequence[Tensor]) -> Tensor:
    """The image (N, C, H, W) of h_0 ... h_K (eq. 4)."""
    x = bands[-1]
    for band in reversed(bands[:-1]):
        x = up(x, size_of(band)) + band
    return x


# --- networks ------------------------------------------------------------------------------------------------------------


class BandGenerator(nn.Module):
    """G_k: noise (N, H * W) and the upsampled coarse image (N, C, H, W) to a band (N, C, H, W), unbounded.

    Convolutions at full size: one of 5 x 5, `depth` of 3 x 3, one of 5 x 5. A class is one more plane, learned for each (the
    paper's class-conditional form).
    """

    def __init__(self, shape: Shape, width: int = 64, depth: int = 1, norm: str = "batch", classes: int = 0) -> None:
        super().__init__()
        channels, height, wide = shape
        self.size = height, wide
        self.numbers = height * wide
        self.plane = nn.Embedding(classes, height * wide) if classes else None
        bias = norm != "batch"
        first = nn.Conv2d(channels + 1 + bool(classes), width, 5, padding=2, bias=bias)
        layers: list[nn.Module] = [first, norm2d(norm, width), nn.ReLU(inplace=True)]
        for _ in range(depth):
            conv = nn.Conv2d(width, width, 3, padding=1, bias=bias)
            layers += [conv, norm2d(norm, width), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 5, padding=2))
        self.apply(dcgan_weights)

    def forward(self, noise: Tensor, coarse: Tensor, label: Tensor | None = None) -> Tensor:
        planes = [coarse, noise.view(-1, 1, *self.size)]
        if self.plane is not None and label is not None:
            planes.append(self.plane(label).view(-1, 1, *self.size))
        return self.layers(torch.cat(planes, 1))


class PyramidGenerator(nn.Module):
    """All levels: z (N, z_dim) and the label, where there are classes, to images (N, C, H, W), coarse to fine (eq. 5).

    z is the coarsest level's noise, then one number a pixel of each finer level. `coarsest` generates I_K from its `base_dim`
    numbers.
    """

    def __init__(self, coarsest: nn.Module, base_dim: int, finer: Sequence[BandGenerator]) -> None:
        super().__init__()
        self.levels = nn.ModuleList([*finer, coarsest])
        self.numbers = [*(level.numbers for level in finer), base_dim]
        self.z_dim = sum(self.numbers)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        parts = z.split(self.numbers[::-1], 1)[::-1]
        x = self.coarsest(parts[-1], label)
        for level in reversed(range(len(parts) - 1)):
            x = self.refine(level, parts[level], up(x, self.size(level)), label)
        return x

    def coarsest(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """G_K: images of the coarsest level from z (N, base_dim)."""
        if label is None:
            return self.levels[-1](z)
        return self.levels[-1](z, label)

    def refine(self, level: int, noise: Tensor, coarse: Tensor, label: Tensor | None = None) -> Tensor:
        """u(I_{k+1}) + G_k(z_k, u(I_{k+1})), where `coarse` is u(I_{k+1}) (N, C, H, W) and `noise` (N, numbers of the level)."""
        return coarse + self.levels[level](noise, coarse, label)

    def size(self, level: int) -> Size:
        """(H, W) of a level finer than the coarsest."""
        return cast(BandGenerator, self.levels[level]).size


class PyramidDiscriminator(nn.Module):
    """Images (N, C, H, W) of any level to logits (N, 1), each by the discriminator of its size."""

    def __init__(self, levels: Sequence[nn.Module], sizes: Sequence[Size]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)
        self.sizes = list(sizes)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        discriminator = self.levels[self.sizes.index(size_of(x))]
        if label is None:
            return discriminator(x)
        return discriminator(x, label)
