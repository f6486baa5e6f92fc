"""Images to images of the same size: the U-Net of pix2pix, the residual generator of CycleGAN, and two that start as the
identity.

All are fully convolutional. A height or width that is no multiple of `multiple` is padded inside, by repeating the border, and
the result cropped.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import LEAKY_SLOPE, Draw, clamped_to_image, dropout
from ganvas.networks.patch import MAX_WIDTH_FACTOR, initial_weights, normed
from ganvas.networks.resample import cut, enlarged, grown_to

TABLE_KNOTS = 3  # entries per channel of a colour table
DROPOUT_STEPS = 3  # innermost steps up that have dropout (Isola 2017, sec. 6.1.1)


class Translator(nn.Module):
    """Base: pads, translates, crops. Subclasses state `multiple` and `inner`.

    With `skip` the network predicts a residual, which is added to the image and is initially 0 (see `add_to_input`).
    """

    multiple: int
    least = 2
    """The minimum size is this many times `multiple`: a norm over a single pixel has no variance."""
    skip = False

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        """Translations (N, C, H, W) in [-1, 1] of x (N, C, H, W). `draw(*shape)` gives uniform numbers (N, *shape) for dropout;
        without it nothing is dropped. `whole` (N, C, h, w): the images that x are tiles of, for networks that decide something
        once per image."""
        size = (x.shape[2], x.shape[3])
        grown = self.grown(x)
        output = self.inner(grown, draw)
        if not self.skip:
            return cut(torch.tanh(output), size)
        # In float32: the initially small change would be lost in bfloat16.
        return cut(clamped_to_image(grown.float() + output.float()), size)

    def grown(self, x: Tensor) -> Tensor:
        """x padded to the size that the strides need."""
        return grown_to(x, self.multiple, least=self.least * self.multiple)

    def add_to_input(self, last: nn.Module) -> None:
        """Sets `skip`, and zeroes the last layer: the output is the input plus that of `last`."""
        self.skip = True
        self.zero(last)

    def zero(self, last: nn.Module) -> None:
        """Sets the weights of `last` to 0, and so its output."""
        for part in last.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.zeros_(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        """The output (N, C, H, W) before tanh (with `skip` the residual) for x whose sides are multiples."""
        raise NotImplementedError


class UNetTranslator(Translator):
    """`downsamplings` strided convolutions down and as many steps up, with skip connections between equal sizes.

    `resize` upsamples by nearest neighbour and a 3 x 3 convolution, in place of a transposed 4 x 4 one. `relu_skips`: what the
    skip connections carry is rectified, as all input of the upsampling half is in the authors' code.
    """

    least = 1  # the smallest size has no norm

    def __init__(
        self, channels: int, width: int, downsamplings: int, norm: str = "batch", dropout: float = 0.5, resize: bool = False,
        skip: bool = False, relu_skips: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.multiple, self.dropout, self.relu_skips = 2**downsamplings, dropout, relu_skips
        widths = [min(MAX_WIDTH_FACTOR, 2**i) * width for i in range(downsamplings)]
        last = downsamplings - 1
        # The first and the last downsampling and the last upsampling have no norm.
        down: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise([channels, *widths])):
            kind = norm if 0 < i < last else "none"
            down.append(normed(nn.Conv2d(a, b, 4, 2, 1), kind, b))
        self.down = nn.ModuleList(down)
        up: list[nn.Module] = []
        inputs = widths[-1]
        for outputs in reversed(widths[:-1]):
            up.append(normed(_double(inputs, outputs, resize), norm, outputs))
            inputs = 2 * outputs  # with those of the skip connection
        up.append(_double(inputs, channels, resize))
        self.up = nn.ModuleList(up)
        initial_weights(self, norm)
        if skip:
            self.add_to_input(self.up[-1])

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        skips: list[Tensor] = []
        for step in self.down:
            x = F.leaky_relu(step(x), LEAKY_SLOPE)
            skips.append(F.relu(x) if self.relu_skips else x)
        x = skips.pop()
        for number, step in enumerate(self.up):
            x = step(x)
            if not skips:
                return x
            if number < DROPOUT_STEPS:
                x = dropout(x, self.dropout, draw)
            x = torch.cat([F.relu(x), skips.pop()], 1)
        return x


class ResNetTranslator(Translator):
    """Two downsamplings, `blocks` residual blocks, two upsamplings; 7 x 7 convolutions at full size (Johnson 2016; Zhu 2017, sec.
    4). `transposed` upsamples by transposed 3 x 3 convolutions, as in the paper."""

    multiple = 4

    def __init__(
        self, channels: int, width: int, blocks: int, norm: str = "instance", dropout: float = 0.0, resize: bool = True,
        skip: bool = False, transposed: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.first = normed(_reflected(channels, width, 7), norm, width)
        widths = [width, 2 * width, 4 * width]
        down = [normed(nn.Conv2d(a, b, 3, 2, 1), norm, b) for a, b in pairwise(widths)]
        self.down = nn.ModuleList(down)
        self.blocks = nn.ModuleList(Residual(widths[-1], norm, dropout) for _ in range(blocks))
        up: list[nn.Module] = []
        for a, b in pairwise(widths[::-1]):
            step = _double(a, b, resize)
            if transposed:
                step = nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1)
            up.append(normed(step, norm, b))
        self.up = nn.ModuleList(up)
        self.last = _reflected(width, channels, 7)
        initial_weights(self, norm)
        if skip:
            self.add_to_input(self.last)

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        x = F.relu(self.first(x))
        for step in self.down:
            x = F.relu(step(x))
        for block in self.blocks:
            x = block(x, draw)
        for step in self.up:
            x = F.relu(step(x))
        return self.last(x)


class RetouchTranslator(Translator):
    """Recolours the image by one look-up table, and moves its pixels by at most `max_displacement` pixels; no new content.

    Initially the identity. The table holds what is added to each colour, at TABLE_KNOTS values of each of the first three
    channels and interpolated between them (Zeng 2020, arXiv:2009.14468): equal colours stay equal, edges stay sharp.
    Displacements are predicted at a quarter of the size (Jaderberg 2015, arXiv:1506.02025), which blurs a little.
    """

    multiple = 8

    def __init__(
        self, channels: int, width: int, norm: str = "none", dropout: float = 0.0, max_displacement: float = 0.0
    ) -> None:
        super().__init__()
        self.channels, self.dropout, self.max_displacement = channels, dropout, max_displacement
        rows = TABLE_KNOTS ** min(channels, 3)
        self.first = nn.Conv2d(channels, width, 4, 2, 1)
        self.quarter = normed(nn.Conv2d(width, width * 2, 4, 2, 1), norm, width * 2)
        self.eighth = normed(nn.Conv2d(width * 2, width * 4, 4, 2, 1), norm, width * 4)
        self.middle = normed(nn.Conv2d(width * 4, width * 4, 3, 1, 1), norm, width * 4)
        self.whole = nn.Conv2d(width * 4, width * 8, 4, 2, 1)
        self.colours = nn.Sequential(nn.Linear(width * 32, width * 8), nn.LeakyReLU(LEAKY_SLOPE))
        self.table = nn.Linear(width * 8, rows * channels)
        if max_displacement:
            self.up = normed(_double(width * 4, width * 2, False), norm, width * 2)
            self.flow = nn.Conv2d(width * 4, 2, 3, 1, 1)
        initial_weights(self, norm)
        self.zero(self.table)
        if max_displacement:
            self.zero(self.flow)

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        grown = self.grown(x).float()
        quarter, eighth = self.trunk(grown)
        # The colours of a tile follow from the whole image.
        for_colours = eighth
        if whole is not None:
            _, for_colours = self.trunk(self.grown(whole).float())
        table = self.colour_table(for_colours, draw)
        flow = None
        if self.max_displacement:
            flow = self.flow(torch.cat([F.leaky_relu(self.up(eighth), LEAKY_SLOPE), quarter], 1))
        # In float32: bfloat16 has too few digits for what is added to a colour, and for a position.
        with torch.autocast(x.device.type, enabled=False):
            output = grown + apply_lut(grown, table.float())
            if flow is not None:
                output = warp(output, self.max_displacement * torch.tanh(enlarged(flow.float(), 4)))
        return cut(clamped_to_image(output), (x.shape[2], x.shape[3]))

    def trunk(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features at a quarter (N, 2 width, H / 4, W / 4) and at an eighth (N, 4 width, H / 8, W / 8) of the size."""
        quarter = F.leaky_relu(self.quarter(F.leaky_relu(self.first(x), LEAKY_SLOPE)), LEAKY_SLOPE)
        eighth = F.leaky_relu(self.middle(F.leaky_relu(self.eighth(quarter), LEAKY_SLOPE)), LEAKY_SLOPE)
        return quarter, eighth

    def colour_table(self, inner: Tensor, draw: Draw | None) -> Tensor:
        """What is added to each colour, (N, C, rows), from the features `inner` at an eighth of the size."""
        pooled = F.adaptive_avg_pool2d(F.leaky_relu(self.whole(inner), LEAKY_SLOPE), 2).flatten(1)
        colours = self.colours(dropout(pooled, self.dropout, draw))
        return self.table(dropout(colours, self.dropout, draw)).unflatten(1, (self.channels, -1))


