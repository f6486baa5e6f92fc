"""Content loss and style loss of stylised held-out photos, beside those of the photos themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Stylises
from ganvas.data.feed import examples_of
from ganvas.figure import Figure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.held_out import held_out_images

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_PHOTOS = 200
PHOTOS_PER_BLOCK = 4  # photos
STYLISING_MEANINGS = {
    "loss": "content and style loss, weighed as in training",
    "style": "distance from the style's statistics: 0 where they are equal, about 1 without any of the style",
    "content": "distance from the photo's features: 0 where they are equal, about 1 without any of the content",
}


@torch.no_grad()
def measure_stylising(
    method: Stylises, data: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Figure]:
    """Means over held-out photos, spread evenly over the test split.

    stylised loss, stylised style, stylised content
        see Stylises.style_losses; the first is primary. `input` is the same of the photos themselves, whose content loss is 0.
        Styles are drawn as in training.

    Reads what training read: the style image, the feature network. GanvasError where one is missing, DataError where `data` have
    no test split.
    """
    held_out, chosen = held_out_images(data, MAX_PHOTOS, "stylise")
    device = method.device
    method.load_frozen(device)
    # No block of one photo: photos may be each other's styles.
    blocks = np.array_split(chosen, -(-len(chosen) // PHOTOS_PER_BLOCK))
    stylised: list[dict[str, Tensor]] = []
    photos: list[dict[str, Tensor]] = []
    for rows in blocks:
        batch = examples_of(held_out, rows, seed=seed + len(stylised))
        style = method.styles_of(batch)
        content, style = batch.real.to(device), None if style is None else style.to(device)
        stylised.append(method.style_losses(method.stylise(content, style), content, style))
        photos.append(method.style_losses(content, content, style))
        if progress:
            progress("stylising", len(stylised), len(blocks))
    figures: dict[str, Figure] = {}
    for name, meaning in STYLISING_MEANINGS.items():
        figures[f"stylised {name}"] = Figure(
            value=_mean(stylised, name),
            better="lower",
            n=len(chosen),
            input=_mean(photos, name),
            input_is="the photo itself",
            split=held_out.split,
            help=meaning,
            primary=name == "loss",
        )
    return figures


def _mean(rows: list[dict[str, Tensor]], name: str) -> float:
    return float(torch.cat([row[name] for row in rows]).mean())
