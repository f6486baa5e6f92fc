"""The recurrent generator of GRAN (Im 2016, arXiv:1602.05110): a decoder adds to a canvas, an encoder reads each addition.

Both are DCGAN's convolutions, with the same weights at each step; only batch norm has statistics and scales for each step, since
what the steps add differs in kind.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.dcgan import DownConv, UpConv
from ganvas.networks.layers import LEAKY_SLOPE, dcgan_weights, init_fan_in_
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
    """f: a hidden state (N, hidden) and the number of the step to an addition (N, C, H, W), unbounded."""

    def __init__(self, hidden: int, shape: Shape, steps: int, width: int) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)[::-1]
        levels = max(1, len(sizes) - 1)
        widths = [width * 2**level for level in reversed(range(levels))]
        self.base = sizes[0]
        self.project = nn.Linear(hidden, widths[0] * math.prod(self.base), bias=False)
        convs: list[nn.Module] = []
        for level in range(1, levels):
            convs.append(UpConv(widths[level - 1], widths[level], sizes[level], False))
        if len(sizes) == 1:  # nothing to upsample
            convs.append(nn.Conv2d(width, channels, 3, padding=1))
        else:
            convs.append(UpConv(width, channels, sizes[-1], True))
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
        if widths:
            self.first = DownConv(channels, width, True)
        else:  # nothing to downsample
            self.first = nn.Conv2d(channels, width, 3, padding=1)
            widths = [width]
        self.convs = nn.ModuleList([DownConv(*pair, False) for pair in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([StepNorm(here, steps) for here in widths[1:]])
        self.read = nn.Linear(widths[-1] * math.prod(sizes[-1]), hidden)
        self.apply(dcgan_weights)

    def forward(self, x: Tensor, step: int) -> Tensor:
        x = F.leaky_relu(self.first(x), LEAKY_SLOPE)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x), step), LEAKY_SLOPE)
        return self.read(x.flatten(1)).tanh()


class CanvasGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W) in [-1, 1] in `steps` additions.

    h_z = tanh(W z + b)                    (eq. 4)
    h_c = g(last addition), 0 at first     (eq. 5)
    addition = a f([h_z, h_c])             (eq. 6, with a = 1)
    x = tanh(sum of additions)             (eq. 7, whose sigmoid is for pixels in [0, 1])

    a is 1 at the first step; that of each later step is learned from 0, as in ReZero (Bachlechner 2020, arXiv:2003.04887): G
    starts as a G of one step. With a = 1 throughout it collapsed to a few images a digit.
    """

    def __init__(self, z_dim: int, shape: Shape, steps: int = 3, width: int = 64, hidden: int = 100) -> None:
        super().__init__()
        self.steps = steps
        self.read_z = nn.Linear(z_dim, hidden)
        init_fan_in_(self.read_z)  # with weights of the usual, smaller size G forgot z and collapsed
        self.f = Decoder(2 * hidden, shape, steps, width)
        self.g: Encoder | None = None
        if steps > 1:  # a single step reads nothing
            self.g = Encoder(hidden, shape, steps - 1, width)
        self.scales = nn.Parameter(torch.zeros(steps - 1))

    def forward(self, z: Tensor) -> Tensor:
        canvas, *others = self.additions(z)
        for addition in others:
            canvas = canvas + addition
        return canvas.tanh()

    def canvases(self, z: Tensor) -> Tensor:
        """The image after each step, (N, steps, C, H, W) in [-1, 1]; the last is that of `forward`."""
        return torch.stack(list(itertools.accumulate(self.additions(z))), 1).tanh()

    def additions(self, z: Tensor) -> list[Tensor]:
        """What each step adds, (N, C, H, W), unbounded."""
        h_z = self.read_z(z).tanh()
        additions = [self.f(torch.cat([h_z, torch.zeros_like(h_z)], 1), 0)]
        for step in range(1, self.steps):
            assert self.g is not None
            h_c = self.g(additions[-1], step - 1)
            additions.append(self.scales[step - 1] * self.f(torch.cat([h_z, h_c], 1), step))
        return additions
