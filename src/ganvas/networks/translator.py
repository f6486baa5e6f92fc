"""Images in, images of the same size out: the U-Net of pix2pix, the residual generator of CycleGAN, and two that retouch.

All are fully convolutional. A height or width that is no multiple of `multiple` is padded inside, by repeating the border, and
cut off again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import held
from ganvas.networks.patch import MOST, SLOPE, initial_weights, normed
from ganvas.networks.resample import cut, enlarged, grown_to

Draw = Callable[..., Tensor]
KNOTS = 3  # entries per channel of a colour table
NOISY = 3  # innermost steps up that dropout works on (Isola 2017, sec. 6.1.1)


class Translator(nn.Module):
    """Base: pads, translates, cuts. Subclasses state `multiple` and `inner`.

    With `skip` it says what to add to the image, not the image, and begins as the identity (see `add_to_input`).
    """

    multiple: int
    least = 2
    """The minimum size is this many times `multiple`: a norm over a single pixel has no variance."""
    skip = False

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        """Of x (N, C, H, W), (N, C, H, W) in [-1, 1]. `draw(*shape)` gives uniform numbers (N, *shape) for dropout; without
        it nothing is dropped. `whole` (N, C, h, w): what x are parts of, for networks that decide something once per image."""
        grown = self.grown(x)
        made = self.inner(grown, draw)
        # In float32: the initially small change would be lost in bfloat16.
        return cut(held(grown.float() + made.float()) if self.skip else torch.tanh(made), (x.shape[2], x.shape[3]))

    def grown(self, x: Tensor) -> Tensor:
        """x padded to the size that the strides need."""
        return grown_to(x, self.multiple, least=self.least * self.multiple)

    def add_to_input(self, last: nn.Module) -> None:
        """From now on the output is input + what `last`, the last layer, gives, which is 0 in the beginning."""
        self.skip = True
        self.begins_at_zero(last)

    def begins_at_zero(self, last: nn.Module) -> None:
        """Makes `last` give 0."""
        for part in last.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.zeros_(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        """Of x whose sides are multiples, before tanh (what to add, with `skip`)."""
        raise NotImplementedError


class UNetTranslator(Translator):
    """`downsamplings` strided convolutions down, as many steps up; each size on the way up gets what left it on the way down.

    `resize` doubles by nearest neighbours and a 3 x 3 convolution, in place of a transposed 4 x 4 one.
    """

    least = 1  # the smallest size has no norm

    def __init__(
        self, channels: int, width: int, downsamplings: int, norm: str = "batch", dropout: float = 0.5, resize: bool = False,
        skip: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.multiple, self.dropout = 2**downsamplings, dropout
        widths = [min(MOST, 2**i) * width for i in range(downsamplings)]
        last = downsamplings - 1
        self.down = nn.ModuleList(
            normed(nn.Conv2d(a, b, 4, 2, 1), norm if 0 < i < last else "none", b)
            for i, (a, b) in enumerate(zip([channels, *widths], widths, strict=False))
        )
        steps = []
        for i in reversed(range(downsamplings)):
            a = widths[i] * (1 if i == last else 2)
            b = widths[i - 1] if i else channels
            steps.append(normed(_double(a, b, resize), norm if i else "none", b))
        self.up = nn.ModuleList(steps)
        initial_weights(self, norm)
        if skip:
            self.add_to_input(self.up[-1])

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        kept: list[Tensor] = []
        for step in self.down:
            x = F.leaky_relu(step(x), SLOPE)
            kept.append(x)
        kept.pop()
        for number, step in enumerate(self.up):
            x = step(x)
            if not kept:
                return x
            if number < NOISY:
                x = dropout(x, self.dropout, draw)
            x = torch.cat([F.relu(x), kept.pop()], 1)
        return x


class ResNetTranslator(Translator):
    """Two downsamplings, `blocks` residual blocks, two upsamplings; 7 x 7 convolutions at full size (Johnson 2016; Zhu 2017, sec.
    4)."""

    multiple = 4

    def __init__(
        self, channels: int, width: int, blocks: int, norm: str = "instance", dropout: float = 0.0, resize: bool = True,
        skip: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.first = normed(_reflected(channels, width, 7), norm, width)
        self.down = nn.ModuleList(
            normed(nn.Conv2d(width * k, width * k * 2, 3, 2, 1), norm, width * k * 2) for k in (1, 2)
        )
        self.blocks = nn.ModuleList(Residual(width * 4, norm, dropout) for _ in range(blocks))
        self.up = nn.ModuleList(normed(_double(width * k * 2, width * k, resize), norm, width * k) for k in (2, 1))
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
    """Recolours its input by one table for the whole image, and moves its pixels by at most `reach`: it adds no new content.

    Begins as the identity. The table says what to add to each colour, at KNOTS values of each of the first three channels and
    between them by interpolation (Zeng 2020, arXiv:2009.14468): equal colours stay equal, edges as sharp as they were. Where
    pixels come from is told at a quarter of the size (Jaderberg 2015, arXiv:1506.02025); that blurs a little.
    """

    multiple = 8

    def __init__(self, channels: int, width: int, norm: str = "none", dropout: float = 0.0, reach: float = 0.0) -> None:
        super().__init__()
        self.channels, self.dropout, self.reach, rows = channels, dropout, reach, KNOTS ** min(channels, 3)
        self.first = nn.Conv2d(channels, width, 4, 2, 1)
        self.quarter = normed(nn.Conv2d(width, width * 2, 4, 2, 1), norm, width * 2)
        self.eighth = normed(nn.Conv2d(width * 2, width * 4, 4, 2, 1), norm, width * 4)
        self.middle = normed(nn.Conv2d(width * 4, width * 4, 3, 1, 1), norm, width * 4)
        self.whole = nn.Conv2d(width * 4, width * 8, 4, 2, 1)
        self.colours = nn.Sequential(nn.Linear(width * 32, width * 8), nn.LeakyReLU(SLOPE))
        self.table = nn.Linear(width * 8, rows * channels)
        if reach:
            self.up = normed(_double(width * 4, width * 2, False), norm, width * 2)
            self.flow = nn.Conv2d(width * 4, 2, 3, 1, 1)
        initial_weights(self, norm)
        self.begins_at_zero(self.table)
        if reach:
            self.begins_at_zero(self.flow)

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        grown = self.grown(x).float()
        kept, inner = self.trunk(grown)
        table = self.colour_table(inner if whole is None else self.trunk(self.grown(whole).float())[1], draw)
        flow = self.flow(torch.cat([F.leaky_relu(self.up(inner), SLOPE), kept], 1)) if self.reach else None
        # In float32: bfloat16 has too few digits for what is added to a colour, and for a place.
        with torch.autocast(x.device.type, enabled=False):
            made = grown + apply_lut(grown, table.float())
            if flow is not None:
                made = warp(made, self.reach * torch.tanh(enlarged(flow.float(), 4)))
        return cut(held(made), (x.shape[2], x.shape[3]))

    def trunk(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features at a quarter and at an eighth of the size."""
        kept = F.leaky_relu(self.quarter(F.leaky_relu(self.first(x), SLOPE)), SLOPE)
        return kept, F.leaky_relu(self.middle(F.leaky_relu(self.eighth(kept), SLOPE)), SLOPE)

    def colour_table(self, inner: Tensor, draw: Draw | None) -> Tensor:
        """What to add to colours, (N, C, rows)."""
        seen = F.adaptive_avg_pool2d(F.leaky_relu(self.whole(inner), SLOPE), 2).flatten(1)
        colours = self.colours(dropout(seen, self.dropout, draw))
        return self.table(dropout(colours, self.dropout, draw)).unflatten(1, (self.channels, -1))


