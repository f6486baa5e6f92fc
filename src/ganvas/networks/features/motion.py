"""The motion network, which comes with the package (tools/train_motion_network.py made it): features of clips.

`motion.json` beside it says from what, how well it tells speed, direction and digit, and its SHA-256.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.features.digits import WEIGHTS_FOLDER
from ganvas.networks.features.weights import shipped

FRAMES, SIDE = 16, 32  # of the clips that it sees
SPEED_COUNT, DIRECTION_COUNT, DIGIT_COUNT = 3, 8, 10


class MotionNetwork(nn.Module):
    """Tells how a digit moves in clips (N, 1, FRAMES, SIDE, SIDE) in [-1, 1], and which one it is; 71,000 parameters.

    Its 64 features are linear in the last hidden layer (no ReLU after it, so that they are near to Gaussian), and scaled so that
    over clips of training digits they have mean 0 and a total variance of 64. `read` gives the logits of speed, direction and
    digit, and `place` row and column of the digit's corner in each frame, in [-1, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv3d(1, 16, (4, 5, 5), stride=2, padding=(1, 2, 2), bias=False),
            nn.BatchNorm3d(16),
            nn.ReLU(inplace=True),
            nn.Conv3d(16, 32, 3, stride=(1, 2, 2), padding=1, bias=False),
            nn.BatchNorm3d(32),
            nn.ReLU(inplace=True),
            nn.Conv3d(32, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm3d(32),
            nn.ReLU(inplace=True),
        )
        self.mix = nn.Conv3d(32, 6, 1)
        self.embed = nn.Linear(6 * 4 * 4 * 4, 64)
        self.read = nn.Linear(64, SPEED_COUNT + DIRECTION_COUNT + DIGIT_COUNT)
        self.place = nn.Linear(64, 2 * FRAMES)

    def features(self, x: Tensor) -> Tensor:
        """Features (N, 64) of clips."""
        return self.embed(self.mix(self.trunk(x)).flatten(1))

    def logits(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of speed (N, 3), direction (N, 8) and digit (N, 10), before softmax, of features."""
        speed, direction, digit = self.read(features).split((SPEED_COUNT, DIRECTION_COUNT, DIGIT_COUNT), 1)
        return speed, direction, digit


def prepared(clips: Tensor) -> Tensor:
    """Clips (N, C, T, H, W) in [-1, 1] as the network takes them: grey, resized, FRAMES frames evenly chosen."""
    x = clips.mean(1)
    chosen = torch.linspace(0, x.shape[1] - 1, FRAMES, device=x.device).round().long()
    x = x[:, chosen]
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return x[:, None]


@functools.cache
def motion_network() -> MotionNetwork:
    """The motion network of this package, in evaluation mode and without gradients. One instance: do not train it."""
    return shipped(WEIGHTS_FOLDER / "motion.safetensors", str(motion_network_card()["sha256"]), MotionNetwork)


@functools.cache
def motion_network_card() -> dict[str, Any]:
    """What is known of the shipped motion network: sha256, seed, accuracies on clips of test digits, the command that made it."""
    return json.loads((WEIGHTS_FOLDER / "motion.json").read_text())
