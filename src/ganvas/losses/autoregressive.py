"""Distributions of one channel of one pixel given all before it, over discrete levels: likelihoods and sampling.

Levels are integers 0 ... levels - 1, evenly spread over [-1, 1]. `raw` is the output of a network, without an
activation. Every distribution has `channels`, `groups` (parts of `raw` by channel; 1: all of `raw` belongs to the whole
pixel), `outputs`, and two functions: `log_likelihood` of whole images, and `cumulative` of one channel for sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.losses import truncation

LOG_SCALE_RANGE = (-7.0, 7.0)  # from much narrower than one of 256 levels to almost flat over [-1, 1]


def to_levels(images: Tensor, levels: int) -> Tensor:
    """The nearest level of each value in [-1, 1], int64. With 256 a byte is its own level; no byte lies between two."""
    return ((images.float() + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1).long()


def to_values(codes: Tensor, levels: int) -> Tensor:
    """Levels as values in [-1, 1], float32."""
    return codes.float() * (2 / (levels - 1)) - 1


class Distribution(Protocol):
    """The distribution of a channel's levels given all earlier values."""

    @property
    def levels(self) -> int: ...

    @property
    def groups(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    def log_likelihood(self, raw: Tensor, codes: Tensor) -> Tensor:
        """log p of whole images in nats, (N,): raw (N, outputs, H, W), codes (N, C, H, W)."""
        ...

    def cumulative(self, raw: Tensor, before: Tensor) -> Tensor:
        """P(level <= k), k = 0 ... levels - 2, of one channel at one pixel, (N, levels - 1).

        raw (N, outputs / groups); before (N, c), the values in [-1, 1] of this pixel's earlier channels.
        """
        ...


def drawn(distribution: Distribution, raw: Tensor, uniform: Tensor, before: Tensor, temperature: float = 1.0) -> Tensor:
    """The values (N,) in [-1, 1] whose interval of the cumulative distribution holds `uniform` (N,) in [0, 1).

    Log probabilities of levels are divided by `temperature`; 0 takes the most probable level.
    """
    cumulative = distribution.cumulative(raw, before)
    if temperature == 1:
        codes = (uniform[:, None] >= cumulative).sum(1)
    else:
        shares = F.pad(cumulative, (0, 1), value=1.0).diff(dim=1, prepend=torch.zeros_like(cumulative[:, :1]))
        codes = truncation.drawn(truncation.probabilities(shares.clamp_min(0).log(), temperature), uniform)
    return to_values(codes, distribution.levels)


@dataclass(frozen=True)
class Binary:
    """Two levels; one logit of the upper level per channel."""

    channels: int
    levels: int = 2

    @property
    def groups(self) -> int:
        return self.channels

    @property
    def outputs(self) -> int:
        return self.channels

    def log_likelihood(self, raw: Tensor, codes: Tensor) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(raw.float(), codes.float(), reduction="none")
        return -loss.flatten(1).sum(1)

    def cumulative(self, raw: Tensor, before: Tensor) -> Tensor:
        return torch.sigmoid(-raw)


@dataclass(frozen=True)
class Categorical:
    """A softmax over all levels, channel by channel (van den Oord 2016, arXiv:1601.06759)."""

    channels: int
    levels: int

    @property
    def groups(self) -> int:
        return self.channels

    @property
    def outputs(self) -> int:
        return self.channels * self.levels

    def log_likelihood(self, raw: Tensor, codes: Tensor) -> Tensor:
        logits = raw.float().unflatten(1, (self.channels, self.levels)).movedim(2, 1)
        return -F.cross_entropy(logits, codes, reduction="none").flatten(1).sum(1)

    def cumulative(self, raw: Tensor, before: Tensor) -> Tensor:
        return raw.softmax(1).cumsum(1)[:, :-1]


@dataclass(frozen=True)
class LogisticMixture:
    """A discretised mixture of logistics of the whole pixel (Salimans 2017, arXiv:1701.05517, sec. 2), any channels.

    In each component a channel's mean moves linearly with the pixel's earlier channels (their eq. 3). A channel
    alone, given those, is again a mixture, with weights by Bayes' rule: so one uniform number per channel is enough
    to sample it.
    """

    channels: int
    levels: int
    mixtures: int

    @property
    def groups(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return self.mixtures * (1 + 2 * self.channels + self.pairs)

    @property
    def pairs(self) -> int:
        """Pairs of a channel and an earlier one."""
        return self.channels * (self.channels - 1) // 2

    def bias(self) -> Tensor:
        """Initial raw outputs (outputs,): components of medium width spread evenly over [-1, 1]."""
        means = torch.linspace(-0.9, 0.9, self.mixtures).repeat(self.channels)
        scales = torch.full_like(means, -1.5)
        rest = self.mixtures * self.pairs
        return torch.cat([torch.zeros(self.mixtures), means, scales, torch.zeros(rest)])

    # Below: N images, M mixtures, C channels, S pixels

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights (N, M, S), means and log scales (N, C, M, S), coefficients in (-1, 1) (N, pairs, M, S)."""
        M, C = self.mixtures, self.channels
        weights, means, scales, pairs = raw.float().split([M, M * C, M * C, M * self.pairs], 1)
        means, scales = means.unflatten(1, (C, M)), scales.unflatten(1, (C, M))
        coefficients = pairs.unflatten(1, (self.pairs, M)).tanh()
        return weights.log_softmax(1), means, scales.clamp(*LOG_SCALE_RANGE), coefficients

    def mean(self, channel: int, means: Tensor, coefficients: Tensor, values: Tensor) -> Tensor:
        """Mean of one channel in each component, (N, M, S), moved by the earlier channels of values (N, >= channel, S)."""
        start = channel * (channel - 1) // 2
        moved = means[:, channel]
        for earlier in range(channel):
            moved = moved + coefficients[:, start + earlier] * values[:, earlier, None]
        return moved

    def log_likelihood(self, raw: Tensor, codes: Tensor) -> Tensor:
        weights, means, scales, coefficients = self.split(raw.flatten(2))
        codes = codes.flatten(2)
        values = to_values(codes, self.levels)
        for channel in range(self.channels):
            mean = self.mean(channel, means, coefficients, values)
            weights = weights + log_logistic(codes[:, channel, None], mean, scales[:, channel], self.levels)
        return weights.logsumexp(1).sum(1)

    def cumulative(self, raw: Tensor, before: Tensor) -> Tensor:
        weights, means, scales, coefficients = self.split(raw[..., None])
        values = before[..., None]
        codes = to_levels(values, self.levels)
        channel = before.shape[1]
        for earlier in range(channel):
            mean = self.mean(earlier, means, coefficients, values)
            weights = weights + log_logistic(codes[:, earlier, None], mean, scales[:, earlier], self.levels)
        edges = to_values(torch.arange(self.levels - 1, device=raw.device) + 0.5, self.levels)
        mean = self.mean(channel, means, coefficients, values)
        below = torch.sigmoid((edges - mean) * (-scales[:, channel]).exp())  # (N, M, levels - 1)
        return torch.einsum("nm,nmk->nk", weights[..., 0].softmax(1), below)


def log_logistic(codes: Tensor, mean: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """log of a logistic distribution's mass within half a level of `codes`; the outermost reach to infinity (eq. 2).

    Every argument of one shape, or broadcast. sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)) keeps
    its logarithm finite however far the level lies from the mean.
    """
    inverse = (-log_scale).exp()
    centred = (to_values(codes, levels) - mean) * inverse
    half = inverse / (levels - 1)
    below, above = F.logsigmoid(centred + half), F.logsigmoid(half - centred)
    inside = below + above + torch.log(-torch.expm1(-2 * half))
    return torch.where(codes == 0, below, torch.where(codes == levels - 1, above, inside))
