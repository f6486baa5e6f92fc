"""The digit network, which comes with the package (tools/train_digit_network.py made it).

`digits.json` beside it says from what, how well it reads, and its SHA-256.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from ganvas.networks.features.chain import Layer, folded
from ganvas.networks.features.weights import State, shipped

WEIGHTS_FOLDER = Path(__file__).parent
"""The folder of digits.safetensors and digits.json."""


class DigitNetwork(nn.Module):
    """Classifies digits (N, 1, 28, 28) in [-1, 1], white on black as in MNIST; 158,000 parameters.

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
        """Features (N, 64) of digits (N, 1, 28, 28)."""
        return self.embed(self.trunk(x))

    def logits(self, x: Tensor) -> Tensor:
        """(N, 10), before softmax, one for each of 0 to 9."""
        return self.read(self.features(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 64) and logits (N, 10) in one pass."""
        features = self.features(x)
        return features, self.read(features)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


@functools.cache
def digit_network() -> DigitNetwork:
    """The digit network of this package, in evaluation mode and without gradients. One instance: do not train
    it."""
    return shipped(WEIGHTS_FOLDER / "digits.safetensors", str(digit_network_card()["sha256"]), DigitNetwork)


@functools.cache
def digit_network_card() -> dict[str, str | int | float]:
    """What is known of the shipped digit network: sha256, seed, accuracy on the test split, the command that made
    it."""
    return json.loads((WEIGHTS_FOLDER / "digits.json").read_text())


def chain(state: State | None) -> Iterator[tuple[str, nn.Module]]:
    """The layers of the trunk by name."""
    network = DigitNetwork()
    if state is not None:
        network.load_state_dict(state)
    trunk = list(network.trunk)
    for number in range(4):
        conv, norm = trunk[3 * number : 3 * number + 2]
        yield f"conv{number + 1}", Layer(folded(conv, norm))  # pyright: ignore[reportArgumentType]
