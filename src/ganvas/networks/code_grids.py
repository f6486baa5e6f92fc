"""A gated PixelCNN over grids of codes (van den Oord 2017, sec. 4.1), and over a coarse and a fine one (Razavi 2019).

Codes have no order, so each is a learned vector where the network reads it, and one of K where it predicts it. The fine grid
is predicted with the whole coarse one in sight, spread out to its size. N images, K codes, D numbers in a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_
from ganvas.networks.pixelcnn import Incremental, PixelCNN

Grid = tuple[int, int, int]
"""Height, width and number of codes."""


class CodeNetwork(nn.Module):
    """Raw logits (N, K, h, w) of each code of each grid, given the codes before it and the grids before its own."""

    def __init__(
        self, grids: Sequence[Grid], length: int, width: int, layers: int, kernel: int, first_kernel: int, head: int,
        classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.grids = [tuple(grid) for grid in grids]
        self.vectors = nn.ModuleList(nn.Embedding(size, length) for _, _, size in grids)
        self.priors = nn.ModuleList(
            PixelCNN(length, size, 1, width, layers, kernel, first_kernel, head, classes, width if level else 0)
            for level, (_, _, size) in enumerate(grids)
        )
        self.spread = nn.ModuleList(Spread(length, width, (h, w)) for h, w, _ in self.grids[1:])

    @property
    def places(self) -> list[int]:
        """Codes in each grid."""
        return [h * w for h, w, _ in self.grids]

    @property
    def features(self) -> int:
        """Features of a gate, for dropout."""
        return self.prior(0).features

    def prior(self, level: int) -> PixelCNN:
        """The network of one grid."""
        return cast(PixelCNN, self.priors[level])

    def read(self, level: int, codes: Tensor) -> Tensor:
        """Codes (N, h * w) of one grid as their vectors, (N, D, h, w)."""
        h, w, _ = self.grids[level]
        return self.vectors[level](codes).view(len(codes), h, w, -1).movedim(-1, 1)

    def seen(self, level: int, before: Tensor) -> Tensor | None:
        """What a grid sees of the codes (N, h' * w') of the grid before it; None for the first."""
        return self.spread[level - 1](self.read(level - 1, before)) if level else None

    def forward(self, codes: Tensor, label: Tensor | None = None, kept: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Of whole images' codes (N, L). `kept`, one (N, layers, P) a grid: see PixelCNN."""
        parts = codes.split(self.places, 1)
        return [
            self.prior(level)(
                self.read(level, part), label, kept[level] if kept else None, self.seen(level, parts[level - 1])
            )
            for level, part in enumerate(parts)
        ]  # fmt: skip

    def log_likelihood(
        self, codes: Tensor, label: Tensor | None = None, kept: Sequence[Tensor] | None = None
    ) -> Tensor:
        """log p of each grid of codes (N, L), given the grids before it, in nats, (N, grids)."""
        found = []
        for raw, part in zip(self(codes, label, kept), codes.split(self.places, 1), strict=True):
            found.append(-F.cross_entropy(raw.float().flatten(2), part, reduction="none").sum(1))
        return torch.stack(found, 1)


class Spread(nn.Module):
    """A coarse grid's vectors (N, D, h, w) as a map (N, width, H, W) of twice the size, cut."""

    def __init__(self, length: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.first = nn.Conv2d(length, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for conv in (self.first, self.second):
            init_fan_in_(conv, 2**0.5)

    def forward(self, x: Tensor) -> Tensor:
        H, W = self.size
        x = F.relu(self.first(x)).repeat_interleave(2, 2).repeat_interleave(2, 3)
        return F.relu(self.second(x[..., :H, :W]))


# --- drawing --------------------------------------------------------------------------------------------------------------


@dataclass
class Known:
    """Codes that are not to be drawn: `codes` (N, L), where `given` (N, L) is true."""

    codes: Tensor
    given: Tensor


Choose = Callable[[Tensor], Tensor]
"""Log weights (N,) of images so far, to what each continues as, (N,)."""


@torch.no_grad()
def draw(
    network: CodeNetwork, uniform: Tensor, label: Tensor | None = None, known: Known | None = None,
    choose: Choose | None = None,
) -> Tensor:  # fmt: skip
    """Codes (N, L), place by place: each is the one whose interval of the cumulative distribution holds `uniform` (N, L).

    `known` codes stand as they are. With `choose` each image carries the log probability that it gave to the known codes
    since the last choice; at the end of each row `choose` says which image each continues as.
    """
    n = len(uniform)
    codes = torch.zeros_like(uniform, dtype=torch.int64)
    weights = uniform.new_zeros(n)
    start = 0
    for level, (h, w, _) in enumerate(network.grids):
        before = codes[:, start - network.places[level - 1] : start] if level else codes
        cached = Incremental(network.prior(level), n, w, label, network.seen(level, before))
        vectors = cast(nn.Embedding, network.vectors[level])
        for i in range(h):
            cached.begin_row()
            for j in range(w):
                place = start + i * w + j
                chances = cached.raw(j).float().softmax(1)
                drawn = (uniform[:, place, None] >= chances.cumsum(1)[:, :-1]).sum(1)
                if known is not None:
                    given = known.given[:, place]
                    drawn = torch.where(given, known.codes[:, place], drawn)
                    said = chances.gather(1, drawn[:, None])[:, 0].clamp_min(1e-30).log()
                    weights = weights + torch.where(given, said, 0)
                codes[:, place] = drawn
                cached.pixel(j).copy_(vectors(drawn))
            if choose is not None and known is not None:
                parents = choose(weights)
                codes, weights = codes[parents], torch.zeros_like(weights)
                label = None if label is None else label[parents]
                cached.follow(parents)
        start += h * w
    return codes


def systematic(weights: Tensor, offset: Tensor) -> Tensor:
    """Which of S images each of S continues as, (N, S) int64, as often as exp(weights) (N, S) say, by one number `offset` (N,)
    in [0, 1) a row (systematic resampling: Kitagawa 1996). Equal weights leave each in its place."""
    size = weights.shape[1]
    cuts = weights.softmax(1).double().cumsum(1)[:, :-1].contiguous()
    points = (torch.arange(size, device=weights.device) + offset[:, None].double()) / size
    return torch.searchsorted(cuts, points.contiguous(), right=True)
