"""How well a method mends held-out pictures that were spoilt on purpose, beside what they are without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.data.feed import examples_of
from ganvas.errors import DataError
from ganvas.method import Damages
from ganvas.metrics.readers import Progress
from ganvas.metrics.restoration import WINDOW, mobilenet_distance, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from ganvas.networks.features import MobileNetV2, has_mobilenet_weights, mobilenet_v2

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

PIXELS = 4_000_000  # of held-out pictures at most, ...
HELD = 500  # ... and so many of them
AT_ONCE = 16  # pictures; each such block has random numbers of its own
BEST_PSNR = 100.0  # dB, where nothing is lost
WITHOUT = {"resolution": "bicubic", "noise": "as it came", "holes": "filled smoothly"}  # the start, in words

Entry = dict[str, Any]


@torch.no_grad()
def measure_restoration(
    method: Damages, data: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Entry]:
    """Means over held-out pictures, spread evenly over the test split: {"value", "input", "n", ...}.

    `input` is the same figure of what there is without the method: enlarged by bicubic, as it came, its hole filled smoothly.

    PSNR[Y], PSNR[RGB], SSIM[Y], SSIM[RGB]
                    see ganvas.metrics.restoration; PSNR and SSIM of pictures that are not RGB. Where holes are filled, PSNR is of
                    the pixels in the hole alone.
    PD[mobilenet_v2]
                    of RGB or grey, where the weights are on this machine. It comes first for a method that shall look right
                    rather than be near (Restoration.invents); others have none.

    Equal seeds spoil equally. DataError where `data` have no test split.
    """
    held = data.part("test")
    if held is None or not len(held):
        raise DataError(f"{data.name} has no test split to spoil and mend: raise data.holdout")
    assert isinstance(method, nn.Module)
    told = method.restoration()
    eye = mobilenet_v2() if told.invents and data.spec.channels in (1, 3) and has_mobilenet_weights() else None
    count = min(len(held), HELD, max(1, PIXELS // (data.spec.height * data.spec.width)))
    rows: list[tuple[Entry, Entry]] = []
    for start, made, whole, mask in _mended(method, held, count, seed):
        rows.append((_figures(made, whole, mask, eye), _figures(start, whole, mask, eye)))
        if progress:
            progress("restoration", len(rows), count)
    common = {"n": count, "split": held.split, "input_is": WITHOUT[told.damage]}
    return {
        name: _entry(name, [made[name] for made, _ in rows], [start[name] for _, start in rows], told.damage) | common
        for name in rows[0][0]
    }


def _mended(
    method: Damages, held: Dataset, count: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Picture by picture in levels, (H, W, C): without the method, mended, whole; and the hole, (H, W) bool."""
    assert isinstance(method, nn.Module)
    device = next(method.parameters()).device
    chosen = np.linspace(0, len(held) - 1, count).round().astype(np.int64)
    for first in range(0, count, AT_ONCE):
        batch = examples_of(held, chosen[first : first + AT_ONCE])
        batch.generator = torch.Generator().manual_seed(seed + first)
        spoilt = method.damage(batch)  # on the CPU: the same damage on every device
        mask = None if spoilt.mask is None else spoilt.mask.to(device)
        made = method.restore(spoilt.picture.to(device), mask, generator=torch.Generator().manual_seed(seed))
        holes = [None] * len(batch) if spoilt.mask is None else list(spoilt.mask[:, 0].numpy() > 0)
        yield from zip(_levels(spoilt.start), _levels(made), _levels(spoilt.whole), holes, strict=True)


def _levels(pictures: Tensor) -> np.ndarray:
    """(n, H, W, C) in the 256 levels of a file, of (n, C, H, W) in [-1, 1]."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).cpu().numpy()


def _figures(made: np.ndarray, whole: np.ndarray, hole: np.ndarray | None, eye: MobileNetV2 | None) -> Entry:
    found: Entry = {} if eye is None else {"PD[mobilenet_v2]": mobilenet_distance(made, whole, eye)}
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


def _entry(name: str, made: list[float], start: list[float], damage: str) -> Entry:
    kind = name.split("[")[0]
    value, beside = float(np.mean(made)), float(np.mean(start))
    what = {
        "PSNR": "how near mended pictures are, in dB" + (", in the hole alone" if damage == "holes" else ""),
        "SSIM": "structural similarity of mended pictures, 1 where they are equal",
        "PD": "distance of mended pictures by what MobileNetV2 sees in them",
    }
    entry: Entry = {"value": value, "input": beside, "better": "lower" if kind == "PD" else "higher"}
    entry["help"] = f"{what[kind]}; {WITHOUT[damage]}: {beside:.4g}"
    return entry | ({"unit": "dB"} if kind == "PSNR" else {})
