"""Log-likelihoods of pictures under what a network says of each pixel, in nats, one value an example.

Pictures of `levels` brightnesses lie in [-1, 1] at -1 + 2 i / (levels - 1). A discretised density gives each level the mass
between the middles to its neighbours, the first and last level all beyond them: probabilities that sum to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

NARROWEST = -7.0  # logarithm of the least scale: an eighth of the distance between two of 256 levels


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """sum x log y + (1 - x) log(1 - y), y = sigmoid(logits) (Kingma 2013, arXiv:1312.6114, eq. 11).

    Both (N, ...); x in [0, 1]. Where x is the probability of a 1, this is the mean over what may be drawn with it. Returns (N,).
    """
    return (x * logits - softplus(logits)).flatten(1).sum(1)


def discretised_normal_log_likelihood(x: Tensor, mu: Tensor, log_sigma: Tensor, levels: int = 256) -> Tensor:
    """log of the mass of N(mu, sigma^2) around each value of x (Ho 2020, arXiv:2006.11239, eq. 13), summed: (N, ...) to (N,)."""
    half, sigma = 1 / (levels - 1), log_sigma.clamp_min(NARROWEST).exp()
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
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


def logistic_mixture_log_likelihood(x: Tensor, parameters: Tensor, levels: int = 256) -> Tensor:
    """log of the mass that a mixture of logistics gives to x (Salimans 2017, arXiv:1701.05517, eqs. 2 and 3), (N,).

    x (N, C, H, W); parameters (N, mixture_outputs(C, K), H, W): K logits, then K means, K log scales for each channel, then K
    coefficients for each pair of channels. One component makes a pixel's channels together, each mean linear in those before.
    """
    logits, means, log_scales, coefficients = _mixture_parts(parameters, x.shape[1])
    half, known = 1 / (levels - 1), x[:, :, None]
    centre = means + _chained(coefficients, known, x.shape[1])
    narrowness = torch.exp(-log_scales)
    below, above = (known - half - centre) * narrowness, (known + half - centre) * narrowness
    # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)): no difference of nearly equal numbers.
    first, last = logsigmoid(above), logsigmoid(-below)
    inner = first + last + torch.log(-torch.expm1(-2 * half * narrowness))
    each = _with_ends(known, half, first, inner, last).sum(1)
    return (logits.log_softmax(1) + each).logsumexp(1).flatten(1).sum(1)


def logistic_mixture_mean(parameters: Tensor, channels: int) -> Tensor:
    """The mean of that mixture, (N, C, H, W), before it is cut to [-1, 1]."""
    logits, means, _, coefficients = _mixture_parts(parameters, channels)
    expected: list[Tensor] = []
    for channel in range(channels):
        before = [coefficients[channel][other] * expected[other] for other in range(channel)]
        expected.append(torch.stack([means[:, channel], *before]).sum(0))
    return (torch.stack(expected, 1) * logits.softmax(1)[:, None]).sum(2)


def importance_bound(log_weights: Tensor) -> Tensor:
    """log of the mean of k importance weights p(x, z) / q(z | x) (Burda 2015, arXiv:1509.00519, eq. 8): (k, N) to (N,).

    Its expectation is a lower bound of log p(x): the evidence lower bound for k = 1, tighter with each more.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _with_ends(x: Tensor, half: float, first: Tensor, inner: Tensor, last: Tensor) -> Tensor:
    """`first` at the darkest level, `last` at the brightest, `inner` between."""
    return torch.where(x < -1 + half, first, torch.where(x > 1 - half, last, inner))


def _mixture_parts(parameters: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor, list[list[Tensor]]]:
    """Logits (N, K, H, W), means and log scales (N, C, K, H, W), and a coefficient (N, K, H, W) for each earlier channel."""
    n, outputs, height, width = parameters.shape
    components = outputs // mixture_outputs(channels, 1)
    logits, means, log_scales, pairs = parameters.split(
        [components, channels * components, channels * components, channels * (channels - 1) // 2 * components], 1
    )
    shape = (n, channels, components, height, width)
    flat = iter(pairs.tanh().split(components, 1)) if channels > 1 else iter(())
    coefficients = [[next(flat) for _ in range(channel)] for channel in range(channels)]
    return logits, means.reshape(shape), log_scales.reshape(shape).clamp_min(NARROWEST), coefficients


def _chained(coefficients: list[list[Tensor]], known: Tensor, channels: int) -> Tensor | float:
    """What the channels before add to each channel's mean, (N, C, K, H, W); known (N, C, 1, H, W)."""
    if channels == 1:
        return 0.0
    none = torch.zeros_like(coefficients[1][0])
    added = [
        sum((coefficient * known[:, other] for other, coefficient in enumerate(before)), none)
        for before in coefficients
    ]
    return torch.stack(added, 1)
