"""MobileNetV2 (Sandler 2018, arXiv:1801.04381): whole, for the distances of sets of images, and as a chain of frozen layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.features.catalog import IMAGENET, MOBILENET
from ganvas.networks.features.chain import Layer, folded, inverted_residual
from ganvas.networks.features.weights import State, find_weights, has_weights


class MobileNetV2(nn.Module):
    """MobileNetV2, width 1 (Sandler 2018, arXiv:1801.04381, table 2), with parameters named as in torchvision.

    Input (N, 3, H, W) as `prepare` gives it; `features` are 1280 channels averaged over the image, after ReLU6.
    """

    # Table 2: expansion t, channels c, repeats n, stride s of the first.
    blocks = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_normed(3, 32, kernel=3, stride=2)]
        channels = 32
        for expansion, outputs, repeats, stride in self.blocks:
            for index in range(repeats):
                layers.append(_InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        layers.append(_normed(channels, 1280, kernel=1))
        # `features` is a method here, so torchvision's name for these layers is put into the keys by `_our_keys`.
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def features(self, x: Tensor) -> Tensor:
        """(N, 1280)"""
        return self.layers(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """ImageNet logits (N, 1000)."""
        return self.classifier(self.features(x))

    @staticmethod
    def prepare(x: Tensor, size: int) -> Tensor:
        """Images (N, 3, H, W) in [0, 1], RGB, as the network expects them: resized to size x size (bilinear with antialiasing,
        unless they are of that size), then normalised by ImageNet's mean and standard deviation."""
        if x.shape[2:] != (size, size):
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
        mean, deviation = x.new_tensor(IMAGENET).view(2, 3, 1, 1)
        return (x - mean) / deviation


def _normed(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class _InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow without an activation; added to its input where the shapes agree (fig.
    4)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(_normed(inputs, hidden, kernel=1))
        layers.append(_normed(hidden, hidden, kernel=3, stride=stride, groups=hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        if self.added:
            return x + self.conv(x)
        return self.conv(x)


def mobilenet_v2(path: Path | str | None = None, *, download: bool = True) -> MobileNetV2:
    """MobileNetV2 with torchvision's ImageNet weights, in evaluation mode and without gradients.

    `path` names the weights file; without it `find_mobilenet_weights` looks for one. GanvasError where there is none.
    """
    with torch.random.fork_rng(devices=[]):
        network = MobileNetV2()
    state = torch.load(find_mobilenet_weights(path, download=download), weights_only=True, map_location="cpu")
    network.load_state_dict(_our_keys(state))
    return network.eval().requires_grad_(False)


def _our_keys(state: State) -> State:
    """torchvision's features.{i} is layers.{i} here."""
    return {key.replace("features.", "layers.", 1): value for key, value in state.items()}


def has_mobilenet_weights() -> bool:
    """Whether MobileNetV2's weights lie on this machine."""
    return has_weights(MOBILENET)


def find_mobilenet_weights(path: Path | str | None = None, *, download: bool = True) -> Path:
    """The weights file of MobileNetV2 (see ganvas.networks.features.weights for where it is looked for), its SHA-256 checked.

    GanvasError where `path` is not that file, or where nothing is found: it names all the choices.
    """
    return find_weights(MOBILENET, path, download=download)


def chain(state: State | None) -> Iterator[tuple[str, nn.Module]]:
    """The layers by name, without the last convolution and the classifier."""
    network = MobileNetV2()
    if state is not None:
        network.load_state_dict(_our_keys(state))
    stem, *blocks = list(network.layers)[:-1]
    yield "stem", Layer(folded(*_pair(stem)), "relu6")
    for number, block in enumerate(blocks, 1):
        *inner, project, norm = block.conv  # pyright: ignore
        parts = []
        if len(inner) == 2:
            parts.append(("expand", *_pair(inner[0])))
        parts += [("depthwise", *_pair(inner[-1])), ("block", project, norm)]
        yield from inverted_residual(number, parts, bool(block.added))  # pyright: ignore[reportArgumentType]


def _pair(normed: Any) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv, norm = list(normed)[:2]
    return conv, norm
