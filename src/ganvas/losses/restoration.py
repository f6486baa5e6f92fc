"""Errors of restored images. Images (N, C, H, W); one value per example, (N,)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean |output - target| (L1; Zhao 2017, eq. 2; Isola 2017, eq. 3)."""
    return (output.float() - target.float()).abs().flatten(1).mean(1)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean (output - target)^2 (Ledig 2017, eq. 4; Zhang 2017, eq. 1 without its factor 1/2)."""
    return (output.float() - target.float()).square().flatten(1).mean(1)


def hole_error(output: Tensor, target: Tensor, mask: Tensor, *, squares: bool = False) -> Tensor:
    """Mean |output - target|, or its square (Pathak 2016, eq. 1), over the pixels with `mask` (N, 1, H, W) = 1, or 0."""
    error = (output.float() - target.float()).abs()
    error = (error.square() if squares else error) * mask
    return error.flatten(1).sum(1) / (mask.flatten(1).sum(1) * output.shape[1]).clamp_min(1)


def feature_error(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean |difference| of the feature maps of several layers, mean over the layers (Wang 2018, eq. 4; Ledig 2017, eq. 5, has the
    square of one layer)."""
    layers = [(a.float() - b.float()).abs().flatten(1).mean(1) for a, b in zip(output, target, strict=True)]
    return torch.stack(layers).mean(0)
