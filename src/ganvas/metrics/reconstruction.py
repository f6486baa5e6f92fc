"""How near held-out images come back from their codes, and how much of each codebook they need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganvas.abilities import Tokenizes
from ganvas.data.batch import as_image_tensor
from ganvas.defaults import CHUNK
from ganvas.errors import DataError
from ganvas.figure import Figure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.restoration import decibels

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_RECONSTRUCTED = 10_000  # held-out ones at most


@torch.no_grad()
def measure_reconstruction(method: Tokenizes, data: Dataset, *, progress: Progress | None = None) -> dict[str, Figure]:
    """Of held-out images, at most 10,000, as bytes:

    MSE            mean squared error of a value, values in [0, 1]; the primary figure
    PSNR           mean over images, in dB
    perplexity     exp of the entropy of how often each code is chosen; with several grids `perplexity[NAME]`
    codes_used     share of the codes that are chosen at all; likewise

    DataError where `data` have no test split.
    """
    held_out = data.part("test")
    if held_out is None or not len(held_out):
        raise DataError(f"{data.name} has no test split to generate again: raise data.holdout")
    device, count = method.device, min(MAX_RECONSTRUCTED, len(held_out))
    errors: list[torch.Tensor] = []
    codes: list[torch.Tensor] = []
    for start in range(0, count, CHUNK):
        rows = np.minimum(np.arange(start, start + CHUNK), count - 1)
        block_codes = method.to_codes(as_image_tensor(held_out.images[rows], device))
        decoded = (method.from_codes(block_codes).clamp(-1, 1) + 1).mul(127.5).round()
        real = torch.from_numpy(np.array(held_out.images[rows])).permute(0, 3, 1, 2).to(device)
        errors.append(((decoded - real) / 255).square().flatten(1).mean(1).cpu())
        codes.append(block_codes.cpu())
        if progress:
            progress("reconstruction", min(count, start + CHUNK), count)
    squares = torch.cat(errors)[:count].double()
    psnr = float(decibels(squares.numpy()).mean())
    figures = {
        "MSE": Figure(float(squares.mean()), "lower", count, note="values in [0, 1]", primary=True),
        "PSNR": Figure(psnr, "higher", count, unit="dB"),
        **_code_usage(method, torch.cat(codes)[:count]),
    }
    return {name: figure.replace(split=held_out.split) for name, figure in figures.items()}


def _code_usage(method: Tokenizes, codes: torch.Tensor) -> dict[str, Figure]:
    grids = method.grids()
    parts = codes.split([grid.height * grid.width for grid in grids], 1)
    figures: dict[str, Figure] = {}
    for grid, part in zip(grids, parts, strict=True):
        suffix = f"[{grid.name}]" if len(grids) > 1 else ""
        shares = torch.bincount(part.flatten(), minlength=grid.size).double() / part.numel()
        perplexity = math.exp(float(torch.special.entr(shares).sum()))
        used = float((shares > 0).double().mean())
        figures["perplexity" + suffix] = Figure(perplexity, "higher", len(codes), of=grid.size)
        figures["codes_used" + suffix] = Figure(used, "higher", len(codes), of=1)
    return figures
