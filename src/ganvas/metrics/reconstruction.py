"""How near held-out images come back from their codes, and how much of each codebook they need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganvas.abilities import Tokenizes
from ganvas.data.batch import as_image_tensor
from ganvas.errors import DataError
from ganvas.metrics.readers import Progress
from ganvas.metrics.restoration import decibels

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

HELD = 10_000  # held-out images at most
AT_ONCE = 64  # images, the last block filled up

Entry = dict[str, Any]


@torch.no_grad()
def measure_reconstruction(method: Tokenizes, data: Dataset, *, progress: Progress | None = None) -> dict[str, Entry]:
    """Of held-out images, at most 10,000, as bytes:

    MSE            mean squared error of a value, values in [0, 1]
    PSNR           mean over images, in dB
    perplexity     exp of the entropy of how often each code is chosen; with several grids `perplexity[NAME]`
    codes_used     share of the codes that are chosen at all; likewise

    DataError where `data` have no test split.
    """
    held = data.part("test")
    if held is None or not len(held):
        raise DataError(f"{data.name} has no test split to generate again: raise data.holdout")
    device, count = method.device, min(HELD, len(held))
    errors, codes = [], []
    for start in range(0, count, AT_ONCE):
        rows = np.minimum(np.arange(start, start + AT_ONCE), count - 1)
        told = method.to_codes(as_image_tensor(held.images[rows], device))
        made = (method.from_codes(told).clamp(-1, 1) + 1).mul(127.5).round()
        real = torch.from_numpy(np.array(held.images[rows])).permute(0, 3, 1, 2).to(device)
        errors.append(((made - real) / 255).square().flatten(1).mean(1).cpu())
        codes.append(told.cpu())
        if progress:
            progress("reconstruction", min(count, start + AT_ONCE), count)
    common = {"n": count, "split": held.split}
    lost = torch.cat(errors)[:count].double()
    return {
        "MSE": {"value": float(lost.mean()), "better": "lower", "note": "values in [0, 1]", **common},
        "PSNR": {"value": float(decibels(lost.numpy()).mean()), "better": "higher", "unit": "dB", **common},
        **_uses(method, torch.cat(codes)[:count], common),
    }


def _uses(method: Tokenizes, codes: torch.Tensor, common: Entry) -> dict[str, Entry]:
    grids = method.grids()
    parts = codes.split([grid.height * grid.width for grid in grids], 1)
    found: dict[str, Entry] = {}
    for grid, part in zip(grids, parts, strict=True):
        name = f"[{grid.name}]" if len(grids) > 1 else ""
        shares = torch.bincount(part.flatten(), minlength=grid.size).double() / part.numel()
        entropy = float(torch.special.entr(shares).sum())
        entry = {"of": grid.size, "better": "higher", **common}
        found["perplexity" + name] = {"value": math.exp(entropy), **entry}
        found["codes_used" + name] = {"value": float((shares > 0).double().mean()), **entry, "of": 1}
    return found
