"""Training a small classifier on labelled images: what asks whether generated images show their class, and whether they help."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW

from ganvas.data import Dataset
from ganvas.data.augment import small_changes
from ganvas.data.batch import as_image_tensor
from ganvas.networks.classifier import Classifier

BATCH = 32
LEAST_STEPS, MOST_STEPS = 300, 1500
PASSES = 5  # over the real images, where that lies between these two
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
CLASSIFIER_BATCH = 1000  # images per call of the network


@dataclass(frozen=True)
class Labelled:
    """Images (n, C, H, W) in [-1, 1] and their classes (n,) int64, on the CPU."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: Labelled) -> Labelled:
        return Labelled(torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]))

    def rows(self, rows: np.ndarray | Tensor) -> Labelled:
        """Some of them, in that order."""
        chosen = torch.as_tensor(rows)
        return Labelled(self.images[chosen], self.labels[chosen])

    def counts(self, classes: int) -> Tensor:
        """Images of each class, (classes,) int64."""
        return torch.bincount(self.labels, minlength=classes)


def labelled(images: np.ndarray, labels: np.ndarray) -> Labelled:
    """Of images uint8 (n, H, W, C)."""
    return Labelled(as_image_tensor(images), torch.as_tensor(np.asarray(labels), dtype=torch.int64))


def labelled_part(part: Dataset, most: int | None = None) -> Labelled:
    """Of a split with labels; the first `most` of it, which are a fair sample."""
    assert part.labels is not None
    return labelled(np.array(part.images[:most]), part.labels[:most])


def classifier_steps(images: int) -> int:
    """Steps that a classifier of so many real images is trained for, whatever else it sees."""
    return min(MOST_STEPS, max(LEAST_STEPS, math.ceil(PASSES * images / BATCH)))


def train_classifier(
    real: Labelled, classes: int, *, seed: int, steps: int | None = None, changes: bool = False, mirror: bool = False,
    generated: Labelled | None = None, oversample: bool = False, reweight: bool = False,
) -> Classifier:  # fmt: skip
    """A classifier in eval mode, on the CPU, trained with AdamW and a learning rate that falls to zero.

    Equal seeds give equal first weights, and the batches of real images follow from seed and arguments alone. `changes`: each
    image is shifted, rotated and scaled at random (`small_changes`, with `mirror`). `generated` images fill half of each batch.
    `oversample`: every class is drawn equally often; `reweight`: the loss of an image is divided by how frequent its class is.
    """
    steps = classifier_steps(len(real)) if steps is None else steps
    random = torch.Generator().manual_seed(seed)
    frequency = real.counts(classes).double() / len(real)
    chances = (1 / frequency[real.labels]) if oversample else torch.ones(len(real), dtype=torch.float64)
    weights = None
    if reweight:
        inverse = torch.where(frequency > 0, 1 / frequency.clamp_min(1e-12), 0)
        weights = (inverse / inverse[frequency > 0].mean()).float()

    def draw(*shape: int) -> Tensor:
        return torch.rand(BATCH, *shape, generator=random)

    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)  # first weights, and what dropout omits
        network = Classifier(_shape(real), classes)
        optimizer = AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - step / steps)
            batch = real.rows(torch.multinomial(chances, BATCH, replacement=True, generator=random))
            if generated is not None:
                rows = torch.randint(len(generated), (BATCH // 2,), generator=random)
                batch = batch.rows(torch.arange(BATCH - BATCH // 2)) + generated.rows(rows)
            images = small_changes(batch.images, draw, mirror=mirror) if changes else batch.images
            loss = F.cross_entropy(network(images), batch.labels, weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def predictions(network: Classifier, images: Tensor) -> Tensor:
    """The most probable class (n,) of images (n, C, H, W) in [-1, 1]."""
    return torch.cat([network(block).argmax(1) for block in images.split(CLASSIFIER_BATCH)])


def _shape(real: Labelled) -> tuple[int, int, int]:
    channels, height, width = real.images.shape[1:]
    return channels, height, width
