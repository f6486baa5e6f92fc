"""Features of images from fixed filters: no training, no weights, and for any number of channels.

The stand-in where no network trained on photos is on the machine. Its features are colours by place and, for each band of a
pyramid, how strong and how sparse edges are, by direction and place (statistics of the kind of Portilla and Simoncelli 2000,
doi:10.1023/A:1026553619983). It knows no objects: its figures order noise, blur and real images, but cannot tell whether a
generated face has three ears.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

FILTER_BANK_VERSION = "1"
"""Part of every cache's key: to be raised with any change of the features."""
SMALLEST, LARGEST = 16, 128  # working sides
MAX_PLANES = 3  # of the channels' cosine transform
IMAGE_SIDE = 8  # the image itself counts at so many pixels a side
CELLS_PER_SIDE = 2  # bands are averaged over so many places a side
MIN_AMPLITUDE = 2.0 / 255  # amplitude below which a band counts as empty: rounding to 8 bits
STATISTIC_WEIGHTS = {"places": 2.0, "strength": 1.0, "sparsity": 2.0}


def filter_features(x: Tensor) -> Tensor:
    """Features (N, D) float32 of images (N, C, H, W) in [0, 1]; D depends on C, H and W."""
    side = working_side(x.shape[2], x.shape[3])
    if x.shape[2:] != (side, side):
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
    planes = channel_transform(x)
    parts = [STATISTIC_WEIGHTS["places"] * F.adaptive_avg_pool2d(planes, IMAGE_SIDE).flatten(1)]
    while planes.shape[2] >= IMAGE_SIDE:
        strength, sparsity = band(planes)
        parts += [STATISTIC_WEIGHTS["strength"] * strength, STATISTIC_WEIGHTS["sparsity"] * sparsity]
        planes = F.avg_pool2d(planes, 2)
    return torch.cat(parts, 1)


def working_side(height: int, width: int) -> int:
    """The power of two nearest to the longer side, within SMALLEST and LARGEST."""
    side = 2 ** round(math.log2(max(height, width)))
    return min(max(side, SMALLEST), LARGEST)


def channel_transform(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, min(C, 3), H, W): the mean of the channels, then differences between them.

    The first rows of the cosine transform (DCT-II) over channels, which for RGB are grey, red against blue, and green against
    both.
    """
    channels = x.shape[1]
    numbers = torch.arange(min(channels, MAX_PLANES), dtype=x.dtype)[:, None]
    places = torch.arange(channels, dtype=x.dtype) + 0.5
    rows = torch.cos(math.pi / channels * numbers * places)
    rows = rows / rows.square().sum(1, keepdim=True).sqrt() / math.sqrt(channels)
    return torch.einsum("kc,nchw->nkhw", rows, x)


def band(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Of one level of the pyramid: log mean amplitude, and how far that lies below the root mean square (N, D each)."""
    n, channels, height, width = planes.shape
    filters = _filters().to(planes)
    padded = F.pad(planes.reshape(n * channels, 1, height, width), (1, 1, 1, 1), mode="reflect")
    responses = F.conv2d(padded, filters).view(n, -1, height, width)
    cells = F.adaptive_avg_pool2d(responses.abs(), CELLS_PER_SIDE)
    energy = F.adaptive_avg_pool2d(responses.square(), 1)
    amplitude = F.adaptive_avg_pool2d(responses.abs(), 1)
    strength = torch.log(cells + MIN_AMPLITUDE)
    sparsity = torch.log(torch.sqrt(energy) + MIN_AMPLITUDE) - torch.log(amplitude + MIN_AMPLITUDE)
    return strength.flatten(1), sparsity.flatten(1)


def _filters() -> Tensor:
    """(6, 1, 3, 3): edges in four directions, a spot, a saddle; each of mean 0 and of norm 1."""
    edges = [
        [[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        [[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]],
        [[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]],
        [[0.0, -1, -2], [1, 0, -1], [2, 1, 0]],
        [[-1.0, -2, -1], [-2, 12, -2], [-1, -2, -1]],
        [[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]],
    ]
    filters = torch.tensor(edges)[:, None]
    return filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
