"""Distances of images in the features of a network, one value per example."""

from __future__ import annotations

from torch import Tensor

from ganvas.networks.features.distances import unit_distance

__all__ = ["feature_distance", "unit_distance"]


def feature_distance(features: Tensor, target: Tensor) -> Tensor:
    """-log N(target; features, 1) without its constant: half the squared distance (Larsen 2016, eqs. 7 and 8).

    features and target (N, ...); returns (N,), summed over all features. Zero where they are equal.
    """
    return (features.float() - target.float()).square().flatten(1).sum(1) / 2
