"""A small time-conditioned U-Net, for diffusion and flow matching on few cores, at any height and width.

Idea: no layer works at full size but the first and the last, which are strided. Most of their signal is noise, which is preserved
if the first size has at least four times as many channels as the image. Skip connections are added at each size. Time and class
modulate every size by a scale and a shift per channel (FiLM, Perez 2018, arXiv:1709.07871).

Departs from the papers' U-Nets (Ho 2020, Dhariwal 2021): no normalisation, no attention, sums in place of concatenations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_
from ganvas.networks.resample import Double, Halve, fitted, pyramid

Shape = tuple[int, int, int]
SILU_GAIN = math.sqrt(2)  # of a SiLU, nearly


class TimeEmbedding(nn.Module):
    """t (N,) in [0, 1] and an optional class (N,) to a vector (N, dim): sines and cosines of t, then two layers.

    The class number `classes` means no class.
    """

    slowest, fastest = 1.0, 64.0  # radians over the range of t

    def __init__(self, dim: int, classes: int = 0) -> None:
        super().__init__()
        self.pairs = max(1, dim // 2)
        self.layers = nn.Sequential(nn.Linear(2 * self.pairs, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.embed: nn.Embedding | None = None
        if classes:
            self.embed = nn.Embedding(classes + 1, dim)

    def forward(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        steps = torch.arange(self.pairs, device=t.device) / max(1, self.pairs - 1)
        angles = t[:, None] * self.slowest * (self.fastest / self.slowest) ** steps
        embedding = self.layers(torch.cat([angles.sin(), angles.cos()], 1))
        if self.embed is not None:
            if label is None:
                label = torch.full((t.shape[0],), self.embed.num_embeddings - 1, device=t.device)
            embedding = embedding + self.embed(label).to(embedding.dtype)
        return F.silu(embedding)


class Modulation(nn.Module):
    """x (1 + scale) + shift, then SiLU: scale and shift (N, C) are linear in the time embedding, and initially 0."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.film = nn.Linear(dim, 2 * channels)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, 1)
        return F.silu(torch.addcmul(shift, x, 1 + scale))


class ModulatedResidual(nn.Module):
    """x + f(x, embedding) with two 3 x 3 convolutions; f is initially 0."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.first = init_fan_in_(nn.Conv2d(channels, channels, 3, padding=1))
        self.modulation = Modulation(channels, dim)
        self.last = init_fan_in_(nn.Conv2d(channels, channels, 3, padding=1), 0.0)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return x + self.last(self.modulation(self.first(x), embedding))


class Stage(nn.Module):
    """One size: the strided convolution that leads to it, modulation, residual blocks."""

    def __init__(self, step: nn.Module, channels: int, blocks: int, dim: int) -> None:
        super().__init__()
        self.step = step
        self.modulation = Modulation(channels, dim)
        self.blocks = nn.ModuleList([ModulatedResidual(channels, dim) for _ in range(blocks)])

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        x = self.modulation(self.step(x), embedding)
        for block in self.blocks:
            x = block(x, embedding)
        return x


class UNet(nn.Module):
    """x (N, C, H, W), t (N,) in [0, 1] and an optional class (N,) to unbounded outputs (N, C, H, W), initially 0.

    `widths` are the channels from the smallest size up, without full size; `blocks` residual blocks follow each downsampling and
    each upsampling. With `classes`, the class number `classes`, or no label, means no class.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], blocks: int = 1, classes: int = 0, dim: int = 64) -> None:
        super().__init__()
        channels, height, width = shape
        sizes = pyramid(height, width)
        wide = fitted(widths, max(1, len(sizes) - 1))[::-1]
        self.clock = TimeEmbedding(dim, classes)
        whole = len(sizes) == 1  # nothing to downsample: an image of a few pixels
        # Down: the first step leads from the image to the first size, each other one to half the size.
        first: nn.Module = nn.Conv2d(channels, wide[0], 3, padding=1) if whole else Halve(channels, wide[0], SILU_GAIN)
        steps = [first, *(Halve(a, b, SILU_GAIN) for a, b in pairwise(wide))]
        self.down = nn.ModuleList([Stage(step, w, blocks, dim) for step, w in zip(steps, wide, strict=True)])
        # Up: the same sizes back, and to the image.
        doubled = [Double(wide[i + 1], wide[i], sizes[i + 1], SILU_GAIN) for i in reversed(range(len(wide) - 1))]
        self.up = nn.ModuleList([Stage(step, w, blocks, dim) for step, w in zip(doubled, wide[-2::-1], strict=True)])
        if whole:
            self.last = init_fan_in_(nn.Conv2d(wide[0], channels, 3, padding=1), 0.0)
        else:
            self.last = Double(wide[0], channels, sizes[0], gain=0.0)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self.clock(t, label)
        skips: list[Tensor] = []
        for stage in self.down:
            x = stage(x, embedding)
            skips.append(x)
        skips.pop()
        for stage in self.up:
            x = stage(x, embedding) + skips.pop()
        return self.last(x)
