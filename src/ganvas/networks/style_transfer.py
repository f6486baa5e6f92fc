"""Networks for images of any size: the feed-forward generator of fast_style, the decoder of adain, their discriminator.

Padding repeats the border pixels: zeros would show as a dark frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import LEAKY_SLOPE, init_fan_in_, norm2d
from ganvas.networks.resample import cut, grown_to


class Convolution(nn.Module):
    """A convolution of odd kernel with replicated borders; instance norm and ReLU are optional.

    `shift` False: the norm has no bias. For outputs that only go into another convolution with a norm, which would cancel it, so
    that Adam would follow the rounding errors of its gradient.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        norm: bool = True,
        active: bool = True,
        shift: bool = True,
    ) -> None:
        super().__init__()
        self.pad = kernel // 2
        # Instance norm would cancel a bias in front of it.
        self.conv = nn.Conv2d(channels, out, kernel, stride, bias=not norm)
        init_fan_in_(self.conv, 2**0.5 if active else 1.0)
        self.norm: nn.Module = nn.Identity()
        if norm:
            self.norm = norm2d("instance", out)
            if not shift:
                self.norm.register_parameter("bias", None)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        if self.pad:
            x = F.pad(x, (self.pad,) * 4, mode="replicate")
        x = self.norm(self.conv(x))
        if self.active:
            x = F.relu(x)
        return x


class Residual(nn.Module):
    """x + two convolutions with instance norm, none after the sum (Gross and Wilber's form, Johnson's supplement)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(channels, channels), Convolution(channels, channels, active=False, shift=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Doubled(nn.Module):
    """Nearest-neighbour upsampling, then a convolution: no checkerboard (Odena 2016)."""

    def __init__(self, channels: int, out: int, *, norm: bool = True) -> None:
        super().__init__()
        self.conv = Convolution(channels, out, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class StyleTransferNetwork(nn.Module):
    """Images (N, C, H, W) to stylised ones, x + a learned change (Johnson 2016, supplement, with instance norm: Ulyanov 2016).

    `widths` from full size down: each after the first halves the size. Any H and W; inside they are padded to multiples of
    2^(len(widths) - 1).
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int, kernel: int = 9) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.first = Convolution(channels, widths[0], kernel)
        self.down = nn.Sequential(*(Convolution(a, b, stride=2) for a, b in pairwise(widths)))
        self.blocks = nn.Sequential(*(Residual(widths[-1]) for _ in range(blocks)))
        self.up = nn.Sequential(*(Doubled(a, b) for a, b in pairwise(widths[::-1])))
        self.last = Convolution(widths[0], channels, kernel, norm=False, active=False)
        self.last.conv.weight.data.mul_(0.1)  # the initial output is close to the input

    def forward(self, x: Tensor) -> Tensor:
        grown = grown_to(x, self.multiple)
        change = self.last(self.up(self.blocks(self.down(self.first(grown)))))
        return x + cut(change, (x.shape[2], x.shape[3]))


class NormedConvolution(nn.Module):
    """A convolution with reflected borders, then instance norm: a layer of Dumoulin's network."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.pad = kernel // 2
        self.conv = nn.Conv2d(channels, out, kernel, stride, bias=False)
        init_fan_in_(self.conv, 2**0.5)
        self.norm = norm2d("instance", out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.pad(x, (self.pad,) * 4, mode="reflect")))


class WholeStyleNetwork(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to stylised ones, the image itself rather than a change of it: the network of many styles
    (Dumoulin 2017, arXiv:1610.07629, appendix) for one of them, whose scales and shifts are those of its norms.

    Every convolution has a norm, also the last, before a sigmoid; inside, values are in [0, 1]. `widths` from full size down,
    `up_widths` from the smallest size up.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], blocks: int, up_widths: Sequence[int], kernel: int = 9
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.first = NormedConvolution(channels, widths[0], kernel)
        self.down = nn.ModuleList(NormedConvolution(a, b, stride=2) for a, b in pairwise(widths))
        deep = widths[-1]
        self.blocks = nn.ModuleList(
            nn.ModuleList([NormedConvolution(deep, deep), NormedConvolution(deep, deep)]) for _ in range(blocks)
        )
        self.up = nn.ModuleList(NormedConvolution(a, b) for a, b in pairwise([deep, *up_widths]))
        self.last = NormedConvolution(up_widths[-1], channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first(grown_to((x + 1) / 2, self.multiple, least=2 * self.multiple)))
        for layer in self.down:
            y = F.relu(layer(y))
        for pair in self.blocks:
            one, two = pair  # pyright: ignore[reportGeneralTypeIssues]
            y = y + two(F.relu(one(y)))
        for layer in self.up:
            y = F.relu(layer(F.interpolate(y, scale_factor=2.0, mode="nearest")))
        y = 2 * torch.sigmoid(self.last(y)) - 1
        return cut(y, (x.shape[2], x.shape[3]))


class Decoder(nn.Module):
    """Features (N, F, h, w) to images (N, C, h * 2^k, w * 2^k), k = len(widths): a mirror of the encoder without any norm
    (Huang 2017, sec. 6.1: a norm would remove the style). `widths` from the features' size up."""

    def __init__(self, features: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        steps: list[nn.Module] = [Convolution(features, widths[0], norm=False)]
        for a, b in pairwise([*widths, widths[-1]]):
            steps += [Convolution(a, a, norm=False), Doubled(a, b, norm=False)]
        self.body = nn.Sequential(*steps, Convolution(widths[-1], channels, norm=False, active=False))

    def forward(self, features: Tensor) -> Tensor:
        return self.body(features)


class StrokeDiscriminator(nn.Module):
    """Images (N, C, H, W) of any size to one logit each, (N, 1): the mean over patches of about 30 pixels (Isola 2017, sec.
    3.2)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        pairs = [(channels, width), (width, 2 * width), (2 * width, 4 * width)]
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairs])
        self.head = nn.Conv2d(4 * width, 1, 3, padding=1)
        for conv in self.convs:
            init_fan_in_(conv, 2**0.5)  # pyright: ignore[reportArgumentType]
        init_fan_in_(self.head)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), LEAKY_SLOPE)
        return self.head(x).float().mean((2, 3))
