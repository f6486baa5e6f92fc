"""Three more networks for super-resolution, in the layouts of widely shared weights, and the choice among all.

All take images (N, C, H, W) in [-1, 1] and give (N, C, H * scale, W * scale); inside they work on values in [0, 1], or from 0 to
255, as those weights were trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import UsageError
from ganvas.networks.rrdb import RRDBNet

RESIDUAL_SLOPE = 0.1  # of leaky ReLU below zero


class PlainResidualNet(nn.Module):
    """Residual blocks without normalisation, pixel shuffle, and the bilinear enlargement added: the SRResNet that ESRGAN is
    compared with (Wang 2018, arXiv:1809.00219, sec. 4.4, after Lim 2017, arXiv:1707.02921)."""

    def __init__(self, channels: int, scale: int, *, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.scale = scale
        self.first = _conv(channels, width)
        self.body = nn.Sequential(*(PlainResidual(width) for _ in range(blocks)))
        steps = _steps(scale)
        self.up = nn.ModuleList(_conv(width, width * step**2) for step in steps)
        self.steps = steps
        self.full = _conv(width, width)
        self.last = _conv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = (x + 1) / 2
        y = self.body(F.leaky_relu(self.first(x), RESIDUAL_SLOPE))
        for step, conv in zip(self.steps, self.up, strict=True):
            y = F.leaky_relu(F.pixel_shuffle(conv(y), step), RESIDUAL_SLOPE)
        y = self.last(F.leaky_relu(self.full(y), RESIDUAL_SLOPE))
        base = F.interpolate(x.float(), scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        return 2 * (y.float() + base) - 1


class PlainResidual(nn.Module):
    """x + conv(ReLU(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = _conv(width, width), _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(F.relu(self.one(x)))


class CompactNet(nn.Module):
    """A chain of convolutions at the small size with a PReLU each, pixel shuffle, and the nearest-neighbour enlargement added:
    the small networks of Real-ESRGAN (Wang 2021, arXiv:2107.10833). `blocks` are the convolutions between first and last."""

    def __init__(self, channels: int, scale: int, *, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [_conv(channels, width), nn.PReLU(width)]
        for _ in range(blocks):
            layers += [_conv(width, width), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, _conv(width, channels * scale**2))

    def forward(self, x: Tensor) -> Tensor:
        x = (x + 1) / 2
        y = F.pixel_shuffle(self.body(x), self.scale).float()
        base = F.interpolate(x.float(), scale_factor=float(self.scale), mode="nearest")
        return 2 * (y + base) - 1


GROWTH = 4  # channels that a dense block of SlimDenseNet adds
TAIL = (64, 32)  # channels of its last layers at the small size
PIXEL_MAXIMUM = 255.0


class SlimDenseNet(nn.Module):
    """A small residual dense network (Zhang 2018, arXiv:1802.08797, fig. 2): `blocks` dense blocks of one convolution each,
    fused, then nearest-neighbour upsampling behind the last layers. It works on values from 0 to 255."""

    def __init__(self, channels: int, scale: int, *, width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.first, self.second = _conv(channels, width), _conv(width, width)
        self.dense = nn.ModuleList(_conv(width, GROWTH) for _ in range(blocks))
        self.fuse = nn.ModuleList(_conv(width + GROWTH, width, 1) for _ in range(blocks))
        self.gather, self.after = _conv(width * blocks, width, 1), _conv(width, width)
        self.tail = nn.ModuleList(
            [_conv(width, TAIL[0], 5), _conv(TAIL[0], TAIL[1]), _conv(TAIL[1], channels * scale**2)]
        )
        self.last = _conv(channels * scale**2, channels)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first((x + 1) / 2 * PIXEL_MAXIMUM)
        y = self.second(first)
        results: list[Tensor] = []
        for dense, fuse in zip(self.dense, self.fuse, strict=True):
            y = y + fuse(torch.cat([y, F.relu(dense(y))], 1))
            results.append(y)
        y = first + self.after(self.gather(torch.cat(results, 1)))
        y = F.relu(self.tail[0](y))
        y = self.tail[2](F.relu(self.tail[1](y)))
        y = self.last(F.interpolate(y, scale_factor=float(self.scale), mode="nearest"))
        return y.float() / PIXEL_MAXIMUM * 2 - 1


UPSCALERS = ("residual", "rrdb", "rrdb_unshuffle", "compact", "slim")
SUPER_RESOLUTION_GENERATORS = ("srresnet", *UPSCALERS)
POWERS_OF_TWO = ("rrdb", "rrdb_unshuffle")


def build_upscaler(kind: str, channels: int, scale: int, *, width: int, blocks: int) -> nn.Module:
    """One of UPSCALERS. UsageError for a scale that it cannot have."""
    if kind in POWERS_OF_TWO:
        if scale & (scale - 1):
            raise UsageError(f"generator={kind} doubles the size some times, so scale must be 2, 4 or 8 (got {scale})")
        return RRDBNet(channels, scale, width=width, blocks=blocks, unshuffle=kind == "rrdb_unshuffle")
    networks = {"residual": PlainResidualNet, "compact": CompactNet, "slim": SlimDenseNet}
    return networks[kind](channels, scale, width=width, blocks=blocks)


def _steps(scale: int) -> list[int]:
    """Factors of the pixel shuffles: twos where that gives the scale, else the scale at once."""
    return [2] * (scale.bit_length() - 1) if scale & (scale - 1) == 0 else [scale]


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(conv.weight, a=RESIDUAL_SLOPE)
    with torch.no_grad():
        conv.weight.mul_(0.1)  # a residual branch, or what is added to the enlargement, starts small
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
