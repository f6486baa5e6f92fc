"""Log-likelihoods of images under what a network says of each pixel, in nats, one value an example.

Images of `levels` brightnesses lie in [-1, 1] at -1 + 2 i / (levels - 1). A discretised density gives each level the mass
between the middles to its neighbours, the first and last level all beyond them: probabilities that sum to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.losses.autoregressive import LogisticMixture, to_levels

MIN_LOG_SCALE = -7.0  # logarithm of the least scale: an eighth of the distance between two of 256 levels


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """sum x log y + (1 - x) log(1 - y), y = sigmoid(logits) (Kingma 2013, arXiv:1312.6114, eq. 11).

    Both (N, ...); x in [0, 1]. Where x is the probability of a 1, this is the mean over what may be drawn with it. Returns (N,).
    """
    return (x * logits - softplus(logits)).flatten(1).sum(1)


def discretised_normal_log_likelihood(x: Tensor, mu: Tensor, log_sigma: Tensor, levels: int = 256) -> Tensor:
    """log of the mass of N(mu, sigma^2) around each value of x (Ho 2020, arXiv:2006.11239, eq. 13), summed: (N, ...) to (N,)."""
    half, sigma = 1 / (levels - 1), log_sigma.clamp_min(MIN_LOG_SCALE).exp()
    below, above = (x - half - mu) / sigma, (x + half - mu) / sigma
    # Mirrored to the left tail, where the logarithm of the distribution keeps its digits.
    mirrored = below + above > 0
    low, high = torch.where(mirrored, -above, below), torch.where(mirrored, -below, above)
    log_high = torch.special.log_ndtr(high)
    share = (torch.special.log_ndtr(low) - log_high).clamp_max(-1e-7)
    inner = log_high + torch.log(-torch.expm1(share))
    each = _with_ends(x, half, torch.special.log_ndtr(above), inner, torch.special.log_ndtr(-below))
    return each.flatten(1).sum(1)


def mixture_outputs(channels: int, components: int) -> int:
    """How many numbers a pixel `logistic_mixture_log_likelihood` takes: 10 a component for RGB, as in the paper."""
    return LogisticMixture(channels, 256, components).outputs


def logistic_mixture_log_likelihood(x: Tensor, parameters: Tensor, levels: int = 256) -> Tensor:
    """log of the mass that a mixture of logistics gives to x (Salimans 2017, arXiv:1701.05517, eqs. 2 and 3), (N,).

    x (N, C, H, W), at its nearest levels; parameters (N, mixture_outputs(C, K), H, W), as LogisticMixture reads them: K
    logits, then K means, K log scales for each channel, then K coefficients for each pair of channels.
    """
    return _mixture(parameters, x.shape[1], levels).log_likelihood(parameters, to_levels(x, levels))


def logistic_mixture_mean(parameters: Tensor, channels: int) -> Tensor:
    """The mean of that mixture, (N, C, H, W), before it is cut to [-1, 1]."""
    mixture = _mixture(parameters, channels)
    log_weights, means, _, coefficients = mixture.split(parameters.flatten(2))
    expected: list[Tensor] = []
    for channel in range(channels):
        start = channel * (channel - 1) // 2
        before = [coefficients[:, start + other] * expected[other] for other in range(channel)]
        expected.append(torch.stack([means[:, channel], *before]).sum(0))
    mean = (torch.stack(expected, 1) * log_weights.exp()[:, None]).sum(2)
    return mean.unflatten(2, parameters.shape[2:])


def importance_bound(log_weights: Tensor) -> Tensor:
    """log of the mean of k importance weights p(x, z) / q(z | x) (Burda 2015, arXiv:1509.00519, eq. 8): (k, N) to (N,).

    Its expectation is a lower bound of log p(x): the evidence lower bound for k = 1, tighter with each more.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def smoothed(log_p: Tensor, every: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy (...,) in nats with the distribution that has 1 - `smoothing` on the target, whose log p (...,) is given, and
    `smoothing` spread evenly over all tokens, with log p in `every` (..., V) (Szegedy 2016, arXiv:1512.00567, sec. 7)."""
    if not smoothing:
        return -log_p
    return -(1 - smoothing) * log_p - smoothing * every.mean(-1)


def _with_ends(x: Tensor, half: float, first: Tensor, inner: Tensor, last: Tensor) -> Tensor:
    """`first` at the darkest level, `last` at the brightest, `inner` between."""
    return torch.where(x < -1 + half, first, torch.where(x > 1 - half, last, inner))


def _mixture(parameters: Tensor, channels: int, levels: int = 256) -> LogisticMixture:
    return LogisticMixture(channels, levels, parameters.shape[1] // mixture_outputs(channels, 1))
