"""A gated PixelCNN over grids of codes (van den Oord 2017, sec. 4.1), and over a coarse and a fine one (Razavi 2019).

Codes have no order, so each is a learned vector as input and one of K classes as output. The network of the fine grid sees the
whole coarse grid, upsampled to its size. N images, K codes, D numbers in a vector.
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
        priors: list[nn.Module] = []
        context = 0  # channels of the map of the grid before: none for the first
        for _, _, size in grids:
            priors.append(
                PixelCNN(length, size, 1, width, layers, kernel, first_kernel, head, classes, context=context)
            )
            context = width
        self.priors = nn.ModuleList(priors)
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

    def context(self, level: int, before: Tensor) -> Tensor | None:
        """The map (N, width, h, w) that the network of a grid gets of the codes (N, h' * w') of the grid before it; None for the
        first."""
        if level == 0:
            return None
        return self.spread[level - 1](self.read(level - 1, before))

    def forward(
        self, codes: Tensor, label: Tensor | None = None, dropout_masks: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """Logits (N, K, h, w) of each grid, of whole images' codes (N, L). `dropout_masks`: one (N, layers, P) per grid, see
        PixelCNN."""
        parts = codes.split(self.places, 1)
        logits = []
        for level, part in enumerate(parts):
            mask = dropout_masks[level] if dropout_masks else None
            context = self.context(level, parts[level - 1])
            logits.append(self.prior(level)(self.read(level, part), label, mask, context))
        return logits

    def log_likelihood(
        self, codes: Tensor, label: Tensor | None = None, dropout_masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """log p of each grid of codes (N, L), given the grids before it, in nats, (N, grids)."""
        log_p = []
        for raw, part in zip(self(codes, label, dropout_masks), codes.split(self.places, 1), strict=True):
            log_p.append(-F.cross_entropy(raw.float().flatten(2), part, reduction="none").sum(1))
        return torch.stack(log_p, 1)


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


# --- sampling -------------------------------------------------------------------------------------------------------------


@dataclass
class GivenCodes:
    """Codes that are not sampled: `codes` (N, L), where `mask` (N, L) is true."""

    codes: Tensor
    mask: Tensor


Choose = Callable[[Tensor], Tensor]
"""Log weights (N,) of the images so far, to the number of the image that each continues as, (N,) int64."""


@torch.no_grad()
def draw(
    network: CodeNetwork, uniform: Tensor, label: Tensor | None = None, given: GivenCodes | None = None,
    choose: Choose | None = None,
) -> Tensor:  # fmt: skip
    """Codes (N, L), place by place: each is the one whose interval of the cumulative distribution holds `uniform` (N, L).

    `given` codes stay as they are. With `choose` each image has a weight, the log probability of its given codes since the last
    choice; at the end of each row `choose` returns which image each continues as.
    """
    n = len(uniform)
    codes = torch.zeros_like(uniform, dtype=torch.int64)
    weights = uniform.new_zeros(n)
    start = 0
    for level, (h, w, _) in enumerate(network.grids):
        before = codes[:, :start]  # of the first grid nothing
        if level > 0:
            before = before[:, -network.places[level - 1] :]
        cached = Incremental(network.prior(level), n, w, label, network.context(level, before))
        vectors = cast(nn.Embedding, network.vectors[level])
        for i in range(h):
            cached.begin_row()
            for j in range(w):
                place = start + i * w + j
                probabilities = cached.raw(j).float().softmax(1)
                code = (uniform[:, place, None] >= probabilities.cumsum(1)[:, :-1]).sum(1)
                if given is not None:
                    is_given = given.mask[:, place]
                    code = torch.where(is_given, given.codes[:, place], code)
                    log_p = probabilities.gather(1, code[:, None])[:, 0].clamp_min(1e-30).log()
                    weights = weights + torch.where(is_given, log_p, 0)
                codes[:, place] = code
                cached.pixel(j).copy_(vectors(code))
            if choose is not None and given is not None:
                parents = choose(weights)
                codes, weights = codes[parents], torch.zeros_like(weights)
                if label is not None:
                    label = label[parents]
                cached.follow(parents)
        start += h * w
    return codes


def systematic(weights: Tensor, offset: Tensor) -> Tensor:
    """Systematic resampling (Kitagawa 1996): which of S images each of S continues as, (N, S) int64, with frequencies
    proportional to exp(weights), weights (N, S); `offset` (N,) in [0, 1). Equal weights leave each in its place."""
    size = weights.shape[1]
    cuts = weights.softmax(1).double().cumsum(1)[:, :-1].contiguous()
    points = (torch.arange(size, device=weights.device) + offset[:, None].double()) / size
    return torch.searchsorted(cuts, points.contiguous(), right=True)
