"""How well a method restores held-out images that were degraded on purpose, beside what they are without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganvas.abilities import Restores, restore_images
from ganvas.data.feed import examples_of
from ganvas.data.media import to_uint8
from ganvas.figure import Figure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.held_out import held_out_images
from ganvas.metrics.restoration import (
    BEST_PSNR,
    WINDOW,
    distance_extractor,
    mobilenet_distance,
    psnr_rgb,
    psnr_y,
    ssim_rgb,
    ssim_y,
)
from ganvas.networks.features.extractor import FeatureExtractor
from ganvas.networks.features.mobilenet import has_mobilenet_weights

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_RESTORED = 500
RESTORED_PER_BLOCK = 16  # images; each such block has random numbers of its own
WITHOUT = {"resolution": "bicubic", "noise": "as it came", "holes": "filled smoothly"}  # the start, in words
RESTORED_MEANINGS = {
    "PSNR": "how near restored images are, in dB",
    "SSIM": "structural similarity of restored images, 1 where they are equal",
    "PD": "distance of restored images by what MobileNetV2 sees in them",
}


@torch.no_grad()
def measure_restoration(
    method: Restores, data: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Figure]:
    """Means over held-out images, spread evenly over the test split.

    `input` is the same figure of what there is without the method: enlarged by bicubic, as it came, its hole filled smoothly.

    PSNR[Y], PSNR[RGB], SSIM[Y], SSIM[RGB]
                    see ganvas.metrics.restoration; PSNR and SSIM of images that are not RGB. Where holes are filled, PSNR is of
                    the pixels in the hole alone. The first is the primary figure.
    PD[mobilenet_v2]
                    of RGB or grey, where the weights are on this machine; only for a method whose images shall look right rather
                    than be near (Restoration.invents). There it is the primary figure.

    Equal seeds degrade equally. DataError where `data` have no test split.
    """
    held_out, chosen = held_out_images(data, MAX_RESTORED, "degrade and restore")
    about = method.restoration()
    by_features = about.invents and data.spec.channels in (1, 3) and has_mobilenet_weights()
    extractor = distance_extractor() if by_features else None

    # Of each image by name: what the restored one scores, and what the method was given.
    restored: list[dict[str, float]] = []
    inputs: list[dict[str, float]] = []
    for start, output, whole, hole in _restored(method, held_out, chosen, seed):
        restored.append(_scores(output, whole, hole, extractor))
        inputs.append(_scores(start, whole, hole, extractor))
        if progress:
            progress("restoration", len(restored), len(chosen))

    figures: dict[str, Figure] = {}
    for name in restored[0]:
        kind = name.split("[")[0]
        value, value_of_input = _mean(restored, name), _mean(inputs, name)
        meaning = RESTORED_MEANINGS[kind]
        if kind == "PSNR" and about.degradation == "holes":
            meaning += ", in the hole alone"
        figures[name] = Figure(
            value=value,
            better="lower" if kind == "PD" else "higher",
            n=len(chosen),
            input=value_of_input,
            input_is=WITHOUT[about.degradation],
            unit="dB" if kind == "PSNR" else "",
            split=held_out.split,
            help=f"{meaning}; {WITHOUT[about.degradation]}: {value_of_input:.4g}",
            primary=not figures,
        )
    return figures


def _mean(rows: list[dict[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _restored(
    method: Restores, held_out: Dataset, chosen: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Image by image, uint8 (H, W, C): without the method, restored, whole; and the hole, (H, W) bool."""
    device = method.device
    for first in range(0, len(chosen), RESTORED_PER_BLOCK):
        batch = examples_of(held_out, chosen[first : first + RESTORED_PER_BLOCK], seed=seed + first)
        degraded = method.degrade(batch)  # on the CPU: the same degradation on every device
        mask, holes = None, [None] * len(batch)
        if degraded.mask is not None:
            mask, holes = degraded.mask.to(device), list(degraded.mask[:, 0].numpy() > 0)
        output = restore_images(method, degraded.image.to(device), mask, torch.Generator().manual_seed(seed))
        yield from zip(to_uint8(degraded.start), to_uint8(output), to_uint8(degraded.whole), holes, strict=True)


def _scores(
    restored: np.ndarray, whole: np.ndarray, hole: np.ndarray | None, extractor: FeatureExtractor | None
) -> dict[str, float]:
    """Of one image uint8 (H, W, C), the primary measure first."""
    scores: dict[str, float] = {}
    if extractor is not None:
        scores["PD[mobilenet_v2]"] = mobilenet_distance(restored, whole, extractor)
    measures = {"": (psnr_rgb, ssim_rgb)}
    if restored.shape[2] == 3:
        measures = {"[Y]": (psnr_y, ssim_y), "[RGB]": (psnr_rgb, ssim_rgb)}

    # PSNR of the pixels in the hole alone, where there is one; it may be empty.
    a, b = restored, whole
    if hole is not None:
        a, b = restored[hole][None], whole[hole][None]
    for channels, (psnr, _) in measures.items():
        scores["PSNR" + channels] = min(BEST_PSNR, psnr(a, b)) if a.size else BEST_PSNR

    for channels, (_, ssim) in measures.items():
        if min(restored.shape[:2]) >= WINDOW:
            scores["SSIM" + channels] = ssim(restored, whole)
    return scores
