"""The loss of a picture that is being stylised, and its gradient, by tiles where the picture is large.

A tile passes the network with as much around it as its deepest features see, and only the features of its own pixels count; so
tiles give what the whole gives. Gram matrices are of the whole picture: a first pass without gradients adds them up, and by the
chain rule a tile's gradient then needs no more than d loss / d Gram.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.losses.style import TINY, content_scale, gram_sum, relative, style_loss, style_scale, total_variation
from ganvas.networks.perceptual import FeatureNetwork
from ganvas.tasks.tiles import reflected

Taps = dict[str, Tensor]
Sums = dict[tuple[int, str], Tensor]  # of (style, layer): sums over places


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in pixels: its own from `start` to `end`, seen with what lies around from `low` to `high`."""

    start: int
    end: int
    low: int
    high: int

    @property
    def alone(self) -> bool:
        """Whether it sees no more than its own."""
        return (self.start, self.end) == (self.low, self.high)

    def own(self, count: int) -> slice:
        """Its own places among the `count` of what was seen."""
        stride = (self.high - self.low) // count
        return slice((self.start - self.low) // stride, (self.end - self.low) // stride)

    def part(self, count: int, size: int) -> slice:
        """Its own places among the `count` of a whole picture of `size` pixels."""
        stride = size // count
        return slice(self.start // stride, self.end // stride)


@dataclass(frozen=True)
class Tile:
    """A part of a picture."""

    rows: Span
    columns: Span

    def of(self, x: Tensor) -> Tensor:
        """What it sees of a picture (N, C, H, W)."""
        return x[:, :, self.rows.low : self.rows.high, self.columns.low : self.columns.high]

    def own(self, features: Tensor) -> Tensor:
        """Of the features of what it sees, those of its own pixels."""
        if self.rows.alone and self.columns.alone:  # nothing is cut off, so no gradient has to be filled up again
            return features
        return features[:, :, self.rows.own(features.shape[2]), self.columns.own(features.shape[3])]

    def part(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Its own places in features of a whole picture of `size` (H, W) pixels."""
        return features[:, :, self.rows.part(features.shape[2], size[0]), self.columns.part(features.shape[3], size[1])]


def tiles(size: Sequence[int], side: int, halo: int) -> list[Tile]:
    """Tiles of `side` pixels that cover a picture of `size` (H, W), each seen with `halo` pixels around it."""
    rows, columns = (list(_spans(one, side, halo)) for one in size)
    return [Tile(row, column) for row in rows for column in columns]


def _spans(size: int, side: int, halo: int) -> Iterator[Span]:
    for start in range(0, size, side):
        end = min(size, start + side)
        yield Span(start, end, max(0, start - halo), min(size, end + halo))


class Target:
    """What a picture at one size is compared with.

    content (1, C, H, W), styles (1, C, h, w) each, `masks` (1, styles, H, W) or None; `shares` sum to 1. Pictures that are
    given to `gradient` have a height and a width that are multiples of `multiple`. `phases` above 1: see `gradient`. A
    network whose first layer has a stride of 2 hardly sees a pattern of period 2, and leaves it in the picture; moved
    pictures show it.
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
        self.alpha, self.beta, self.tv = alpha, beta, tv
        self.multiple, reach = network.field([*style_layers, *content_layers])
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
            mixed = {
                name: torch.stack([w * g[name] for w, g in zip(shares, grams, strict=True)]).sum(0)
                for name in style_layers
            }
            self.shares, self.grams = [1.0], [mixed]

    def gradient(self, x: Tensor, turn: int = 0) -> dict[str, Tensor]:
        """The losses at x (1, C, H, W), a leaf: "loss" (eq. 7), "content", "style", "variation". Their gradient goes to x.grad.

        With `phases`, the network sees the picture moved by less than that many pixels each way, by `turn` in another of the
        ways.
        """
        shift = list(self.contents)[turn % len(self.contents)]
        self.content = self.contents[shift]
        moved = x.detach().roll(shift, (2, 3)).requires_grad_()
        parts = self._tiles(x.shape[2:])
        losses = self._of_whole(moved, parts[0]) if len(parts) == 1 else self._of_tiles(moved, parts)
        assert moved.grad is not None
        x.grad = moved.grad.roll((-shift[0], -shift[1]), (2, 3))
        return {name: value.detach() for name, value in losses.items()}

    def _of_whole(self, x: Tensor, tile: Tile) -> dict[str, Tensor]:
        size = x.shape[2:]
        taps = self.network(x, [*self.style_layers, *self.content_layers])
        losses = self._together(
            self._style(self._sums(taps, tile, size), size), self._content(taps, tile, size), total_variation(x)[0]
        )
        losses["loss"].backward()
        return losses

    def _of_tiles(self, x: Tensor, parts: Sequence[Tile]) -> dict[str, Tensor]:
        size = x.shape[2:]
        with torch.no_grad():
            sums = _added([self._sums(self._taps(x, tile, self.style_layers), tile, size) for tile in parts])
        for value in sums.values():
            value.requires_grad_()
        style, content = self._style(sums, size), torch.zeros((), device=x.device)
        style.backward()
        slopes: dict[Any, Any] = {key: value.grad for key, value in sums.items()}
        x.grad = torch.zeros_like(x)
        for tile in parts:
            seen = tile.of(x).detach().requires_grad_()
            taps = self._taps(seen, tile, [*self.style_layers, *self.content_layers], cut=False)
            here, mine = self._sums(taps, tile, size), self._content(taps, tile, size)
            # Its gradient is the style's, by the chain rule.
            linear = torch.stack([(here[key] * slopes[key]).sum() for key, value in sums.items()]).sum()
            (self.beta * linear + self.alpha * mine).backward()
            tile.of(x.grad).add_(seen.grad)  # pyright: ignore[reportArgumentType]
            content = content + mine.detach()
        variation = total_variation(x)[0]
        (self.tv * variation).backward()
        return self._together(style, content, variation)

    def _together(self, style: Tensor, content: Tensor, variation: Tensor) -> dict[str, Tensor]:
        """Eq. 7, and the variation."""
        loss = self.alpha * content + self.beta * style + self.tv * variation
        return {"loss": loss, "content": content, "style": style, "variation": variation}

    def _style(self, sums: Sums, size: Sequence[int]) -> Tensor:
        """Eq. 5 with equal weights, each layer relative; with masks a mean over them by their shares."""
        losses = []
        for index, (share, grams) in enumerate(zip(self.shares, self.grams, strict=True)):
            for name in self.style_layers:
                gram = sums[index, name] / self._places(index, name, size)
                losses.append(share * relative(style_loss(gram, grams[name]), style_scale(grams[name]))[0])
        return torch.stack(losses).sum() / len(self.style_layers)

    def _content(self, taps: Taps, tile: Tile, size: Sequence[int]) -> Tensor:
        """Eq. 1, each layer relative, a mean over layers: this tile's share of it."""
        losses = []
        for name in self.content_layers:
            whole = self.content[name]
            apart = tile.own(taps[name]).float() - tile.part(whole, size).float()
            loss = apart.square().sum() / (2 * whole.shape[2] * whole.shape[3])
            losses.append(relative(loss[None], self.content_scale[name])[0])
        return torch.stack(losses).mean()

    # --- features of a whole picture, by tiles ----------------------------------------------------------------------------------

    def _taps(self, x: Tensor, tile: Tile, layers: Sequence[str], cut: bool = True) -> Taps:
        return self.network(tile.of(x) if cut else x, layers)

    def _sums(self, taps: Taps, tile: Tile, size: Sequence[int]) -> Sums:
        """Eq. 3 over the tile's own places, for each mask (or once)."""
        found: Sums = {}
        for name in self.style_layers:
            own = tile.own(taps[name])
            if self.masks is None:
                found[0, name] = gram_sum(own)
                continue
            count = (
                own.shape[2] * size[0] // (tile.rows.end - tile.rows.start),
                own.shape[3] * size[1] // (tile.columns.end - tile.columns.start),
            )
            guides = tile.part(self._guides(count), size).to(own.dtype)
            for index in range(guides.shape[1]):
                found[index, name] = gram_sum(own * guides[:, index : index + 1])
        return found

    def _guides(self, size: Sequence[int]) -> Tensor:
        """The masks (1, styles, h, w) at a layer's size."""
        assert self.masks is not None
        return F.adaptive_avg_pool2d(self.masks, (size[0], size[1]))

    def _places(self, index: int, name: str, size: Sequence[int]) -> Tensor | int:
        """What `_sums` are divided by: the number of places, or the sum of a guide's squares."""
        height, width = self.places[name]
        if self.masks is None:
            return (size[0] // height) * (size[1] // width)
        guide = self._guides((size[0] // height, size[1] // width))[:, index]
        return guide.square().sum().clamp_min(TINY)

    def _whole_features(self, x: Tensor) -> Taps:
        """The content layers' features of a whole picture. Notes the stride of each layer."""
        made: Taps = {}
        self.places: dict[str, tuple[int, int]] = {}
        for tile in self._tiles(x.shape[2:]):
            taps = self._taps(x, tile, [*self.style_layers, *self.content_layers])
            for name, value in taps.items():
                seen = tile.of(x).shape
                self.places[name] = seen[2] // value.shape[2], seen[3] // value.shape[3]
            for name in self.content_layers:
                own, (down, across) = tile.own(taps[name]), self.places[name]
                if name not in made:
                    made[name] = own.new_empty(1, own.shape[1], x.shape[2] // down, x.shape[3] // across)
                tile.part(made[name], x.shape[2:]).copy_(own)
        return made

    def _style_grams(self, style: Tensor) -> Mapping[str, Tensor]:
        """Eq. 3 of a style picture over its places, layer by layer."""
        sums: dict[str, Tensor] = {}
        for tile in self._tiles(style.shape[2:]):
            for name, value in self._taps(style, tile, self.style_layers).items():
                here = gram_sum(tile.own(value))
                sums[name] = sums[name] + here if name in sums else here
        height, width = style.shape[2:]
        return {
            name: value / ((height // self.places[name][0]) * (width // self.places[name][1]))
            for name, value in sums.items()
        }

    def _tiles(self, size: Sequence[int]) -> list[Tile]:
        # A picture a little larger than a tile passes as a whole: two tiles with what is around them would cost more.
        if max(size) <= self.side + 2 * self.halo:
            return tiles(size, max(size), 0)
        return tiles(size, self.side, self.halo)


def _added(all_of: Sequence[Sums]) -> Sums:
    return {key: torch.stack([one[key] for one in all_of]).sum(0) for key in all_of[0]}
