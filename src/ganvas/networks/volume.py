"""Convolutions in three dimensions: z to volumes (N, D, H, W), and volumes to numbers; the layout of 3D-GAN (Wu 2016, fig. 2).

Every stage doubles or halves the sides with a 4 x 4 x 4 convolution of stride 2. Initial weights preserve the variance of the
activations (He 2015). Activations lie in memory with their channels together: gradients of narrow convolutions take half of the
time on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import DataError
from ganvas.networks.layers import LEAKY_SLOPE
from ganvas.networks.packed import packs
from ganvas.networks.video import cells, from_cells

GAIN = math.sqrt(2 / (1 + LEAKY_SLOPE**2))
Shape = tuple[int, int, int]


def smallest(shape: Shape, stages: int) -> Shape:
    """The sides (D, H, W) after `stages` downsamplings by 2; DataError where that does not come out even."""
    factor = 2**stages
    if any(side % factor for side in shape):
        sides = "x".join(map(str, shape))
        raise DataError(
            f"{stages} stages halve the sides {stages} times, and volumes of {sides} voxels are no multiple of {factor}:"
            " set data.voxels to one, or give fewer widths"
        )
    depth, height, width = (side // factor for side in shape)
    return depth, height, width


class VolumeGenerator(nn.Module):
    """z (N, z_dim) to logits of occupancy (N, D, H, W). `widths` are the channels from the smallest grid up, the last one of them
    at half of the full size. `norm`: batch norm after each hidden convolution, as in the paper. `start`: where logits begin."""

    def __init__(self, z_dim: int, shape: Shape, widths: Sequence[int], norm: bool, start: float = 0.0) -> None:
        super().__init__()
        self.start = smallest(shape, len(widths))
        self.project = nn.Linear(z_dim, widths[0] * math.prod(self.start))
        nn.init.normal_(self.project.weight, 0.0, GAIN / math.sqrt(z_dim))
        nn.init.zeros_(self.project.bias)
        self.width = widths[0]
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for a, b in pairwise([*widths, 1]):
            self.norms.append(nn.BatchNorm3d(a) if norm else nn.Identity())
            last = len(self.norms) == len(widths)
            conv = nn.Conv3d(a, 8, 2, padding=1) if last else nn.ConvTranspose3d(a, b, 4, stride=2, padding=1)
            # Each voxel of the doubled grid uses an eighth of the kernel. The last layer starts near to `start`.
            nn.init.normal_(conv.weight, 0.0, (0.5 if last else GAIN) / math.sqrt(8 * a))
            nn.init.constant_(cast(Tensor, conv.bias), start if last else 0.0)
            self.convs.append(conv)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).view(-1, self.width, *self.start)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.leaky_relu(norm(x), LEAKY_SLOPE))
        # The last convolution gives cells of 2 x 2 x 2 voxels: the sums of a transposed one, forward in a quarter of its time.
        return F.pad(from_cells(x)[:, 0], (-1,) * 6)


class VolumeDiscriminator(nn.Module):
    """Volumes (N, D, H, W) to (N, outputs); the generator's mirror: `widths` from the largest grid down.

    `bias`: of the last layer. A relativistic loss compares two outputs, and a bias common to both would follow nothing but
    rounding. `pack`: neighbours that are seen as channels of one volume, whose outputs each of them gets (Lin 2018)."""

    def __init__(
        self, shape: Shape, widths: Sequence[int], norm: bool, outputs: int = 1, bias: bool = True, pack: int = 1
    ) -> None:
        super().__init__()
        self.pack = pack
        end = smallest(shape, len(widths))
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for a, b in pairwise([1, *widths]):
            conv = nn.Conv3d(a, b, 4, stride=2, padding=1) if len(self.convs) else nn.Conv3d(8 * pack, b, 2)
            nn.init.normal_(conv.weight, 0.0, GAIN / math.sqrt(conv.weight[0].numel()))
            nn.init.zeros_(cast(Tensor, conv.bias))
            self.convs.append(conv)
            self.norms.append(nn.BatchNorm3d(b) if norm and a > 1 else nn.Identity())
        self.head = nn.Linear(widths[-1] * math.prod(end), outputs, bias)
        nn.init.normal_(self.head.weight, 0.0, 1 / math.sqrt(self.head.in_features))
        if bias:
            nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        # The first convolution as one of cells of 2 x 2 x 2 voxels: the same sums, in a third of the time back to the voxels.
        x = F.pad(packs(x[:, None], self.pack, "volumes"), (1, 1, 1, 1, 1, 1))
        x = cells(x).contiguous(memory_format=torch.channels_last_3d)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), LEAKY_SLOPE)
        return self.head(x.flatten(1)).repeat_interleave(self.pack, 0)
