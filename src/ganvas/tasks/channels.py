"""Photos as inputs of methods with 1, 3 or 4 channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.data.image import LUMA
from ganvas.errors import DataError
from ganvas.method import Method


def photo_channels(method: Method, advice: str = "") -> int:
    """The channels that the method was trained on: 1, 3 or 4. DataError, ending in `advice`, for another number."""
    channels = method.spec.channels
    if channels not in (1, 3, 4):
        raise DataError(
            f"this run of {method.name} was trained on {channels} channels, and image files have 1, 3 or 4{advice}"
        )
    return channels


def luma_full(x: Tensor) -> Tensor:
    """Luma (N, 1, H, W) of grey or RGB by the weights of BT.601, in the full range of the values, as in JPEG."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def of_channels(x: Tensor, channels: int, alpha: np.ndarray | None = None) -> Tensor:
    """Grey or RGB (1, C, H, W) as 1, 3 or 4 channels: luma; RGB; RGB and `alpha` (H, W) in [0, 1], opaque if None."""
    if channels == 1:
        return luma_full(x)
    colours = x.expand(-1, 3, -1, -1)
    if channels == 3:
        return colours
    opacity = torch.ones_like(x[:, :1])
    if alpha is not None:
        opacity = torch.from_numpy(alpha).to(x)[None, None] * 2 - 1
    return torch.cat([colours, opacity], 1)
