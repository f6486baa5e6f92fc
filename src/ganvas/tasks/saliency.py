"""What a discriminator looks at: the gradient of its logit (SmoothGrad, Smilkov 2017, arXiv:1706.03825), and how the logit falls
where a part of the image is blurred (occlusion, Zeiler 2014, arXiv:1311.2901)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import HasDiscriminator, Samples
from ganvas.data import Dataset
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.files import JsonObject
from ganvas.sampling import to_uint8

SMOOTHGRAD_DRAWS = 16  # gradients that SmoothGrad averages
SMOOTHGRAD_NOISE = 0.2  # their noise's standard deviation, of images in [-1, 1]: a tenth of the range
OCCLUSION_SQUARES = 8  # occluded squares along the longer side


@dataclass(frozen=True)
class Saliency:
    """What a discriminator sees in one image."""

    kind: str
    """"training", "held-out" or "generated"."""
    number: int
    """Of the image in its split, or its seed."""
    logit: float
    """Large means real. Losses differ in what they compare it with; so only differences say something."""
    image: np.ndarray = field(repr=False)
    """uint8 (H, W, C)."""
    gradient: np.ndarray = field(repr=False)
    """(H, W) >= 0: how much the logit changes with each pixel, per unit of images in [-1, 1]."""
    occlusion: np.ndarray = field(repr=False)
    """(H, W): by how much the logit is higher than when the square around the pixel is blurred. Above 0 the square speaks for
    "real"."""

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the images."""
        return {
            "kind": self.kind, "number": self.number, "logit": self.logit, "largest_gradient": float(self.gradient.max()),
            "occlusion": [float(self.occlusion.min()), float(self.occlusion.max())],
        }  # fmt: skip


def real_saliency(method: HasDiscriminator, data: Dataset, kind: str, shown: int) -> list[Saliency]:
    """Of the first `shown` images of a split."""
    batch_size = max(shown, method.batch_size)  # pyright: ignore[reportArgumentType]
    rows = np.arange(batch_size) % len(data.images)
    batch = examples_of(data, rows, device=method.device)
    return saliency(method, batch, kind, range(shown))


def generated_saliency(method: HasDiscriminator, seeds: Sequence[int]) -> list[Saliency]:
    """Of the images of seeds; [] where the method does not generate from noise."""
    if not isinstance(method, Samples):
        return []
    size = max(len(seeds), method.batch_size)  # pyright: ignore[reportArgumentType]
    all_seeds = [*seeds, *range(seeds[-1] + 1, seeds[-1] + 1 + size - len(seeds))]
    device = method.device
    latents, labels = method.latents(all_seeds).to(device), method.labels(all_seeds)
    if labels is not None:
        labels = labels.to(device)
    with torch.no_grad():
        images = method.generate(latents) if labels is None else method.generate(latents, labels)
    return saliency(method, Batch(images, labels), "generated", seeds)


def saliency(method: HasDiscriminator, batch: Batch, kind: str, numbers: Sequence[int]) -> list[Saliency]:
    """Of the first images of a batch, whose others stay beside them: a discriminator may look at several images at once."""
    count = len(numbers)
    logits = _logits(method, batch, batch.real)
    gradients = _smooth_gradients(method, batch)[:count]
    occlusion = _occlusion(method, batch, logits, count)
    found: list[Saliency] = []
    for row, number in enumerate(numbers):
        image = to_uint8(batch.real[row : row + 1].cpu())[0]
        found.append(Saliency(kind, number, float(logits[row]), image, gradients[row].numpy(), occlusion[row].numpy()))
    return found


def _logits(method: HasDiscriminator, batch: Batch, images: Tensor) -> Tensor:
    """(n,) on the CPU; the same random numbers at each call, where the discriminator augments."""
    with torch.no_grad():
        return _seen(method, batch, 0)(images).flatten().float().cpu()


def _seen(method: HasDiscriminator, batch: Batch, seed: int) -> Callable[[Tensor], Tensor]:
    generator = torch.Generator(device=batch.real.device).manual_seed(seed)
    again = Batch(batch.real, batch.label, batch.partner, generator)
    return lambda images: method.discriminate(again, images)


def _smooth_gradients(method: HasDiscriminator, batch: Batch) -> Tensor:
    """(n, H, W): the norm over channels of the mean gradient of the logit at noisy copies of each image."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(batch.real)
    for draw in range(SMOOTHGRAD_DRAWS):
        noise = torch.randn(batch.real.shape, generator=generator).to(batch.real.device)
        x = (batch.real + SMOOTHGRAD_NOISE * noise).requires_grad_()
        with torch.enable_grad():
            logits = _seen(method, batch, draw)(x)
        total += torch.autograd.grad(logits.sum(), x)[0]
    return (total / SMOOTHGRAD_DRAWS).norm(dim=1).float().cpu()


def _occlusion(method: HasDiscriminator, batch: Batch, logits: Tensor, count: int) -> Tensor:
    """(count, H, W): the logits of the images less those with a square blurred, at the square's pixels."""
    height, width = batch.real.shape[2:]
    side = max(1, round(max(height, width) / OCCLUSION_SQUARES))
    kernel = 2 * side + 1
    padded = F.pad(batch.real, (side,) * 4, mode="replicate")
    blurred = F.avg_pool2d(padded, kernel, stride=1)
    found = torch.zeros(count, height, width)
    for top in range(0, height, side):
        for left in range(0, width, side):
            here = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
            images = batch.real.clone()
            images[:count][here] = blurred[:count][here]
            fallen = logits[:count] - _logits(method, batch, images)[:count]
            found[:, top : top + side, left : left + side] = fallen.view(-1, 1, 1)
    return found
