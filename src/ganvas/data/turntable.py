"""Shaded images of volumes, seen from any side: rays through the volume, light by the slope of the occupancy. No GPU needed."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

RENDER_SIDE = 64  # pixels
RENDERED_AT_ONCE = 16  # volumes
STEPS_PER_VOXEL = 1.0  # along a ray
TILT = math.radians(25)  # the camera looks down by so much
FIRST_TURN = math.radians(35)
COLOUR = (104, 146, 196)
LIGHT = (-0.45, -0.7, -0.55)  # where it comes from: right, down, away from the camera
AMBIENT = 0.35
ZOOM = 1.35  # half of the width that is seen, in halves of the volume


def rendered(volumes: np.ndarray, turn: float = FIRST_TURN, side: int = RENDER_SIDE) -> np.ndarray:
    """Images (n, side, side, 3) uint8 of volumes (n, D, H, W) uint8, on white; z points up. `turn` in radians about that axis."""
    images = []
    for start in range(0, len(volumes), RENDERED_AT_ONCE):
        block = torch.from_numpy(np.ascontiguousarray(volumes[start : start + RENDERED_AT_ONCE]))
        images.append(_rendered(block.float() / 255, turn, side))
    return np.concatenate(images)


def turntable(volumes: np.ndarray, frames: int = 24, side: int = RENDER_SIDE) -> np.ndarray:
    """(frames, n, side, side, 3) uint8: the volumes after each part of one turn."""
    turns = [FIRST_TURN + 2 * math.pi * frame / frames for frame in range(frames)]
    return np.stack([rendered(volumes, turn, side) for turn in turns])


def _rendered(volumes: Tensor, turn: float, side: int) -> np.ndarray:
    """Of volumes (n, D, H, W) in [0, 1]."""
    n, longest = len(volumes), max(volumes.shape[1:])
    steps = math.ceil(STEPS_PER_VOXEL * ZOOM * longest)
    camera = _camera(turn)

    # Points on the rays, (steps, side, side, 3), as the camera sees them: right, down, away. Then turned into the volume.
    across = torch.linspace(-ZOOM, ZOOM, side)
    away = torch.linspace(-ZOOM, ZOOM, steps)
    depth, down, right = torch.meshgrid(away, across, across, indexing="ij")
    points = torch.stack([right, down, depth], -1) @ camera
    scale = longest / torch.tensor([volumes.shape[3], volumes.shape[2], volumes.shape[1]])
    grid = (points * scale).expand(n, -1, -1, -1, -1)
    padded = volumes[:, None]
    values = F.grid_sample(padded, grid, align_corners=False)[:, 0]  # (n, steps, side, side)

    # Where each ray enters, between two steps.
    inside = values > 0.5
    hit = inside.any(1)
    first = inside.float().argmax(1, keepdim=True)
    after = values.gather(1, first)
    before = values.gather(1, (first - 1).clamp_min(0))
    share = torch.where(first > 0, (0.5 - before) / (after - before).clamp_min(1e-6), 1.0)
    distance = ((first - 1 + share) * (2 * ZOOM / (steps - 1)) - ZOOM)[:, 0]  # (n, side, side)

    # The normal there: down the slope of a smoothed volume, in the camera's axes.
    smooth = F.avg_pool3d(F.pad(padded, (2, 2, 2, 2, 2, 2)), 3, 1)
    slope = torch.stack(torch.gradient(smooth[:, 0], dim=(3, 2, 1)), 1)[:, :, 1:-1, 1:-1, 1:-1]  # along x, y, z
    place = torch.stack([right[0].expand(n, -1, -1), down[0].expand(n, -1, -1), distance], -1) @ camera
    normal = -F.grid_sample(slope, (place * scale)[:, None], align_corners=False)[:, :, 0]  # (n, 3, side, side)
    normal = F.normalize(torch.einsum("ij,njhw->nihw", camera, normal), dim=1)

    light = F.normalize(torch.tensor(LIGHT), dim=0).view(1, 3, 1, 1)
    shade = AMBIENT + (1 - AMBIENT) * (normal * light).sum(1).clamp_min(0)
    shade = shade * (1 - 0.15 * distance.clamp(-1, 1))  # what is far is darker
    colour = torch.tensor(COLOUR).view(1, 3, 1, 1) * (shade * 1.25)[:, None]
    image = torch.where(hit[:, None], colour, 255.0)
    return image.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _camera(turn: float) -> Tensor:
    """(3, 3): the camera's axes right, down and away as rows, in the volume's x, y, z."""
    right = torch.tensor([math.cos(turn), math.sin(turn), 0.0])
    level = torch.tensor([-math.sin(turn), math.cos(turn), 0.0])
    up = torch.tensor([0.0, 0.0, 1.0])
    away = math.cos(TILT) * level - math.sin(TILT) * up
    down = -(math.sin(TILT) * level + math.cos(TILT) * up)
    return torch.stack([right, down, away])
