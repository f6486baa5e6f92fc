"""Images: (C, H, W) in [-1, 1] in a batch, uint8 (H, W, C) in a data set, PNG on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data.image import viewable, write_png
from ganvas.data.image_grid import bounded_grid
from ganvas.data.kinds.base import Kind, Split
from ganvas.data.kinds.common import common_rows, counts_in_words, duplicates, labels_of
from ganvas.data.odd_images import neighbour_correlation
from ganvas.data.spec import Card, DataSpec, Window
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

IMAGES_PER_COUNT = 256  # images that are counted at once
IMAGES_CORRELATED = 256  # the first ones, in which neighbouring values are compared


class Images(Kind[np.ndarray, np.ndarray]):
    name = "images"
    samples = "images"
    hub_task = "unconditional-image-generation"
    suffix = ".png"
    settings = ("size", "max_size", "fit", "channels", "alpha", "mirror", "partner", "pairs", "unpaired", "every")
    is_image = True

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        like = {**settings, "size": f"{spec.height}x{spec.width}", "partner": None, "pairs": "auto", "unpaired": False}
        if spec.channels in (1, 3, 4):
            like["channels"] = spec.channels
        return like

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import Feed

        return Feed(
            data.examples, data.labels, data.partners, batch_size=batch_size, mirror=data.settings.mirror,
            apart=data.spec.unpaired, **more,
        )  # fmt: skip

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        from ganvas.data.batch import Batch, as_image_tensor

        partner = None
        if data.partners is not None:
            partner = as_image_tensor(data.partners[rows % len(data.partners)], device)
        return Batch(as_image_tensor(data.examples[rows], device), labels_of(data, rows, device), partner)

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        return random.integers(0, 256, (spec.count, spec.height, spec.width, spec.channels)).astype(np.uint8)

    def card(self, splits: Mapping[str, Split], data: Split) -> Card:
        return {
            "channels": channel_facts(data.examples),
            "total_variance": data.spec.total_variance,
            "neighbour_correlation": neighbour_correlation(np.asarray(data.examples[:IMAGES_CORRELATED])),
            "duplicates": duplicates(splits),
        }

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        pairs = "no"
        if spec.paired:
            pairs = "yes"
        elif spec.unpaired:
            pairs = "no, partners are drawn apart"
        return {
            self.unit: counts_in_words(card["counts"]),
            "shape": f"{spec.channels} channel{'s' * (spec.channels > 1)}, {spec.height} high, {spec.width} wide",
            "pairs": pairs,
            "total variance": number(card["total_variance"]),
            **common_rows(spec, card),
        }

    def size(self, spec: DataSpec) -> str:
        return f"{spec.channels}x{spec.height}x{spec.width} (CxHxW)"

    def tile(self, data: Split, index: int, gap: int) -> np.ndarray:
        image = viewable(np.asarray(data.examples[index % len(data.examples)]))
        if data.partners is None:
            return image
        partner = viewable(np.asarray(data.partners[index % len(data.partners)]))
        between = np.full((image.shape[0], gap, image.shape[-1]), 255, dtype=np.uint8)
        return np.concatenate([image, between, partner], axis=1)

    def finished(self, samples: Tensor, spec: DataSpec) -> np.ndarray:
        return to_uint8(samples)

    def shown(self, samples: np.ndarray) -> np.ndarray:
        return samples

    def image_grid(self, samples: np.ndarray, spec: DataSpec) -> np.ndarray:
        return bounded_grid(samples)

    is_compared = True

    def as_images(self, values: Tensor) -> Tensor:
        return values

    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        return spec.height, spec.width

    def write(self, path: Path, sample: np.ndarray, spec: DataSpec, provenance: Provenance | None = None) -> None:
        write_png(path, viewable(sample), provenance)

    def arrays(self, samples: np.ndarray, spec: DataSpec) -> dict[str, np.ndarray]:
        return {"images": samples}


def to_uint8(images: Tensor) -> np.ndarray:
    """(n, C, H, W) in [-1, 1] as (n, H, W, C) uint8, rounded."""
    import torch

    bytes_ = images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return bytes_.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def channel_facts(images: np.ndarray) -> list[dict[str, float]]:
    """Least, greatest, mean and standard deviation of the bytes of each channel of images (N, H, W, C).

    From the histogram of each channel: exact, and one pass over the bytes.
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(images), IMAGES_PER_COUNT):
        block = np.asarray(images[start : start + IMAGES_PER_COUNT])
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    values = np.arange(256)
    facts = []
    for row in counts:
        total, present = int(row.sum()), np.flatnonzero(row)
        mean = float(row @ values) / total
        deviation = float(np.sqrt(row @ (values - mean) ** 2 / total))
        facts.append(
            {"min": int(present[0]), "max": int(present[-1]), "mean": round(mean, 4), "std": round(deviation, 4)}
        )
    return facts
