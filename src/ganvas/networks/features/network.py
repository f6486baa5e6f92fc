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
        # An exporter writes down the layers themselves.
        by_layer = x.is_meta or torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type)
        if not wanted or by_layer:
            return self.by_autograd(x, wanted)
        walk = self.walk(wanted)
        names = [name for name, _ in walk.layers if name in walk.wanted]
        outputs: Any = Walked.apply(self.prepare(x), walk)
        features: Features = {}
        for name, y in zip(names, outputs, strict=True):
            features[name] = self.by_image(y, x.shape[0])
        return features

    def by_autograd(self, x: Tensor, wanted: Iterable[str]) -> Features:
        """`forward` by autograd, layer by layer: for autocast, which chooses the precision of each, and to check against."""
        left = set(wanted)
        self.check(left)
        features: Features = {}
        shortcut = None  # the input of the residual block
        y = self.prepare(x)
        for name, layer in self.layers.items():
            before, y = y, layer(y)
            if layer.opens:
                shortcut = before
            if layer.adds and shortcut is not None:
                y = y + shortcut
            if name in left:
                left.remove(name)
                features[name] = self.by_image(y, x.shape[0])
            if not left:
                break
        return features

    def prepare(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) in [-1, 1] as normalised RGB, (N, 3, H, W), in the precision of the weights."""
        weight = next(self.parameters())
        x = torch.addcmul(self.shift, as_rgb(x.float()), self.scale)
        return x.to(weight.dtype, memory_format=torch.channels_last)

    def by_image(self, y: Tensor, count: int) -> Tensor:
        """A layer's features (count, C, H, W) of `count` images, from the chain's output there."""
        return y

    def walk(self, wanted: Iterable[str]) -> Walk:
        """A pass that keeps little, from the output of `prepare`, and its backward pass; the caller applies `by_image`."""
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
        """(stride, radius) of the receptive field of the deepest of the layers: its pixels are `stride` apart in the image, and
        each depends on pixels at most `radius` from its own position."""
        left, stride, radius = set(wanted), 1, 0
        for name, layer in self.layers.items():
            radius += stride * int(layer.radius)  # pyright: ignore[reportArgumentType]
            stride *= int(layer.stride)  # pyright: ignore[reportArgumentType]
            left.discard(name)
            if not left:
                break
        return stride, radius + stride

    def up_to(self, layer: str, wanted: Iterable[str]) -> list[str]:
        """The layers `wanted` up to `layer`, and `layer` itself, in the network's order."""
        names = list(self.layers)
        return [name for name in names[: names.index(layer) + 1] if name in {*wanted, layer}]

    def cut(self, wanted: Iterable[str]) -> FeatureNetwork:
        """Drops the layers that none of `wanted` needs. Returns itself."""
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
    three, red is the mean of the channels 0, 3, 6 ..., green that of 1, 4 ..., blue that of 2, 5 ... Every channel counts."""
    channels = x.shape[1]
    if channels == 3:
        return x
    if channels == 1:
        return x.expand(-1, 3, -1, -1)
    if channels == 2:
        return x[:, [0, 1, 1]]
    return torch.stack([x[:, colour::3].mean(1) for colour in range(3)], 1)


class ChannelByChannel(FeatureNetwork):
    """A network for grey images that is applied to each channel; the features of all channels are concatenated."""

    def prepare(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 1, *x.shape[2:]).to(next(self.parameters()).dtype)

    def by_image(self, y: Tensor, count: int) -> Tensor:
        return y.reshape(count, -1, *y.shape[2:])
