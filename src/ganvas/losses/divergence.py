"""Entropies, log-likelihoods and divergences of simple distributions, in nats, one value per example.

The lower bound of InfoGAN on the mutual information of a code and its image (Chen 2016, eq. 5) is
L_I = H(c) + E log Q(c | G(z, c)): an entropy and a log-likelihood from this file.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.device import scalar


def normal_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) || N(0, 1)) (Kingma 2014, appendix B). mu and logvar (N, K); returns (N,)."""
    return (mu.square() + logvar.exp() - 1 - logvar).flatten(1).sum(1) / 2


def normal_log_likelihood(x: Tensor, mu: Tensor, logvar: Tensor | float = 0.0) -> Tensor:
    """log N(x; mu, diag exp(logvar)), summed over all but the first axis: (N, ...) to (N,)."""
    logvar = scalar(logvar, mu.device, mu.dtype)
    each = (x - mu).square() * torch.exp(-logvar) + logvar + math.log(2 * math.pi)
    return -each.flatten(1).sum(1) / 2


def categorical_log_likelihood(one_hot: Tensor, logits: Tensor) -> Tensor:
    """log softmax(logits) at the category that `one_hot` names, both (N, K); returns (N,)."""
    return (one_hot * logits.log_softmax(1)).sum(1)


def paired_information(logits: Tensor, others: Tensor) -> Tensor:
    """I(a; b) of the categories predicted from two views of N examples (Ji 2019, arXiv:1807.06653, eq. 3), in nats, a scalar.

    `logits` and `others` (N, K), row i of both of example i. Their joint distribution is the batch's mean of outer products, made
    symmetric. At most log K, if both views always agree and all K are equally frequent.
    """
    joint = logits.float().softmax(1).T @ others.float().softmax(1) / len(logits)
    joint = ((joint + joint.T) / 2).clamp_min(1e-8)
    own = joint.sum(1).log()
    return (joint * (joint.log() - own[:, None] - own[None, :])).sum()


def categorical_entropy(size: int) -> float:
    """H of a code that takes each of `size` values equally often."""
    return math.log(size)


def uniform_entropy(low: float, high: float) -> float:
    """Differential entropy of Uniform(low, high); negative where the range is shorter than 1."""
    return math.log(high - low)
