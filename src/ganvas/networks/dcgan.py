"""The convolutional pair of DCGAN (Radford 2015, arXiv:1511.06434) and the spectrally normalised one of SNGAN (Miyato 2018).

Departs from the papers: any height and width. Each level halves (rounding up) or doubles (cropping); images of 64 x 64 have
exactly the paper's four levels, 32 x 32 three.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.networks.layers import LEAKY_SLOPE, dcgan_weights, norm2d
from ganvas.networks.resample import Size, cut, even, pyramid, scatter_grid

Shape = tuple[int, int, int]


class UpConv(nn.Module):
    """Transposed 4 x 4 convolution of stride 2, cut to `size`."""

    def __init__(self, wide: int, narrow: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.size = size
        self.conv = nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return cut(self.conv(x), self.size)


class DownConv(nn.Module):
    """4 x 4 convolution of stride 2; an odd height or width is rounded up."""

    def __init__(self, narrow: int, wide: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(even(x))


class DCGANGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W) in [-1, 1].

    At 64 x 64 and width 128: 4x4x1024, 8x8x512, 16x16x256, 32x32x128, 64x64xC (paper, figure 1).
    """

    def __init__(self, z_dim: int, shape: Shape, width: int = 64, norm: str = "batch", last: str = "up") -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)[::-1]
        levels = len(sizes) - 1
        self.base = sizes[0]
        self.plain_tail = last == "conv3" or levels == 0  # SNGAN ends in a 3 x 3 convolution at full size
        doubled = levels if self.plain_tail else levels - 1
        top = width * 2**doubled
        # A transposed convolution of a 1 x 1 image is a matrix product; so it is written as one.
        self.project = nn.Linear(z_dim, top * math.prod(self.base), bias=norm == "none")
        self.first = nn.Sequential(norm2d(norm, top), nn.ReLU(inplace=True))
        blocks: list[nn.Module] = []
        for level in range(doubled):
            narrow = top // 2
            blocks += [
                UpConv(top, narrow, sizes[level + 1], norm == "none"),
                norm2d(norm, narrow),
                nn.ReLU(inplace=True),
            ]
            top = narrow
        if self.plain_tail:
            blocks.append(nn.Conv2d(top, channels, 3, padding=1))
        else:
            blocks.append(UpConv(top, channels, sizes[-1], True))
        self.blocks = nn.Sequential(*blocks, nn.Tanh())
        self.apply(dcgan_weights)

    def forward(self, z: Tensor) -> Tensor:
        return self.blocks(self.first(scatter_grid(self.project(z), *self.base)))


class DCGANDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs). No normalisation at the first layer (paper, sec. 3)."""

    def __init__(self, shape: Shape, width: int = 64, norm: str = "batch", outputs: int = 1) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        blocks: list[nn.Module] = []
        narrow = channels
        for level in range(max(1, len(sizes) - 1)):
            here = width * 2**level
            level_norm = "none" if level == 0 else norm
            if len(sizes) > 1:
                blocks.append(DownConv(narrow, here, bias=level_norm != "batch"))
            else:  # an image of a few pixels
                blocks.append(nn.Conv2d(narrow, here, 3, padding=1))
            blocks += [norm2d(level_norm, here), nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]
            narrow = here
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(narrow, outputs, sizes[-1], bias=norm != "batch")
        self.apply(dcgan_weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x)).flatten(1)


class SNDiscriminator(nn.Module):
    """Images to logits (N, outputs): 3x3 and strided 4x4 convolutions in turn, of spectral norm 1 (Miyato 2018, table 3)."""

    def __init__(self, shape: Shape, width: int = 64, outputs: int = 1) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.1)]
        for level in range(len(sizes) - 1):
            here = width * 2**level
            layers += [DownConv(here, here, True), nn.LeakyReLU(0.1)]
            layers += [nn.Conv2d(here, 2 * here, 3, padding=1), nn.LeakyReLU(0.1)]
        flat = width * 2 ** (len(sizes) - 1) * math.prod(sizes[-1])
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(flat, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in list(self.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                spectral_norm(module)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).flatten(1))
