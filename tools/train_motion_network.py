"""Makes src/ganvas/networks/features/motion.safetensors: the network that measures of videos are taken on.

    python tools/train_motion_network.py [--seed 0] [--epochs 12] [--out FOLDER]

Trained on moving digits of the train split only, new clips in each epoch; the test clips are read once, at the end. The 64
features must tell speed, direction and digit, and where the digit is in each frame: a network that only classifies the motion
would not see one that jumps in between.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data import open_data
from ganvas.data.batch import as_video
from ganvas.data.moving_digits import CLIP_SIDE, COUNTS, DIGIT, SPEEDS, Motion, moving_clips
from ganvas.files import sha256, write_bytes, write_text
from ganvas.networks.features.digits import WEIGHTS_FOLDER
from ganvas.networks.features.motion import FRAMES, MotionNetwork

BATCH = 50
CLIPS = 4000  # in an epoch
OFFSET = 1_000_000  # numbers of the clips: others than those of the built-in set


class Clips:
    """`x` uint8 (N, T, H, W, 1), and what is to be told: `speed`, `direction`, `digit` (N,) and `places` (N, 2 T) in [-1, 1]."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, count: int, offset: int) -> None:
        motion = Motion(count, len(images), offset)
        self.x = torch.from_numpy(moving_clips(images, motion, FRAMES))
        self.speed = torch.from_numpy(np.searchsorted(SPEEDS, motion.speed))
        self.direction = torch.from_numpy(motion.direction)
        self.digit = torch.from_numpy(labels[motion.digits])
        free = CLIP_SIDE - DIGIT
        self.places = torch.from_numpy(motion.places(FRAMES) / free * 2 - 1).float().flatten(1)


def train(images: np.ndarray, labels: np.ndarray, seed: int, epochs: int) -> MotionNetwork:
    """Adam with a learning rate that rises and falls to nothing."""
    torch.manual_seed(seed)
    network = MotionNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    steps = CLIPS // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps * epochs)
    for epoch in range(epochs):
        clips = Clips(images, labels, CLIPS, OFFSET + epoch * CLIPS)
        total = 0.0
        for rows in torch.arange(CLIPS).view(steps, BATCH):
            features = network.features(as_video(clips.x[rows]))
            loss = loss_of(network, features, clips, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1} loss {total / steps:.4f}", flush=True)
    return network.eval()


def loss_of(network: MotionNetwork, features: Tensor, clips: Clips, rows: Tensor) -> Tensor:
    speed, direction, digit = network.logits(features)
    told = F.cross_entropy(speed, clips.speed[rows]) + F.cross_entropy(direction, clips.direction[rows])
    return (
        told + F.cross_entropy(digit, clips.digit[rows]) + 4 * F.mse_loss(network.place(features), clips.places[rows])
    )


@torch.no_grad()
def all_features(network: MotionNetwork, clips: Clips) -> Tensor:
    return torch.cat([network.features(as_video(part)) for part in clips.x.split(250)])


@torch.no_grad()
def standardise(network: MotionNetwork, features: Tensor) -> None:
    """Features to mean 0 and a total variance of 64 over clips whose features were these; what is read stays what it was."""
    mean, scale = features.mean(0), (64 / features.var(0).sum()).sqrt()
    for head in (network.read, network.place):
        head.bias.add_(head.weight @ mean)
        head.weight.div_(scale)
    network.embed.bias.copy_((network.embed.bias - mean) * scale)
    network.embed.weight.mul_(scale)


@torch.no_grad()
def accuracies(network: MotionNetwork, clips: Clips) -> dict[str, float]:
    """Shares of clips whose speed, direction and digit are told, and the mean error of a place in pixels."""
    features = all_features(network, clips)
    found: dict[str, float] = {}
    for name, logits in zip(("speed", "direction", "digit"), network.logits(features), strict=True):
        found[name] = round(float((logits.argmax(1) == getattr(clips, name)).float().mean()), 4)
    errors = (network.place(features) - clips.places).abs().mean()
    found["place_error_pixels"] = round(float(errors) * (CLIP_SIDE - DIGIT) / 2, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FOLDER)
    options = parser.parse_args()
    start = time.process_time()
    images, labels = digits("train")
    network = train(images, labels, options.seed, options.epochs)
    standardise(network, all_features(network, Clips(images, labels, CLIPS, OFFSET)))
    found = accuracies(network, Clips(*digits("test"), COUNTS["test"], COUNTS["train"]))
    path = options.out / "motion.safetensors"
    write_bytes(path, safetensors.torch.save(network.state_dict()))
    card = {
        "sha256": sha256(path),
        "accuracies": found,
        "test_clips": COUNTS["test"],
        "train_clips": CLIPS * options.epochs,
        "seed": options.seed,
        "epochs": options.epochs,
        "made_by": f"python tools/train_motion_network.py --seed {options.seed} --epochs {options.epochs}",
    }
    write_text(options.out / "motion.json", json.dumps(card, indent=2) + "\n")
    seconds = time.process_time() - start
    print(f"seed {options.seed}: {found} on {COUNTS['test']} clips, {path.stat().st_size} bytes, {seconds:.0f} s")


def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 28, 28) and labels (N,) of a split of the built-in digits."""
    data = open_data("digits", split=split)
    assert data.labels is not None
    return np.array(data.images)[..., 0], np.array(data.labels)


if __name__ == "__main__":
    main()