class RepaintTranslator(Translator):
    """A RetouchTranslator, then a U-Net whose output is added to the result: colours and positions first, then new content.

    Begins as the identity.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        downsamplings: int,
        norm: str = "none",
        dropout: float = 0.0,
        reach: float = 0.0,
    ) -> None:
        super().__init__()
        self.retouched = RetouchTranslator(channels, width, norm, dropout, reach)
        self.added = UNetTranslator(channels, width, downsamplings, norm, dropout, resize=True, skip=True)
        self.multiple = max(self.retouched.multiple, self.added.multiple)

    def forward(self, x: Tensor, draw: Draw | None = None, whole: Tensor | None = None) -> Tensor:
        return self.added(self.retouched(x, draw, whole), draw)


GENERATORS = ("unet", "resnet", "retouch", "repaint")


def build_translator(
    kind: str, shape: tuple[int, int, int], width: int, *, downsamplings: int, blocks: int, norm: str, dropout: float = 0.0,
    reach: float = 0.0, skip: bool = False, resize: bool = True,
) -> Translator:  # fmt: skip
    """The generator `kind`, one of GENERATORS, for images of `shape` (C, H, W); each reads the settings that it has.

    `resize` is the U-Net's. Small images allow fewer downsamplings.
    """
    channels, downsamplings = shape[0], fitting_downsamplings(downsamplings, *shape[1:])
    if kind == "resnet":
        return ResNetTranslator(channels, width, blocks, norm, dropout, skip=skip)
    if kind == "retouch":
        return RetouchTranslator(channels, width, norm, dropout, reach)
    if kind == "repaint":
        return RepaintTranslator(channels, width, downsamplings, norm, dropout, reach)
    return UNetTranslator(channels, width, downsamplings, norm, dropout, resize, skip)


def apply_lut(x: Tensor, table: Tensor) -> Tensor:
    """What a table (N, C, K^g) says of each pixel of x (N, C, H, W), g = min(C, 3): its rows are the corners of a cube over the
    first g channels, K values of each from -1 to 1, the last channel's moving fastest; linear between them."""
    guides = min(x.shape[1], 3)
    knots = round(table.shape[2] ** (1 / guides))
    places = torch.arange(knots, device=x.device)[:, None]
    share = x.new_ones(len(x), 1, x.shape[2] * x.shape[3])
    for channel in x[:, :guides].flatten(2).clamp(-1, 1).unbind(1):
        near = (1 - ((channel[:, None] + 1) / 2 * (knots - 1) - places).abs()).relu()
        share = (share[:, :, None] * near[:, None]).flatten(1, 2)
    return (table @ share).view_as(x)


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Images (N, C, H, W) whose pixel (i, j) shows what was at (i + flow[1], j + flow[0]), bilinear, borders repeated; flow
    (N, 2, H, W) in pixels. A flow of 0 gives them back bit for bit."""
    height, width = x.shape[-2:]
    down = torch.arange(height, device=x.device)[:, None] + flow[:, 1]
    right = torch.arange(width, device=x.device) + flow[:, 0]
    top, left = down.detach().floor().clamp(0, height - 2), right.detach().floor().clamp(0, width - 2)
    lower, rightward = ((down - top).clamp(0, 1)[:, None], (right - left).clamp(0, 1)[:, None])
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


def dropout(x: Tensor, share: float, draw: Draw | None) -> Tensor:
    """Dropout: x (N, ...) with `share` of its values 0 and the others scaled up, so that the mean stays."""
    if draw is None or share == 0:
        return x
    return x * (draw(*x.shape[1:]) >= share) / (1 - share)


def fitting_downsamplings(downsamplings: int, height: int, width: int) -> int:
    """At most `downsamplings`, as many as leave a pixel of the shorter side; one at least."""
    while downsamplings > 1 and min(height, width) / 2**downsamplings < 1:
        downsamplings -= 1
    return downsamplings


def _reflected(a: int, b: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(a, b, kernel, padding=kernel // 2, padding_mode="reflect")


def _double(a: int, b: int, resize: bool) -> nn.Module:
    if resize:
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(a, b, 3, padding=1))
    return nn.ConvTranspose2d(a, b, 4, 2, 1)
