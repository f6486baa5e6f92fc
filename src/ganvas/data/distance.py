"""Volumes as distances from the surface, smooth where occupancy jumps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_REACH = 6.0  # voxels; squares of larger distances do not fit below NONE
NONE = 200  # the square of a distance that was not found


def surface_distances(inside: Tensor, reach: float) -> Tensor:
    """Signed distances from the surface, cut at `reach` voxels and divided by it.

    inside (N, D, H, W) bool; returns float32 in [-1, 1], positive inside. The surface lies halfway between neighbouring voxels of
    which one is inside: both are half a voxel from it. Distances are Euclidean, from voxel to voxel, and exact up to `reach`, at
    most MAX_REACH; beyond the grid there is nothing, neither inside nor outside.
    """
    far = math.ceil(reach + 0.5)
    squares = torch.cat([inside, ~inside]).logical_not_().byte().mul_(NONE)  # from the nearest voxel of each kind
    for axis in (1, 2, 3):
        nearest = squares.clone()
        length = squares.shape[axis]
        for step in range(1, min(far, length - 1) + 1):
            further = squares + step * step
            for to, start in ((step, 0), (0, step)):
                part = nearest.narrow(axis, to, length - step)
                torch.minimum(part, further.narrow(axis, start, length - step), out=part)
        squares = nearest
    to_inside, to_outside = squares.float().sqrt_().sub_(0.5).chunk(2)
    return torch.where(inside, to_outside, to_inside.neg_()).div_(reach).clamp_(-1, 1)
