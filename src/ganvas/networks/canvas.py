"""The recurrent generator of GRAN (Im 2016, arXiv:1602.05110): a decoder adds to a canvas, an encoder reads each addition.

Both are DCGAN's convolutions, with the same weights at each step; only batch norm has statistics and scales for each step, since
what the steps add differs in kind.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.dcgan import DownConv, UpConv
from ganvas.networks.layers import dcgan_weights, init_fan_in_
from ganvas.networks.resample import pyramid, scatter_grid

Shape = tuple[int, int, int]


class StepNorm(nn.Module):
    """Batch norm of (N, C, H, W), one for each of `steps` steps."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList([nn.BatchNorm2d(channels) for _ in range(steps)])

    def forward(self, x: Tensor, step: int) -> Tensor:
        return self.steps[step](x)


class Decoder(nn.Module):
    """f: a hidden state (N, hidden) and the number of the step to an addition (N, C, H, W) of any sign and size."""

    def __init__(self, hidden: int, shape: Shape, steps: int, width: int) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)[::-1]
        widths = [width * 2**level for level in reversed(range(max(1, len(sizes) - 1)))]
        self.base = sizes[0]
        self.project = nn.Linear(hidden, widths[0] * math.prod(self.base), bias=False)
        convs: list[nn.Module] = [
            UpConv(*pair, size, False) for pair, size in zip(itertools.pairwise(widths), sizes[1:-1], strict=True)
        ]
        small = len(sizes) == 1  # nothing to upsample
        convs += [nn.Conv2d(width, channels, 3, padding=1) if small else UpConv(width, channels, sizes[-1], True)]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList([StepNorm(here, steps) for here in widths])
        self.apply(dcgan_weights)

    def forward(self, h: Tensor, step: int) -> Tensor:
        x = scatter_grid(self.project(h), *self.base)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.relu(norm(x, step)))
        return x


class Encoder(nn.Module):
    """g: the addition (N, C, H, W) of a step and its number to a hidden state (N, hidden) in [-1, 1]."""

    def __init__(self, hidden: int, shape: Shape, steps: int, width: int) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        widths = [width * 2**level for level in range(len(sizes) - 1)]
        self.first = DownConv(channels, width, True) if widths else nn.Conv2d(channels, width, 3, padding=1)
        self.convs = nn.ModuleList([DownConv(*pair, False) for pair in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([StepNorm(here, steps) for here in widths[1:]])
        self.read = nn.Linear((widths or [width])[-1] * math.prod(sizes[-1]), hidden)
        self.apply(dcgan_weights)

    def forward(self, x: Tensor, step: int) -> Tensor:
        x = F.leaky_relu(self.first(x), 0.2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x), step), 0.2)
        return self.read(x.flatten(1)).tanh()


class CanvasGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W) in [-1, 1] in `steps` additions.

    h_z = tanh(W z + b)                    (eq. 4)
    h_c = g(last addition), 0 at first     (eq. 5)
    addition = f([h_z, h_c])               (eq. 6)
    x = tanh(sum of additions)             (eq. 7, whose sigmoid is for pixels in [0, 1])
    """

    def __init__(self, z_dim: int, shape: Shape, steps: int = 3, width: int = 64, hidden: int = 100) -> None:
        super().__init__()
        self.steps = steps
        self.read_z = nn.Linear(z_dim, hidden)
        init_fan_in_(self.read_z)  # with weights of the usual, smaller size G forgot z and collapsed
        self.f = Decoder(2 * hidden, shape, steps, width)
        self.g = Encoder(hidden, shape, steps - 1, width) if steps > 1 else None  # a single step reads nothing

    def forward(self, z: Tensor) -> Tensor:
        return functools.reduce(operator.add, self.additions(z)).tanh()

    def canvases(self, z: Tensor) -> Tensor:
        """What forward would give after 1, 2, ... steps, (N, steps, C, H, W)."""
        return torch.stack(list(itertools.accumulate(self.additions(z))), 1).tanh()

    def additions(self, z: Tensor) -> list[Tensor]:
        """What each step adds, (N, C, H, W) of any sign and size."""
        h_z = self.read_z(z).tanh()
        made = [self.f(torch.cat([h_z, torch.zeros_like(h_z)], 1), 0)]
        while self.g is not None and len(made) < self.steps:
            h_c = self.g(made[-1], len(made) - 1)
            made.append(self.f(torch.cat([h_z, h_c], 1), len(made)))
        return made