class RepaintTranslator(Translator):
    """A RetouchTranslator, then a U-Net whose output is added to the result: colours and positions first, then new content.

    Initially the identity.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        downsamplings: int,
        norm: str = "none",
        dropout: float = 0.0,
        max_displacement: float = 0.0,
    ) -> None:
        super().__init__()
        self.retouched = RetouchTranslator(channels, width, norm, dropout, max_displacement)
        self.added = UNetTranslator(channels, width, downsamplings, norm, dropout, resize=True, skip=True)
        self.multiple = max(self.retouched.multiple, self.added.multiple)

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        return self.added(self.retouched(x, draw, whole), draw)


TRANSLATION_GENERATORS = ("unet", "resnet", "retouch", "repaint")


def build_translator(
    kind: str, shape: tuple[int, int, int], width: int, *, downsamplings: int, blocks: int, norm: str, dropout: float = 0.0,
    max_displacement: float = 0.0, skip: bool = False, resize: bool = True, transposed: bool = False, relu_skips: bool = False,
) -> Translator:  # fmt: skip
    """The generator `kind`, one of TRANSLATION_GENERATORS, for images of `shape` (C, H, W). Settings that it does not have are
    ignored.

    `resize` and `relu_skips` are the U-Net's, `transposed` is the residual one's. Small images allow fewer downsamplings.
    """
    channels, downsamplings = shape[0], fitting_downsamplings(downsamplings, *shape[1:])
    if kind == "resnet":
        return ResNetTranslator(channels, width, blocks, norm, dropout, skip=skip, transposed=transposed)
    if kind == "retouch":
        return RetouchTranslator(channels, width, norm, dropout, max_displacement)
    if kind == "repaint":
        return RepaintTranslator(channels, width, downsamplings, norm, dropout, max_displacement)
    return UNetTranslator(channels, width, downsamplings, norm, dropout, resize, skip, relu_skips)


def apply_lut(x: Tensor, table: Tensor) -> Tensor:
    """The entry of a table (N, C, K^g) for each pixel of x (N, C, H, W), (N, C, H, W), g = min(C, 3). The last axis of the table
    is a grid over the first g channels, K values of each from -1 to 1, the last channel varying fastest; interpolated
    linearly."""
    guides = min(x.shape[1], 3)
    knots = round(table.shape[2] ** (1 / guides))
    places = torch.arange(knots, device=x.device)[:, None]
    share = x.new_ones(x.shape[0], 1, x.shape[2] * x.shape[3])
    for channel in x[:, :guides].flatten(2).clamp(-1, 1).unbind(1):
        near = (1 - ((channel[:, None] + 1) / 2 * (knots - 1) - places).abs()).relu()
        share = (share[:, :, None] * near[:, None]).flatten(1, 2)
    return (table @ share).view_as(x)


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Images (N, C, H, W) sampled at (i + flow[1], j + flow[0]) for each pixel (i, j), bilinear, borders repeated; flow
    (N, 2, H, W) in pixels. With a flow of 0 they are bit-equal."""
    height, width = x.shape[-2:]
    down = torch.arange(height, device=x.device)[:, None] + flow[:, 1]
    right = torch.arange(width, device=x.device) + flow[:, 0]
    top, left = down.detach().floor().clamp(0, height - 2), right.detach().floor().clamp(0, width - 2)
    lower, rightward = (down - top).clamp(0, 1)[:, None], (right - left).clamp(0, 1)[:, None]
    place = (top * width + left).long().flatten(1)[:, None].expand(-1, x.shape[1], -1)
    flat = x.flatten(2)

    def corner(step: int) -> Tensor:
        return flat[:, :, step:].gather(2, place).view_as(x)

    upper = corner(0).lerp(corner(1), rightward)
    return upper.lerp(corner(width).lerp(corner(width + 1), rightward), lower)


class Residual(nn.Module):
    """x + f(x) with two 3 x 3 convolutions, dropout between them."""

    def __init__(self, channels: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.one = normed(_reflected(channels, channels, 3), norm, channels)
        self.two = normed(_reflected(channels, channels, 3), norm, channels)

    def forward(self, x: Tensor, draw: Draw | None) -> Tensor:
        return x + self.two(dropout(F.relu(self.one(x)), self.dropout, draw))


def fitting_downsamplings(downsamplings: int, height: int, width: int) -> int:
    """At most `downsamplings`, as many as leave one pixel of the shorter side, and at least one."""
    while downsamplings > 1 and min(height, width) / 2**downsamplings < 1:
        downsamplings -= 1
    return downsamplings


def _reflected(a: int, b: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(a, b, kernel, padding=kernel // 2, padding_mode="reflect")


def _double(a: int, b: int, resize: bool) -> nn.Module:
    if resize:
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(a, b, 3, padding=1))
    return nn.ConvTranspose2d(a, b, 4, 2, 1)
