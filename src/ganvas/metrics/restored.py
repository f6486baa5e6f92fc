"""How well a method restores held-out images that were degraded on purpose, beside what they are without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganvas.abilities import Restores, restore_images
from ganvas.data.feed import examples_of
from ganvas.data.media import to_uint8
from ganvas.metrics.held import held_out
from ganvas.metrics.readers import Progress
from ganvas.metrics.restoration import BEST_PSNR, WINDOW, mobilenet_distance, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from ganvas.networks.features import MobileNetV2, has_mobilenet_weights, mobilenet_v2

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

HELD = 500  # images at most
AT_ONCE = 16  # images; each such block has random numbers of its own
WITHOUT = {"resolution": "bicubic", "noise": "as it came", "holes": "filled smoothly"}  # the start, in words

Entry = dict[str, Any]


@torch.no_grad()
def measure_restoration(
    method: Restores, data: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Entry]:
    """Means over held-out images, spread evenly over the test split: {"value", "input", "n", ...}.

    `input` is the same figure of what there is without the method: enlarged by bicubic, as it came, its hole filled smoothly.

    PSNR[Y], PSNR[RGB], SSIM[Y], SSIM[RGB]
                    see ganvas.metrics.restoration; PSNR and SSIM of images that are not RGB. Where holes are filled, PSNR is of
                    the pixels in the hole alone.
    PD[mobilenet_v2]
                    of RGB or grey, where the weights are on this machine. It comes first for a method that shall look right
                    rather than be near (Restoration.invents); others have none.

    Equal seeds degrade equally. DataError where `data` have no test split.
    """
    held, chosen = held_out(data, HELD, "degrade and restore")
    told = method.restoration()
    extractor = mobilenet_v2() if told.invents and data.spec.channels in (1, 3) and has_mobilenet_weights() else None
    rows: list[tuple[Entry, Entry]] = []
    for start, made, whole, mask in _restored(method, held, chosen, seed):
        rows.append((_figures(made, whole, mask, extractor), _figures(start, whole, mask, extractor)))
        if progress:
            progress("restoration", len(rows), len(chosen))
    common = {"n": len(chosen), "split": held.split, "input_is": WITHOUT[told.degradation]}
    return {
        name: _entry(name, [made[name] for made, _ in rows], [start[name] for _, start in rows], told.degradation)
        | common
        for name in rows[0][0]
    }


def _restored(
    method: Restores, held: Dataset, chosen: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Image by image, uint8 (H, W, C): without the method, restored, whole; and the hole, (H, W) bool."""
    device = method.device
    for first in range(0, len(chosen), AT_ONCE):
        batch = examples_of(held, chosen[first : first + AT_ONCE])
        batch.generator = torch.Generator().manual_seed(seed + first)
        degraded = method.degrade(batch)  # on the CPU: the same degradation on every device
        mask = None if degraded.mask is None else degraded.mask.to(device)
        made = restore_images(method, degraded.image.to(device), mask, torch.Generator().manual_seed(seed))
        holes = [None] * len(batch) if degraded.mask is None else list(degraded.mask[:, 0].numpy() > 0)
        yield from zip(to_uint8(degraded.start), to_uint8(made), to_uint8(degraded.whole), holes, strict=True)


def _figures(made: np.ndarray, whole: np.ndarray, hole: np.ndarray | None, extractor: MobileNetV2 | None) -> Entry:
    found: Entry = {} if extractor is None else {"PD[mobilenet_v2]": mobilenet_distance(made, whole, extractor)}
    parts = (
        {"[Y]": (psnr_y, ssim_y), "[RGB]": (psnr_rgb, ssim_rgb)} if made.shape[2] == 3 else {"": (psnr_rgb, ssim_rgb)}
    )
    a, b = (made, whole) if hole is None else (made[hole][None], whole[hole][None])
    for name, (psnr, _) in parts.items():
        found["PSNR" + name] = min(BEST_PSNR, psnr(a, b)) if a.size else BEST_PSNR
    for name, (_, ssim) in parts.items():
        if min(made.shape[:2]) >= WINDOW:
            found["SSIM" + name] = ssim(made, whole)
    return found


def _entry(name: str, made: list[float], start: list[float], degradation: str) -> Entry:
    kind = name.split("[")[0]
    value, beside = float(np.mean(made)), float(np.mean(start))
    what = {
        "PSNR": "how near restored images are, in dB" + (", in the hole alone" if degradation == "holes" else ""),
        "SSIM": "structural similarity of restored images, 1 where they are equal",
        "PD": "distance of restored images by what MobileNetV2 sees in them",
    }
    entry: Entry = {"value": value, "input": beside, "better": "lower" if kind == "PD" else "higher"}
    entry["help"] = f"{what[kind]}; {WITHOUT[degradation]}: {beside:.4g}"
    return entry | ({"unit": "dB"} if kind == "PSNR" else {})
