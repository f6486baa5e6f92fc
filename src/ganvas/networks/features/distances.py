"""The perceptual distance of images, by the features that a network has of them: for losses and measures alike."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F


def unit_distance(features: Iterable[Tensor], target: Iterable[Tensor], *, eps: float = 1e-3) -> Tensor:
    """Perceptual distance of images by the features of several layers, (N, K, h, w) each; returns (N,), 0 where they agree.

    The features of a place are brought to length 1; differences are squared, summed over the channels, averaged over the places
    (Zhang 2018, arXiv:1801.03924, eq. 1, without its learned weights) and over the layers.

    `eps` is the least length that is divided by: places without features stay 0. A loss needs a large one, since places with
    next to no features would get huge gradients; a measure takes F.normalize's own.
    """
    layers = []
    for a, b in zip(features, target, strict=True):
        difference = F.normalize(a.float(), dim=1, eps=eps) - F.normalize(b.float(), dim=1, eps=eps)
        layers.append(difference.square().sum(1).flatten(1).mean(1))
    return torch.stack(layers).mean(0)
