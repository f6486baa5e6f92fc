"""Any discriminator applied to packs of images (Lin 2018, arXiv:1712.04086, sec. 2)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganvas.errors import UsageError

Shape = tuple[int, int, int]


def check_packs(batch_size: int, size: int) -> None:
    """UsageError where a batch is no multiple of a pack; for `build`, before anything is trained."""
    if batch_size % size:
        raise UsageError(f"batch_size {batch_size} makes no packs of {size}: choose a multiple of {size}")


def packs(images: Tensor, size: int, unit: str = "images") -> Tensor:
    """(N, C, ...) as (N / size, size * C, ...): `size` neighbours joined along the channels, in their order."""
    count, channels, *sides = images.shape
    if count % size:
        raise UsageError(
            f"{count} {unit} make no packs of {size}: choose a batch_size that is a multiple of {size} on each process"
        )
    joined = images.reshape(count // size, size * channels, *sides)
    return joined.contiguous(memory_format=torch.channels_last) if joined.ndim == 4 else joined


class PackedDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs): each image gets the logits of its pack. `make(shape)` is the network."""

    def __init__(self, make: Callable[[Shape], nn.Module], shape: Shape, size: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.size = size
        self.network = make((size * channels, height, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(packs(x, self.size)).repeat_interleave(self.size, 0)
