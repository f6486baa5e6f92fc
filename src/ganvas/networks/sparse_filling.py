"""Filling holes by few cosines: overlapping DCTs, shrunk again and again (Guleryuz 2006, IEEE Trans. Image Process. 15(3), 539).

Idea: a block of a photo is the sum of a few large cosines, and what a hole holds now in error is spread over many small ones.
Coefficients below a threshold become 0, the pixels that are known get their values back, and the threshold falls: first the
strongest cosines continue into the hole, then weaker ones. Repeated patterns go on, which no diffusion does.

Departs from the paper: the blocks do not look at the hole's form; they are larger; half of the size is filled first; coefficients
fade between two thresholds, so that the result is a continuous function of the image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.networks.inpainter import from_coarse_to_fine
from ganvas.networks.resample import cut

BLOCK = 32  # side of the largest blocks; never more than half of the image, see `block_side`
SIZES, ROUNDS = 2, 20
HIGHEST, LOWEST = 0.25, 0.05  # thresholds of the first and the last round, for values in [-1, 1]
SHIFTS = 2  # blocks at so many places in each round, averaged
STRIDES = 0.7549, 0.5698  # of those places, in blocks: multiples modulo 1 fill the square evenly (Roberts' sequence R2)


def filled_by_cosines(x: Tensor, mask: Tensor, sizes: int = SIZES) -> Tensor:
    """Images x (N, C, H, W), float32, whose holes hold a first filling, filled by few cosines of each block.

    At half of the size first, `sizes` in all.
    """
    with torch.autocast(x.device.type, enabled=False):  # a coefficient in bfloat16 would be off by more than LOWEST
        return from_coarse_to_fine(x.contiguous(), mask > 0, sizes, filled_at_one_size)


def filled_at_one_size(x: Tensor, hole: Tensor) -> Tensor:
    """ROUNDS of shrinkage, each the mean of SHIFTS grids of blocks."""
    side = block_side(x)
    cosines = cosine_matrix(side, x.device)
    for number in range(ROUNDS):
        threshold = HIGHEST * (LOWEST / HIGHEST) ** (number / (ROUNDS - 1))
        total = torch.zeros_like(x)
        for place in range(number * SHIFTS, (number + 1) * SHIFTS):
            down, across = (int(place * stride % 1 * side) for stride in STRIDES)
            total = total + shrunk(x, cosines, threshold, down, across)
        x = torch.where(hole, total / SHIFTS, x)
    return x


def block_side(x: Tensor) -> int:
    """BLOCK, or less: a power of two up to half of the shorter side, and at least 4."""
    side = BLOCK
    while side > 4 and 2 * side > min(x.shape[2:]):
        side //= 2
    return side


def shrunk(x: Tensor, cosines: Tensor, threshold: float, down: int, across: int) -> Tensor:
    """x (N, C, H, W) without the weak cosines of its blocks, whose grid starts `down` and `across` pixels outside of the image.

    A cosine is weak for all channels or for none: by its mean square over them.
    """
    n, channels, height, width = x.shape
    side = len(cosines)
    below, beside = (side - (height + down) % side) % side, (side - (width + across) % side) % side
    padded = F.pad(x, (across, beside, down, below), mode="replicate")
    rows, columns = padded.shape[2] // side, padded.shape[3] // side
    along_rows = padded.reshape(n, channels, rows * side, columns, side) @ cosines.T
    spectrum = cosines @ along_rows.reshape(n, channels, rows, side, columns * side)
    spectrum = spectrum.reshape(n, channels, rows, side, columns, side)
    share = spectrum.square().mean(1, keepdim=True) / threshold**2
    kept = (share - 0.5).clamp(0, 1)
    constant = torch.zeros(side, 1, side, device=x.device)
    constant[0, 0, 0] = 1  # the mean of a block stays
    spectrum = spectrum * torch.maximum(kept, constant)
    along_rows = cosines.T @ spectrum.reshape(n, channels, rows, side, columns * side)
    blocks = along_rows.reshape(n, channels, rows * side, columns, side) @ cosines
    return cut(blocks.reshape(padded.shape)[:, :, down:, across:], (height, width))


def cosine_matrix(side: int, device: torch.device) -> Tensor:
    """The orthonormal DCT-II (side, side): row u is cos((2i + 1) u pi / (2 side)), scaled."""
    u, i = torch.arange(side, device=device)[:, None], torch.arange(side, device=device)
    basis = torch.cos((2 * i + 1) * u % (4 * side) * (math.pi / (2 * side))) * math.sqrt(2 / side)
    return torch.where(u == 0, basis / math.sqrt(2), basis)
