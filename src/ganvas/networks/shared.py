"""Several generators in one network: each has its own first layer and shares all others (Hoang 2018, arXiv:1708.02556).

One pass generates the images of all generators. The first layers of K generators are one layer with an input of K blocks: an
image fills the block of its generator, and all others are zero. So one matrix product serves any mixture of generators.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SharedGenerators(nn.Module):
    """Latents (N, z_dim + count + common) to images (N, C, H, W): z, the generator as one-hot, and what all generators read
    alike, such as a vector of the class.

    `make` builds the trunk for count * (z_dim + 1) + common inputs: for each generator a block of z and a 1. The 1 gives each
    generator its own bias, which batch norm after the first layer would only cancel if it were the same for all.
    """

    def __init__(self, make: Callable[[int], nn.Module], z_dim: int, count: int, common: int = 0) -> None:
        super().__init__()
        self.sizes = [z_dim, count, common]
        self.trunk = make(count * (z_dim + 1) + common)

    def forward(self, latents: Tensor) -> Tensor:
        return self.trunk(self.blocks(latents))

    def blocks(self, latents: Tensor) -> Tensor:
        """(N, count * (z_dim + 1) + common): z and a one in the block of the image's generator, zero in all others."""
        z, which, common = latents.split(self.sizes, 1)
        z = torch.cat([z, torch.ones_like(z[:, :1])], 1)
        return torch.cat([(which[:, :, None] * z[:, None]).flatten(1), common], 1)
