"""Quantisers (a codebook, FSQ), and the convolutions around them for VQ-VAE.

N images, C channels, H W pixels, h w codes, K codebook size, E dimensions of a code, M vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.device import is_accelerator
from ganvas.networks.layers import init_fan_in_
from ganvas.networks.resample import Double, Halve, Size

Shape = tuple[int, int, int]
RELU_GAIN = 2**0.5  # undoes the loss of variance of ReLU (He 2015)
KMEANS_ROUNDS = 10  # of k-means
MIN_SHARE = 1e-12  # to divide by


# --- gradients through the quantisation -----------------------------------------------------------------------------


def straight_through(z: Tensor, chosen: Tensor) -> Tensor:
    """The value of `chosen`, whose gradient is passed to z unchanged (Bengio 2013; van den Oord 2017, sec. 3.2)."""
    return z + (chosen - z).detach()


def rotated(z: Tensor, chosen: Tensor) -> Tensor:
    """The value of `chosen` (M, E), as z (M, E) rotated and scaled without gradients of both (Fifty 2024, eq. 1 and sec. 4.2).

    With e, q the unit vectors of z and of the code, r = (e + q) / |e + q|: the code is (|code| / |z|) (I - 2 r r' + 2 q e') z.
    The gradient is rotated by the same matrix, so that its angle to z equals its angle to the code.
    """
    chosen = chosen.detach()
    length = z.detach().norm(dim=1, keepdim=True).clamp_min(1e-6)
    e = z.detach() / length
    q = chosen / chosen.norm(dim=1, keepdim=True).clamp_min(1e-6)
    r = F.normalize(e + q, dim=1, eps=1e-6)
    rotated_z = z - 2 * r * (r * z).sum(1, keepdim=True) + 2 * q * (e * z).sum(1, keepdim=True)
    return chosen.norm(dim=1, keepdim=True) / length * rotated_z


# --- quantisers -----------------------------------------------------------------------------------------------------------


class Codebook(nn.Module):
    """K vectors (K, E). `trained`: by gradient; otherwise by moving averages of the encoder's outputs (see `follow`).

    `share` (K,) is the moving average of the frequency of each code.
    """

    vectors: Tensor
    share: Tensor
    sums: Tensor

    def __init__(self, size: int, length: int, trained: bool = False) -> None:
        super().__init__()
        self.size, self.length, self.trained = size, length, trained
        vectors = torch.randn(size, length)
        self.register_buffer("share", torch.full((size,), 1 / size))
        if trained:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)
            self.register_buffer("sums", vectors / size)

    def nearest(self, z: Tensor) -> Tensor:
        """The code of the nearest vector, (M,) int64, for z (M, E) float32; the first of equal ones."""
        return nearest(z, self.vectors)

    def forward(self, codes: Tensor) -> Tensor:
        """The vectors (..., E) of codes (...)."""
        return F.embedding(codes, self.vectors)

    # These functions change the state: for Update.start and Update.after only.

    @torch.no_grad()
    def begin(self, points: Tensor) -> None:
        """Initialises the vectors by k-means of encoder outputs `points` (P, E)."""
        vectors = cluster_means(points, self.size)
        self.replace(torch.ones_like(self.share, dtype=torch.bool), vectors)

    @torch.no_grad()
    def follow(self, shares: Tensor, sums: Tensor, decay: float) -> None:
        """One step of the moving averages (van den Oord 2017, eq. 6 to 8), with frequencies instead of counts.

        `shares` (K,), `sums` (K, E): the frequency of each code, and the sum of the z that chose it, over the number of all z.
        Vectors become sums / shares.
        """
        self.share.lerp_(shares, 1 - decay)
        if not self.trained:
            self.sums.lerp_(sums, 1 - decay)
            self.vectors.copy_(self.sums / self.share.clamp_min(MIN_SHARE)[:, None])

    @torch.no_grad()
    def revive(self, points: Tensor, least: float) -> Tensor:
        """Resets codes whose share fell below `least` / K to `points` (P, E). Returns how many, ()."""
        dead = self.share < least / self.size
        rows = torch.arange(self.size, device=points.device) % len(points)
        self.replace(dead, points[rows])
        return dead.sum().float()

    @torch.no_grad()
    def replace(self, where: Tensor, vectors: Tensor) -> None:
        """Sets the vectors to `vectors` (K, E) where `where` (K,) is true, and their shares to 1 / K."""
        self.vectors.copy_(torch.where(where[:, None], vectors, self.vectors))
        self.share.copy_(torch.where(where, 1 / self.size, self.share))
        if not self.trained:
            self.sums.copy_(torch.where(where[:, None], vectors / self.size, self.sums))

    def used(self, least: float) -> Tensor:
        """Fraction of the codes whose share is above `least` / K, ()."""
        return (self.share > least / self.size).float().mean()


class FSQ(nn.Module):
    """Finite scalar quantisation (Mentzer 2023, arXiv:2309.15505): each of E numbers is rounded to one of a few levels.

    There is no codebook to learn: the code is the number with these digits, the first the least significant. `levels` per
    dimension, such as [8, 5, 5, 5] for K = 1000.
    """

    levels: Tensor
    places: Tensor
    middle: Tensor
    half_width: Tensor
    offset: Tensor
    shift: Tensor
    share: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.size, self.length = math.prod(levels), len(levels)
        places = [math.prod(levels[:i]) for i in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("places", torch.tensor(places), persistent=False)
        # In float32, which is exact for every code: integers are slow to multiply.
        half_width = (self.levels - 1) * (1 + 1e-3) / 2
        offset = (self.levels % 2 == 0).float() / 2
        self.register_buffer("middle", (self.levels // 2).float(), persistent=False)
        self.register_buffer("half_width", half_width.float(), persistent=False)
        self.register_buffer("offset", offset.float(), persistent=False)
        self.register_buffer("shift", torch.atanh(offset / half_width).float(), persistent=False)
        self.register_buffer("share", torch.full((self.size,), 1 / self.size))

    def bounded(self, z: Tensor) -> Tensor:
        """z (M, E) mapped to the range of the levels, before rounding (the paper's listing in appendix A)."""
        return torch.tanh(z + self.shift) * self.half_width - self.offset

    def chosen(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (M,) int64 of z (M, E) float32, and their vectors (M, E) in [-1, 1], with the gradient of the unrounded ones."""
        bounded = self.bounded(z)
        rounded = bounded.detach().round()
        codes = ((rounded + self.middle) * self.places).sum(1).long()
        if z.requires_grad:
            rounded = straight_through(bounded, rounded)
        return codes, rounded / self.middle

    def nearest(self, z: Tensor) -> Tensor:
        """The codes (M,) int64 of z (M, E) float32."""
        return self.chosen(z.detach())[0]

    def forward(self, codes: Tensor) -> Tensor:
        """The vectors (..., E) in [-1, 1] of codes (...)."""
        return (codes[..., None] // self.places % self.levels - self.middle) / self.middle

    @torch.no_grad()
    def follow(self, shares: Tensor, decay: float) -> None:
        """One step of the moving average of the frequency of each code, `shares` (K,)."""
        self.share.lerp_(shares, 1 - decay)

    def used(self, least: float) -> Tensor:
        """Fraction of the codes whose share is above `least` / K, ()."""
        return (self.share > least / self.size).float().mean()


def nearest(z: Tensor, vectors: Tensor) -> Tensor:
    """The row of `vectors` (K, E) nearest to each row of z (M, E), (M,) int64.

    |z - e|^2 = |z|^2 + 2 (|e|^2 / 2 - z e), of which |z|^2 does not matter: one matrix product.
    """
    with torch.autocast(z.device.type, enabled=False):
        half = vectors.float().square().sum(1) / 2
        return torch.addmm(half, z.float(), vectors.float().T, alpha=-1).argmin(1)


def sums_by_code(codes: Tensor, z: Tensor, size: int) -> Tensor:
    """The sum (K, E) of the rows of z (M, E) that chose each code."""
    if is_accelerator(z.device):  # index_add is not deterministic there
        with torch.autocast(z.device.type, enabled=False):
            return F.one_hot(codes, size).to(z.dtype).T @ z
    return z.new_zeros(size, z.shape[1]).index_add_(0, codes, z)


def counts_by_code(codes: Tensor, size: int) -> Tensor:
    """How often each code 0, ..., size - 1 was chosen, (K,) int64. torch.bincount would wait for the largest of `codes`."""
    return codes.new_zeros(size).scatter_add_(0, codes, torch.ones_like(codes))


def cluster_means(points: Tensor, size: int) -> Tensor:
    """K-means of points (P, E), (size, E), initialised with the first `size` points (repeated where P < size).

    A cluster without points keeps its mean.
    """
    rows = torch.arange(size, device=points.device) % len(points)
    means = points[rows].clone()
    for _ in range(KMEANS_ROUNDS):
        codes = nearest(points, means)
        counts = counts_by_code(codes, size)[:, None]
        means = torch.where(counts > 0, sums_by_code(codes, points, size) / counts.clamp_min(1), means)
    return means


# --- convolutions -----------------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))) (van den Oord 2017, sec. 4.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(width, width, 3, padding=1)
        self.narrow = nn.Conv2d(width, width, 1)
        init_fan_in_(self.wide, RELU_GAIN)
        init_fan_in_(self.narrow, 0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.relu(self.wide(F.relu(x))))


def halved(height: int, width: int, times: int) -> list[Size]:
    """Sizes from (height, width) down, each half of the one before rounded up: `times` + 1 of them."""
    sizes = [(height, width)]
    for _ in range(times):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def shrinking(channels: int, width: int, times: int, blocks: int) -> nn.Sequential:
    """Features (N, width, h, w) of x (N, channels, H, W), downsampled `times` times, before a last ReLU."""
    layers: list[nn.Module] = []
    for i in range(times):
        outputs = width if i == times - 1 else max(1, width // 2)
        if i > 0:
            layers.append(nn.ReLU())
        layers.append(Halve(channels, outputs, RELU_GAIN))
        channels = outputs
    return nn.Sequential(*layers, *(Residual(width) for _ in range(blocks)))


def growing(length: int, width: int, channels: int, sizes: Sequence[Size], blocks: int) -> nn.Sequential:
    """From (N, length, *sizes[0]) to (N, channels, *sizes[-1]), upsampling from each size to the next."""
    first = nn.Conv2d(length, width, 3, padding=1)
    init_fan_in_(first)
    layers: list[nn.Module] = [first, *(Residual(width) for _ in range(blocks))]
    for size in sizes[1:-1]:
        outputs = max(1, width // 2)
        layers += [nn.ReLU(), Double(width, outputs, size, RELU_GAIN)]
        width = outputs
    layers += [nn.ReLU(), Double(width, channels, sizes[-1], gain=0.5)]
    return nn.Sequential(*layers)


class CodeEncoder(nn.Module):
    """Images (N, C, H, W) to z of each level, in parts: `fine` features, with two levels also `coarse` features of those.

    `heads` turn features into z (N, E, h, w), the coarse level first. The fine head also sees the decoded coarse codes (Razavi
    2019, algorithm 1).
    """

    def __init__(self, channels: int, width: int, downsamplings: int, blocks: int, lengths: Sequence[int]) -> None:
        super().__init__()
        self.fine = shrinking(channels, width, downsamplings, blocks)
        self.coarse: nn.Module | None = None
        inputs = [width]
        if len(lengths) == 2:
            self.coarse = nn.Sequential(nn.ReLU(), shrinking(width, width, 1, blocks))
            inputs = [width, 2 * width]
        self.heads = nn.ModuleList(nn.Conv2d(a, length, 1) for a, length in zip(inputs, lengths, strict=True))
        for head in self.heads:
            init_fan_in_(cast(nn.Conv2d, head), RELU_GAIN)

    def head(self, level: int, features: Tensor) -> Tensor:
        """z (N, E, h, w) of one level."""
        return self.heads[level](F.relu(features))


class CodeDecoder(nn.Module):
    """Quantised vectors, one (N, E, h, w) per level with the coarse one first, to images (N, C, H, W)."""

    def __init__(self, shape: Shape, width: int, downsamplings: int, blocks: int, lengths: Sequence[int]) -> None:
        super().__init__()
        channels, height, wide = shape
        if len(lengths) == 2:
            sizes = halved(height, wide, downsamplings + 1)[::-1]
            self.coarse = growing(lengths[0], width, width, sizes[:2], blocks)
            self.fine = growing(lengths[1] + width, width, channels, sizes[1:], blocks)
        else:
            sizes = halved(height, wide, downsamplings)[::-1]
            self.coarse = None
            self.fine = growing(lengths[0], width, channels, sizes, blocks)

    def decoded(self, coarse: Tensor) -> Tensor:
        """Features (N, width, h, w) of the coarse level's vectors at the size of the fine one."""
        assert self.coarse is not None
        return self.coarse(coarse)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        if len(maps) == 1:
            return self.fine(maps[0])
        coarse, fine = maps
        return self.fine(torch.cat([fine, self.decoded(coarse).to(fine.dtype)], 1))
