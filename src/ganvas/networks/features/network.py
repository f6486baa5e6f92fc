"""A frozen network with named layers: what style, content and perceptual losses compare.

A chain of frozen convolutions, batch norm folded into them when the weights are read, that stops after the last layer asked for.
Names of layers: VGG's are the papers' (relu1_1 ... relu5_4); a mobile network has stem, and for its i-th block expand{i},
depthwise{i} (after their ReLU6) and block{i} (linear, the sum included); the digit network has conv1 ... conv4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import UsageError, nearest
from ganvas.networks.features.catalog import IMAGENET, Normalisation
from ganvas.networks.features.chain import Walk, Walked

# Features by the name of their layer, (N, C, H, W) each.
Features = dict[str, Tensor]


class FeatureNetwork(nn.Module):
    """Named layers of a frozen network: `network(x, ["relu1_1", "relu4_2"])` gives {"relu1_1": (N, C, H, W), ...}.

    x (N, C, H, W) in [-1, 1], of any size and any channel count (see `as_rgb`). Nothing beyond the last layer asked for is
    computed. Features come in the precision of the weights, are differentiable once, with respect to x, and must not be changed
    in place. `sha256` names the weights.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        name: str,
        layers: Iterable[tuple[str, nn.Module]],
        normalisation: Normalisation = IMAGENET,
        *,
        sha256: str = "",
    ) -> None:
        super().__init__()
        self.name, self.sha256 = name, sha256
        self.layers = nn.ModuleDict(dict(layers))
        mean, deviation = torch.tensor(normalisation).view(2, 1, -1, 1, 1)
        self.register_buffer("scale", 0.5 / deviation, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / deviation, persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, wanted: Iterable[str]) -> Features:
        wanted = list(wanted)
        if not wanted or x.is_meta or torch.is_autocast_enabled(x.device.type):
            return self.by_autograd(x, wanted)
        walk = self.walk(wanted)
        names = [name for name, _ in walk.layers if name in walk.wanted]
        features: Any = Walked.apply(self.prepare(x), walk)
        return {name: self.by_image(y, len(x)) for name, y in zip(names, features, strict=True)}

    def by_autograd(self, x: Tensor, wanted: Iterable[str]) -> Features:
        """The same, layer by layer: where autocast chooses the precision of each, and to check against."""
        left, found, kept = set(wanted), {}, None
        self.check(left)
        y = self.prepare(x)
        for name, layer in self.layers.items():
            before, y = y, layer(y)
            if layer.opens:
                kept = before
            if layer.adds and kept is not None:
                y = y + kept
            if name in left:
                left.remove(name)
                found[name] = self.by_image(y, len(x))
            if not left:
                break
        return found

    def prepare(self, x: Tensor) -> Tensor:
        """RGB as the network was trained on, in the precision of its weights."""
        weight = next(self.parameters())
        x = torch.addcmul(self.shift, as_rgb(x.float()), self.scale)
        return x.to(weight.dtype, memory_format=torch.channels_last)

    def by_image(self, y: Tensor, count: int) -> Tensor:
        """A layer's features (count, C, H, W) of `count` images, from what the chain computed there."""
        return y

    def walk(self, wanted: Iterable[str]) -> Walk:
        """A pass that keeps little, from what `prepare` gives, and its way back; `by_image` is left to the caller."""
        wanted = list(wanted)
        self.check(wanted)
        return Walk(self.layers.items(), wanted)

    def check(self, wanted: Iterable[str]) -> None:
        """UsageError where a layer is unknown."""
        for name in wanted:
            if name not in self.layers:
                raise UsageError(
                    f"{self.name} has no layer {name}{nearest(name, self.layers)} (there are: {', '.join(self.layers)})"
                )

    def channels(self, layer: str, inputs: int = 3) -> int:
        """How many channels a layer has, for images of `inputs` channels."""
        with torch.no_grad():
            return self(torch.zeros(1, inputs, 16, 16, device=self.scale.device), [layer])[layer].shape[1]

    def field(self, wanted: Iterable[str]) -> tuple[int, int]:
        """(stride, reach) of the deepest of the layers: its pixels are `stride` apart in the image, and what a pixel of it
        sees ends `reach` pixels from its own place at most."""
        left, stride, reach = set(wanted), 1, 0
        for name, layer in self.layers.items():
            reach += stride * int(layer.reach)  # pyright: ignore[reportArgumentType]
            stride *= int(layer.stride)  # pyright: ignore[reportArgumentType]
            left.discard(name)
            if not left:
                break
        return stride, reach + stride

    def up_to(self, layer: str, wanted: Iterable[str]) -> list[str]:
        """Of the layers `wanted`, in the network's order, those that come no later than `layer`, and it."""
        names = list(self.layers)
        return [name for name in names[: names.index(layer) + 1] if name in {*wanted, layer}]

    def cut(self, wanted: Iterable[str]) -> FeatureNetwork:
        """Forgets the layers that none of `wanted` needs. Returns itself."""
        left = set(wanted)
        self.check(left)
        kept = {}
        for name, layer in self.layers.items():
            if left:
                kept[name] = layer
            left.discard(name)
        self.layers = nn.ModuleDict(kept)
        return self


def as_rgb(x: Tensor) -> Tensor:
    """(N, C, H, W) as three channels: grey three times; of two channels the first is red, the second green and blue; of more than
    three, red is the mean of the channels 0, 3, 6 ..., green that of 1, 4 ..., blue that of 2, 5 ... Every channel is seen."""
    channels = x.shape[1]
    if channels == 3:
        return x
    if channels == 1:
        return x.expand(-1, 3, -1, -1)
    if channels == 2:
        return x[:, [0, 1, 1]]
    return torch.stack([x[:, colour::3].mean(1) for colour in range(3)], 1)


class ChannelByChannel(FeatureNetwork):
    """A network for grey images that looks at each channel by itself; features of all channels stand behind each other."""

    def prepare(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 1, *x.shape[2:]).to(next(self.parameters()).dtype)

    def by_image(self, y: Tensor, count: int) -> Tensor:
        return y.reshape(count, -1, *y.shape[2:])
