"""Makes src/ganvas/networks/features/digits.safetensors: the digit network that measures are taken on.

    python tools/train_digit_network.py [--seed 0] [--epochs 60] [--out FOLDER]

Trained on the train split of the built-in digits only, each epoch turned, sheared, scaled and moved a little; the
test split is read once, at the end. Beside reading the digit, the 64 features must let a small decoder (thrown
away afterwards) draw the image again: a network that only reads forgets how a digit is written, and would not
see a generator that writes it one way.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ganvas.data
from ganvas.files import sha256, write_bytes, write_text
from ganvas.networks.features.digits import WEIGHTS_FOLDER, DigitNetwork

BATCH = 64


def digits(split: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) in [-1, 1] and labels (N,) of a split of the built-in digits."""
    data = ganvas.data.open_data("digits", split=split)
    pixels = torch.from_numpy(np.array(data.images)).permute(0, 3, 1, 2)
    return pixels.float() / 127.5 - 1, torch.from_numpy(np.array(data.labels))


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 12 degrees, sheared by 0.15, scaled by 12 % and moved by 2 pixels, black around
    it."""

    def uniform(reach: float) -> Tensor:
        return (torch.rand(len(x), generator=generator) * 2 - 1) * reach

    angle, shear, grow_x, grow_y = (
        uniform(math.radians(12)),
        uniform(0.15),
        1 + uniform(0.12),
        1 + uniform(0.12),
    )
    shift_x, shift_y = uniform(2 / 14), uniform(2 / 14)
    matrix = torch.stack(
        [
            torch.stack([angle.cos() * grow_x, (shear - angle.sin()) * grow_y, shift_x], 1),
            torch.stack([angle.sin() * grow_x, angle.cos() * grow_y, shift_y], 1),
        ],
        1,
    )
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, grid, align_corners=False) - 1


def train(x: Tensor, label: Tensor, seed: int, epochs: int) -> DigitNetwork:
    """Adam with a learning rate that rises and falls to nothing."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = DigitNetwork().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    decoder = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 28 * 28), nn.Tanh())
    optimizer = torch.optim.AdamW([*network.parameters(), *decoder.parameters()], lr=1e-3, weight_decay=1e-2)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps * epochs)
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        total, loss = 0.0, torch.zeros(())
        for rows in order[: steps * BATCH].view(steps, BATCH):
            seen = moved(x[rows], generator)
            features, logits = network(seen)
            drawn = F.mse_loss(decoder(features), seen.flatten(1))
            loss = F.cross_entropy(logits, label[rows]) + drawn
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(drawn.detach())
        print(
            f"epoch {epoch + 1} loss {float(loss.detach()):.4f} drawing {total / steps:.4f}",
            flush=True,
        )
    return network.eval()


@torch.no_grad()
def standardise(network: DigitNetwork, x: Tensor) -> None:
    """Features to mean 0 and a total variance of 64 over `x`; the logits stay what they were."""
    features = torch.cat([network.features(part) for part in x.split(500)])
    mean, scale = features.mean(0), (64 / features.var(0).sum()).sqrt()
    network.read.bias.add_(network.read.weight @ mean)
    network.read.weight.div_(scale)
    network.embed.bias.copy_((network.embed.bias - mean) * scale)
    network.embed.weight.mul_(scale)


@torch.no_grad()
def accuracy(network: DigitNetwork, x: Tensor, label: Tensor) -> float:
    """Share of `x` that is read as `label`."""
    return float(torch.cat([network.logits(part).argmax(1) for part in x.split(500)]).eq(label).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FOLDER)
    options = parser.parse_args()
    start = time.perf_counter()
    x, label = digits("train")
    network = train(x, label, options.seed, options.epochs)
    standardise(network, x)
    test_x, test_label = digits("test")
    read = accuracy(network, test_x, test_label)
    # safetensors stores plain layouts only, so channels_last ends here.
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    path = options.out / "digits.safetensors"
    write_bytes(path, safetensors.torch.save(state))
    card = {
        "sha256": sha256(path),
        "accuracy": round(read, 5),
        "test_digits": len(test_x),
        "train_digits": len(x),
        "seed": options.seed,
        "epochs": options.epochs,
        "made_by": f"python tools/train_digit_network.py --seed {options.seed} --epochs {options.epochs}",
    }
    write_text(options.out / "digits.json", json.dumps(card, indent=2) + "\n")
    seconds = time.perf_counter() - start
    size = path.stat().st_size
    print(f"seed {options.seed}: test accuracy {read:.4f} of {len(test_x)}, {size} bytes, {seconds:.0f} s")


if __name__ == "__main__":
    main()
