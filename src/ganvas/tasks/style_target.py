"""The loss of an image that is being stylised, and its gradient, in tiles if the image is large.

A tile passes the network with a halo as wide as the receptive field, and only the features of its own pixels are used, so that
tiles give the same result as the whole image. Gram matrices are those of the whole image: a first pass without gradients sums
them up, and by the chain rule the gradient of a tile then needs only d loss / d Gram.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.losses.style import (
    MIN_SQUARE,
    add_gram_slope,
    add_variation_slope,
    content_scale,
    gram_sum,
    relative,
    style_loss,
    style_scale,
)
from ganvas.networks.features.network import FeatureNetwork
from ganvas.tasks.tiles import reflected

Taps = dict[str, Tensor]
Sums = dict[tuple[int, str], Tensor]  # of (style, layer): sums over places


@dataclass(frozen=True)
class HaloSpan:
    """One axis of a tile, in pixels: its own pixels from `start` to `end`, with its halo from `low` to `high`."""

    start: int
    end: int
    low: int
    high: int

    @property
    def alone(self) -> bool:
        """Whether it has no halo."""
        return (self.start, self.end) == (self.low, self.high)

    def own(self, count: int) -> slice:
        """Its own places among the `count` feature places of the span with its halo."""
        stride = (self.high - self.low) // count
        return slice((self.start - self.low) // stride, (self.end - self.low) // stride)

    def part(self, count: int, size: int) -> slice:
        """Its own places among the `count` feature places of a whole image of `size` pixels."""
        stride = size // count
        return slice(self.start // stride, self.end // stride)


@dataclass(frozen=True)
class HaloTile:
    """A part of an image, with a halo around it. (The tiles of ganvas.tasks.tiles overlap and are blended.)"""

    rows: HaloSpan
    columns: HaloSpan

    def of(self, x: Tensor) -> Tensor:
        """The tile of an image (N, C, H, W), with its halo."""
        return x[:, :, self.rows.low : self.rows.high, self.columns.low : self.columns.high]

    def own(self, features: Tensor) -> Tensor:
        """The features of its own pixels, from the features of the tile with its halo."""
        if self.rows.alone and self.columns.alone:  # no slicing, so autograd need not pad the gradient
            return features
        return features[:, :, self.rows.own(features.shape[2]), self.columns.own(features.shape[3])]

    def part(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """The features of its own pixels, from those of a whole image of `size` (H, W) pixels."""
        return features[:, :, self.rows.part(features.shape[2], size[0]), self.columns.part(features.shape[3], size[1])]


def halo_tiles(size: Sequence[int], side: int, halo: int) -> list[HaloTile]:
    """Tiles of `side` pixels that cover an image of `size` (H, W), each with a halo of `halo` pixels."""
    rows, columns = (list(_spans(one, side, halo)) for one in size)
    return [HaloTile(row, column) for row in rows for column in columns]


def _spans(size: int, side: int, halo: int) -> Iterator[HaloSpan]:
    for start in range(0, size, side):
        end = min(size, start + side)
        yield HaloSpan(start, end, max(0, start - halo), min(size, end + halo))


class Target:
    """Content and style features that an image of one size is compared with.

    content (1, C, H, W), styles (1, C, h, w) each, `masks` (1, styles, H, W) or None; `shares` sum to 1. Height and width of
    images for `gradient` must be multiples of `multiple`. `phases` above 1: see `gradient`. A network whose first layer has
    stride 2 hardly reacts to patterns of period 2 and leaves them in the image; shifting the image by a pixel reveals them.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        content: Tensor,
        styles: Sequence[Tensor],
        shares: Sequence[float],
        masks: Tensor | None = None,
        *,
        style_layers: Sequence[str],
        content_layers: Sequence[str],
        alpha: float = 1.0,
        beta: float = 1.0,
        tv: float = 0.0,
        side: int = 1024,
        phases: int = 1,
    ) -> None:
        self.network, self.style_layers, self.content_layers = network, style_layers, content_layers
        self.layers = [*style_layers, *content_layers]
        self.alpha, self.beta, self.tv = alpha, beta, tv
        self.multiple, reach = network.field(self.layers)
        self.halo = -(-reach // self.multiple) * self.multiple
        self.side = max(1, side // self.multiple) * self.multiple
        self.masks = None if masks is None else reflected(masks, self.multiple)
        with torch.no_grad():
            content = reflected(content, self.multiple)
            shifts = [(down, across) for down in range(phases) for across in range(phases)]
            self.contents = {shift: self._whole_features(content.roll(shift, (2, 3))) for shift in shifts}
            self.content = self.contents[0, 0]
            self.content_scale = {name: content_scale(value) for name, value in self.content.items()}
            grams = [self._style_grams(reflected(style, self.multiple)) for style in styles]
        self.shares, self.grams = list(shares), grams
        if masks is None:
            # A mixture of styles is one target: sum_i w_i |G - A_i|^2 is |G - sum_i w_i A_i|^2 and a constant.
            mixed = {}
            for name in style_layers:
                weighted = [share * gram[name] for share, gram in zip(shares, grams, strict=True)]
                mixed[name] = torch.stack(weighted).sum(0)
            self.shares, self.grams = [1.0], [mixed]

    def gradient(self, x: Tensor, turn: int = 0) -> dict[str, Tensor]:
        """The losses at x (1, C, H, W), a leaf: "loss" (eq. 7), "content", "style", "variation". Their gradient goes to x.grad.

        With `phases`, the image is shifted by 0 to phases - 1 pixels along both axes before the network; `turn` chooses the
        shift.
        """
        shift = list(self.contents)[turn % len(self.contents)]
        self.content = self.contents[shift]
        moved = x.detach().roll(shift, (2, 3)).requires_grad_()
        losses = self._gradient(moved, self._tiles(x.shape[2:]))
        assert moved.grad is not None
        x.grad = moved.grad.roll((-shift[0], -shift[1]), (2, 3))
        return {name: value.detach() for name, value in losses.items()}

    def _gradient(self, x: Tensor, parts: Sequence[HaloTile]) -> dict[str, Tensor]:
        """Stores the gradient in x.grad. Several tiles pass twice: once for the Gram matrices, once for the gradients."""
        size, alone = x.shape[2:], len(parts) == 1
        sums: Sums = {}
        contents: list[Tensor] = []
        for tile in parts:
            passed = _Pass(self.network, self.layers, tile.of(x), keep=alone)
            passed.forward(functools.partial(self._see, sums, contents, tile, size))
        for value in sums.values():
            value.requires_grad_()
        style, content = self._style(sums, size), torch.stack(contents).sum()
        (self.beta * style).backward()
        slopes = {key: value.grad for key, value in sums.items() if value.grad is not None}
        with torch.no_grad():
            gradient = torch.zeros_like(x)
            variation = add_variation_slope(gradient, x, self.tv)[0]
        for tile in parts:
            if not alone:
                passed = _Pass(self.network, self.layers, tile.of(x), keep=True)
                passed.forward(lambda *_: None)
            slope = functools.partial(self._slope, slopes, tile, size)
            tile.of(gradient).add_(passed.back(slope))  # pyright: ignore[reportPossiblyUnboundVariable]
        x.grad = gradient
        loss = self.alpha * content + self.beta * style + self.tv * variation
        return {"loss": loss, "content": content, "style": style, "variation": variation}

    def _see(
        self, sums: Sums, contents: list[Tensor], tile: HaloTile, size: Sequence[int], name: str, features: Tensor
    ) -> None:
        """Adds a tile's features to the sums of the losses."""
        own = tile.own(features)
        if name in self.style_layers:
            self._add_sums(sums, name, own, tile, size)
        if name in self.content_layers:
            contents.append(self._content(name, own, tile, size))

    def _slope(
        self, slopes: Sums, tile: HaloTile, size: Sequence[int], name: str, features: Tensor, gradient: Tensor
    ) -> None:
        """Adds the gradients of the style loss, by the chain rule, and of the content loss to a layer's gradient."""
        own, here = tile.own(features), tile.own(gradient)
        if name in self.style_layers:
            for index, guide in enumerate(self._guides_of(own, tile, size)):
                if guide is None:
                    add_gram_slope(here, own, slopes[index, name])
                    continue
                part = torch.zeros_like(own)
                add_gram_slope(part, own * guide, slopes[index, name])
                here.add_(part.mul_(guide))
        if name in self.content_layers:
            whole = self.content[name]
            apart = own.float() - tile.part(whole, size).float()
            places = whole.shape[2] * whole.shape[3] * len(self.content_layers)
            here.add_(apart.mul_(relative(torch.tensor(self.alpha / places), self.content_scale[name])))

    def _style(self, sums: Sums, size: Sequence[int]) -> Tensor:
        """Eq. 5 with equal weights, each layer relative; with masks a mean over them by their shares."""
        losses = []
        for index, (share, grams) in enumerate(zip(self.shares, self.grams, strict=True)):
            for name in self.style_layers:
                gram = sums[index, name] / self._places(index, name, size)
                losses.append(share * relative(style_loss(gram, grams[name]), style_scale(grams[name]))[0])
        return torch.stack(losses).sum() / len(self.style_layers)

    def _content(self, name: str, own: Tensor, tile: HaloTile, size: Sequence[int]) -> Tensor:
        """Eq. 1 of one layer, relative, over the number of layers: this tile's share of it."""
        whole = self.content[name]
        apart = own.float() - tile.part(whole, size).float()
        loss = apart.square().sum() / (2 * whole.shape[2] * whole.shape[3])
        return relative(loss[None], self.content_scale[name])[0] / len(self.content_layers)

    # --- features of a whole image, by tiles ----------------------------------------------------------------------------------

    def _add_sums(self, sums: Sums, name: str, own: Tensor, tile: HaloTile, size: Sequence[int]) -> None:
        """Eq. 3 over the tile's own places, for each mask (or once)."""
        for index, guide in enumerate(self._guides_of(own, tile, size)):
            here = gram_sum(own if guide is None else own * guide)
            sums[index, name] = sums[index, name] + here if (index, name) in sums else here

    def _guides_of(self, own: Tensor, tile: HaloTile, size: Sequence[int]) -> list[Tensor | None]:
        """The masks (1, 1, h, w) at the places of a tile's features; without masks one None."""
        if self.masks is None:
            return [None]
        count = (
            own.shape[2] * size[0] // (tile.rows.end - tile.rows.start),
            own.shape[3] * size[1] // (tile.columns.end - tile.columns.start),
        )
        return list(tile.part(self._guides(count), size).to(own.dtype).split(1, 1))

    def _guides(self, size: Sequence[int]) -> Tensor:
        """The masks (1, styles, h, w) at a layer's size."""
        assert self.masks is not None
        return F.adaptive_avg_pool2d(self.masks, (size[0], size[1]))

    def _places(self, index: int, name: str, size: Sequence[int]) -> Tensor | int:
        """The divisor of Gram sums: the number of places, or the sum of squares of a guide."""
        height, width = self.places[name]
        if self.masks is None:
            return (size[0] // height) * (size[1] // width)
        guide = self._guides((size[0] // height, size[1] // width))[:, index]
        return guide.square().sum().clamp_min(MIN_SQUARE)

    def _whole_features(self, x: Tensor) -> Taps:
        """The content layers' features of a whole image. Notes the stride of each layer."""
        made: Taps = {}
        self.places: dict[str, tuple[int, int]] = {}
        for tile in self._tiles(x.shape[2:]):
            _Pass(self.network, self.layers, tile.of(x)).forward(functools.partial(self._copy, made, tile, x.shape[2:]))
        return made

    def _copy(self, made: Taps, tile: HaloTile, size: Sequence[int], name: str, features: Tensor) -> None:
        seen = tile.rows.high - tile.rows.low, tile.columns.high - tile.columns.low
        down, across = seen[0] // features.shape[2], seen[1] // features.shape[3]
        self.places[name] = down, across
        if name not in self.content_layers:
            return
        own = tile.own(features)
        if name not in made:
            made[name] = own.new_empty(1, own.shape[1], size[0] // down, size[1] // across)
        tile.part(made[name], size).copy_(own)

    def _style_grams(self, style: Tensor) -> Mapping[str, Tensor]:
        """Eq. 3 of a style image over its places, layer by layer."""
        sums: dict[str, Tensor] = {}

        def see(tile: HaloTile, name: str, features: Tensor) -> None:
            here = gram_sum(tile.own(features))
            sums[name] = sums[name] + here if name in sums else here

        for tile in self._tiles(style.shape[2:]):
            _Pass(self.network, self.style_layers, tile.of(style)).forward(functools.partial(see, tile))
        height, width = style.shape[2:]
        return {
            name: value / ((height // self.places[name][0]) * (width // self.places[name][1]))
            for name, value in sums.items()
        }

    def _tiles(self, size: Sequence[int]) -> list[HaloTile]:
        # An image a little larger than a tile is one tile: two tiles with their halos would cost more.
        if max(size) <= self.side + 2 * self.halo:
            return halo_tiles(size, max(size), 0)
        return halo_tiles(size, self.side, self.halo)


class _Pass:
    """One way of an image (1, C, H, W) through the network, and with `keep` one way back."""

    def __init__(self, network: FeatureNetwork, layers: Sequence[str], x: Tensor, *, keep: bool = False) -> None:
        self.network, self.keep, self.walk = network, keep, network.walk(layers)
        self.seen = x.detach().requires_grad_(keep)

    def forward(self, see: Callable[[str, Tensor], None]) -> None:
        """`see(name, features)` for each of the layers."""
        self.entered = self.network.prepare(self.seen)
        by_image = self.network.by_image
        self.walk.forward(self.entered.detach(), lambda name, y: see(name, by_image(y, 1)), back=self.keep)

    def back(self, slope: Callable[[str, Tensor, Tensor], None]) -> Tensor:
        """The gradient at the image; `slope(name, features, gradient)` adds that of a layer."""

        def slope_by_image(name: str, y: Tensor, gradient: Tensor) -> None:
            features = self.network.by_image(y, 1)
            if features is y:
                return slope(name, y, gradient)
            here = torch.zeros_like(features)
            slope(name, features, here)
            gradient.add_(here.reshape(gradient.shape))

        self.entered.backward(self.walk.back(slope_by_image))
        assert self.seen.grad is not None
        return self.seen.grad
