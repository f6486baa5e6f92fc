"""Distances of images by the features that a network has of them, one value an example."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F


def feature_distance(features: Tensor, target: Tensor) -> Tensor:
    """-log N(target; features, 1) without its constant: half the squared distance (Larsen 2016, eqs. 7 and 8).

    features and target (N, ...); returns (N,), summed over all features. Zero where they are equal.
    """
    return (features.float() - target.float()).square().flatten(1).sum(1) / 2


def unit_distance(made: Iterable[Tensor], target: Iterable[Tensor]) -> Tensor:
    """How differently two images look, by the features of several layers, (N, K, h, w) each; returns (N,), 0 where they agree.

    The features of a place are brought to length 1; differences are squared, summed over the channels, averaged over the places
    (Zhang 2018, arXiv:1801.03924, eq. 1, without its learned weights) and over the layers.
    """
    layers = [(_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1) for a, b in zip(made, target, strict=True)]
    return torch.stack(layers).mean(0)


def _unit(features: Tensor) -> Tensor:
    """Places without features stay 0, and those with next to none do not get endless gradients."""
    return F.normalize(features.float(), dim=1, eps=1e-3)
