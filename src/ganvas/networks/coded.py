"""InfoGAN's pair (Chen 2016, table 1): DCGAN's convolutions with a hidden layer beside the latent and one before the heads.

The hidden layer of G lets a code choose what the noise means; by one linear map it could only be added to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator, Shape
from ganvas.networks.layers import LEAKY_SLOPE, dcgan_weights


class CodedGenerator(nn.Module):
    """Latents (N, z_dim), noise and codes, to images (N, C, H, W) in [-1, 1]."""

    def __init__(self, z_dim: int, shape: Shape, width: int = 64, hidden: int = 1024) -> None:
        super().__init__()
        self.choose = nn.Sequential(nn.Linear(z_dim, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True))
        self.choose.apply(dcgan_weights)
        self.to_image = DCGANGenerator(hidden, shape, width, norm="batch")

    def forward(self, z: Tensor) -> Tensor:
        return self.to_image(self.choose(z))


class CodedDiscriminator(nn.Module):
    """Images (N, C, H, W) to (N, 1 + codes): D's logit, and Q's prediction of the codes, by two heads of one body."""

    def __init__(self, shape: Shape, codes: int, width: int = 64, hidden: int = 1024) -> None:
        super().__init__()
        read = max(1, hidden // 8)
        self.body = DCGANDiscriminator(shape, width, norm="batch", outputs=hidden)
        self.after = nn.Sequential(nn.BatchNorm1d(hidden), nn.LeakyReLU(LEAKY_SLOPE, inplace=True))
        self.head = nn.Linear(hidden, 1)
        self.read = nn.Sequential(
            nn.Linear(hidden, read, bias=False),
            nn.BatchNorm1d(read),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            nn.Linear(read, codes),
        )
        for head in (self.head, self.read):
            head.apply(dcgan_weights)

    def forward(self, x: Tensor) -> Tensor:
        features = self.after(self.body(x))
        return torch.cat([self.head(features), self.read(features)], 1)
