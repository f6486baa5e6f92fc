"""Pictures in, pictures out, as large: the U-Net of pix2pix and the residual generator of CycleGAN.

Both are fully convolutional. A height or width that is no multiple of `multiple` is padded inside, by repeating the border, and
cut off again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import held
from ganvas.networks.patch import MOST, SLOPE, initial_weights, normed
from ganvas.networks.resample import cut, grown_to

Draw = Callable[..., Tensor]
NOISY = 3  # innermost steps up that dropout works on (Isola 2017, sec. 6.1.1)


class Translator(nn.Module):
    """Base: pads, translates, cuts. Subclasses state `multiple` and `inner`.

    With `skip` it says what to add to the picture, not the picture, and begins as the identity (see `add_to_input`).
    """

    multiple: int
    skip = False

    def forward(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """Of x (N, C, H, W), (N, C, H, W) in [-1, 1]. `draw(*shape)` gives uniform numbers (N, *shape) for dropout; without
        it nothing is dropped."""
        # Twice the multiple at least: a norm over a single pixel has nothing to go by.
        grown = grown_to(x, self.multiple, least=2 * self.multiple)
        made = self.inner(grown, draw)
        # In float32: what is added begins small, and would be lost beside the picture.
        return cut(held(grown.float() + made.float()) if self.skip else torch.tanh(made), (x.shape[2], x.shape[3]))

    def add_to_input(self, last: nn.Module) -> None:
        """From now on the output is input + what `last`, the last layer, gives, which is 0 in the beginning."""
        self.skip = True
        for part in last.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.zeros_(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def inner(self, x: Tensor, draw: Draw | None) -> Tensor:
        """Of x whose sides are multiples, before tanh."""
        raise NotImplementedError


class UNetTranslator(Translator):
    """`halvings` strided convolutions down, as many steps up; each size on the way up gets what left it on the way down.

    `resize` doubles by nearest neighbours and a 3 x 3 convolution, in place of a transposed 4 x 4 one.
    """

    def __init__(
        self, channels: int, width: int, halvings: int, norm: str = "batch", dropout: float = 0.5, resize: bool = False,
        skip: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.multiple, self.dropout = 2**halvings, dropout
        widths = [min(MOST, 2**i) * width for i in range(halvings)]
        last = halvings - 1
        self.down = nn.ModuleList(
            normed(nn.Conv2d(a, b, 4, 2, 1), norm if 0 < i < last else "none", b)
            for i, (a, b) in enumerate(zip([channels, *widths], widths, strict=False))
        )
        steps = []
        for i in reversed(range(halvings)):
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
                x = dropped(x, self.dropout, draw)
            x = torch.cat([F.relu(x), kept.pop()], 1)
        return x


class ResNetTranslator(Translator):
    """Two halvings, `blocks` residual blocks, two doublings; 7 x 7 convolutions at full size (Johnson 2016, Zhu 2017 sec. 4)."""

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


class Residual(nn.Module):
    """x + f(x) with two 3 x 3 convolutions, dropout between them."""

    def __init__(self, channels: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.one = normed(_reflected(channels, channels, 3), norm, channels)
        self.two = normed(_reflected(channels, channels, 3), norm, channels)

    def forward(self, x: Tensor, draw: Draw | None) -> Tensor:
        return x + self.two(dropped(F.relu(self.one(x)), self.dropout, draw))


def dropped(x: Tensor, share: float, draw: Draw | None) -> Tensor:
    """x (N, ...) with `share` of its values 0 and the others larger by as much, so that the mean stays."""
    if draw is None or share == 0:
        return x
    return x * (draw(*x.shape[1:]) >= share) / (1 - share)


def fitting_halvings(halvings: int, height: int, width: int) -> int:
    """At most `halvings`, as many as leave 2 pixels of the shorter side; one at least."""
    while halvings > 1 and min(height, width) / 2**halvings <= 1:
        halvings -= 1
    return halvings


def _reflected(a: int, b: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(a, b, kernel, padding=kernel // 2, padding_mode="reflect")


def _double(a: int, b: int, resize: bool) -> nn.Module:
    if resize:
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(a, b, 3, padding=1))
    return nn.ConvTranspose2d(a, b, 4, 2, 1)
