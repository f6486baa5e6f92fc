"""New pictures from a trained method. Picture i of seed s is the picture of seed s + i: it depends on that number only."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import RunError, UsageError
from ganvas.method import Method, Samples

CHUNK = 64  # always this many at once, filled up where fewer are asked for: the same sizes give the same rounding


@torch.no_grad()
def sample(method: Method, n: int, seed: int = 0) -> Tensor:
    """Pictures (n, C, H, W) in [-1, 1] on the CPU. Those of `sample(method, 9, seed=3)` are 3, 4, ... 11 of `seed=0`.

    `method` should be in eval mode, so that no picture depends on its neighbours.
    """
    if not isinstance(method, Samples):
        raise RunError(f"{method.name} cannot make pictures from noise: it has no ability to sample")
    if n < 1 or seed < 0 or seed + n > 2**63:
        raise UsageError(f"a sample needs n >= 1 and a seed >= 0 (got n={n}, seed={seed})")
    device = next(method.parameters()).device
    made = []
    for start in range(seed, seed + n, CHUNK):
        latents = method.latents(range(start, start + CHUNK))
        made.append(method.generate(latents.to(device)).float().cpu()[: seed + n - start])
    return torch.cat(made)


def to_uint8(pictures: Tensor) -> np.ndarray:
    """(n, C, H, W) in [-1, 1] as (n, H, W, C) uint8, rounded."""
    bytes_ = pictures.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return bytes_.permute(0, 2, 3, 1).contiguous().cpu().numpy()
