"""Several generators in one network: each has a first layer of its own and shares all others (Hoang 2018, arXiv:1708.02556).

One pass generates the images of all of them. A first layer of its own for each of K generators is one layer on K blocks, of which
an image fills the block of its generator and leaves the others zero; so one matrix product serves any mixture of generators, and
nothing depends on how many images each of them generates.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SharedGenerators(nn.Module):
    """Latents (N, z_dim + count) to what the trunk generates; the last `count` numbers are one-hot: which generator.

    `make` gives the trunk for a number of inputs: count * (z_dim + 1), a block of z and a one for each generator. The one gives
    each of them a bias of its own, which batch norm behind the first layer takes away only if all have the same.
    """

    def __init__(self, make: Callable[[int], nn.Module], z_dim: int, count: int) -> None:
        super().__init__()
        self.z_dim, self.count = z_dim, count
        self.trunk = make(count * (z_dim + 1))

    def forward(self, latents: Tensor) -> Tensor:
        return self.trunk(self.blocks(latents))

    def blocks(self, latents: Tensor) -> Tensor:
        """(N, count * (z_dim + 1)): z and a one in the block of the image's generator, zero in all others."""
        z, which = latents.split([self.z_dim, self.count], 1)
        z = torch.cat([z, torch.ones_like(z[:, :1])], 1)
        return (which[:, :, None] * z[:, None]).flatten(1)
