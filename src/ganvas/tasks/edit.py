"""Editing in the latent: one code at a time with all else fixed, and the way from one image to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Code, Samples
from ganvas.chunks import CHUNK, in_chunks
from ganvas.data import grid
from ganvas.errors import UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds, to_uint8

REACH = 2.0  # a continuous code is trained in [-1, 1]; beyond that it shows what it means (Chen 2016, fig. 2)
GAP = 2  # pixels between two images; three times that between two blocks
NORMAL = 0.5  # how far a latent's mean square may be from 1 and still be held to be plain noise


def traverse(
    method: Method, seeds: Iterable[int], names: Sequence[str] | None = None, *, values: int = 10, reach: float = REACH
) -> np.ndarray:
    """A sheet (H, W, C) uint8 with a block for each code: a row for each seed, a column for each value, all else fixed.

    A categorical code takes each of its values; a continuous one `values` numbers from -reach to reach. `names` chooses codes
    (all where None). UsageError where the method has no codes, or none of that name.
    """
    chosen, seeds = chosen_codes(method, names), list(seeds)
    if not seeds or values < 1:
        raise UsageError("a traversal needs one seed and one value at least")
    for seed in seeds:
        check_seeds(1, seed)
    sampling = _with_codes(method)
    latents, labels = sampling.latents(seeds), sampling.labels(seeds)
    blocks = [traversal(sampling, code, latents, labels, values, reach) for code in chosen]
    return stacked([grid(block.reshape(-1, *block.shape[2:]), columns=block.shape[1], gap=GAP) for block in blocks])


def traversal(
    method: Samples, code: Code, latents: Tensor, labels: Tensor | None = None, values: int = 10, reach: float = REACH
) -> np.ndarray:
    """Images (seeds, settings of the code, H, W, C) uint8."""
    changed = edited(latents, code, values, reach)
    seeds, settings = changed.shape[:2]
    repeated = None if labels is None else labels.repeat_interleave(settings)
    images = generate_images(method, changed.flatten(0, 1), repeated)
    return images.reshape(seeds, settings, *images.shape[1:])


def edited(latents: Tensor, code: Code, values: int = 10, reach: float = REACH) -> Tensor:
    """Latents (n, L) with `code` set to each of its values in turn, (n, values, L)."""
    settings = torch.eye(code.size) if code.kind == "categorical" else torch.linspace(-reach, reach, values)[:, None]
    changed = latents[:, None].repeat(1, len(settings), 1)
    changed[..., code.start : code.start + code.size] = settings
    return changed


def interpolate(method: Method, first: int, last: int, steps: int = 8) -> np.ndarray:
    """The images (steps, H, W, C) uint8 on the way from seed `first` to seed `last`, both ends included.

    Spherical: a latent on the way is as long as both ends, as those of the training are. The class, where the method has classes,
    stays that of `first`. UsageError where latents are not plain normal vectors.
    """
    if not isinstance(method, Samples):
        raise UsageError(f"{method.name} cannot make images from noise, so there is no way between two of them")
    if steps < 2:
        raise UsageError(f"a way from one seed to another needs 2 steps at least (got {steps})")
    for seed in (first, last):
        check_seeds(1, seed)
    _expect_plain_noise(method)
    ends = method.latents([first, last])
    label = method.labels([first])
    way = spherical(ends[0], ends[1], torch.linspace(0, 1, steps))
    return generate_images(method, way, None if label is None else label.repeat(steps))


def spherical(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Points (n, ...) at `shares` (n,) of the great circle from first to last (Shoemake 1985), their length between both ends'.

    Ends in one direction, or in opposite ones, have no single great circle; there the way is straight.
    """
    shares = shares.view(-1, *[1] * first.ndim)
    cosine = (first * last).sum() / (first.norm() * last.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if float(angle.sin()) < 1e-4:
        return torch.lerp(first, last, shares)
    return (torch.sin((1 - shares) * angle) * first + torch.sin(shares * angle) * last) / torch.sin(angle)


@torch.no_grad()
def generate_images(method: Samples, latents: Tensor, labels: Tensor | None = None) -> np.ndarray:
    """Images (n, H, W, C) uint8 of latents on the CPU; on the method's own device, in chunks of one size."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        told = () if labels is None else (labels[rows].to(device),)
        return method.generate(latents[rows].to(device), *told)

    return to_uint8(in_chunks(len(latents), of_rows))


def chosen_codes(method: Method, names: Sequence[str] | None = None) -> list[Code]:
    """The codes of those names, all where None; UsageError says which there are."""
    known = {code.name: code for code in _with_codes(method).codes()}
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no code {name}{nearest(name, known)} (there are: {', '.join(known)})")
    return [known[name] for name in names] if names else list(known.values())


def _with_codes(method: Method) -> Samples:
    """The method; UsageError where it has no codes."""
    if not isinstance(method, Samples) or not method.codes():
        raise UsageError(
            f"the latent of {method.name} has no codes that could be set one by one; those of {methods_with(Samples.codes)} have"
        )
    return method


def stacked(sheets: Sequence[np.ndarray]) -> np.ndarray:
    """Sheets (H, W, C) uint8 of any width below each other, left-aligned on white."""
    width, between = max(sheet.shape[1] for sheet in sheets), 3 * GAP
    height = sum(sheet.shape[0] for sheet in sheets) + between * (len(sheets) - 1)
    whole = np.full((height, width, sheets[0].shape[2]), 255, np.uint8)
    top = 0
    for sheet in sheets:
        whole[top : top + sheet.shape[0], : sheet.shape[1]] = sheet
        top += sheet.shape[0] + between
    return whole


def _expect_plain_noise(method: Samples) -> None:
    """A latent with a one-hot part in it, or a grid, has no great circle."""
    probe = method.latents(range(CHUNK))
    codes = method.codes()
    if codes or probe.ndim != 2 or abs(float(probe.square().mean()) - 1) > NORMAL:
        raise UsageError(
            f"the latents of {method.name} are not plain normal vectors, so there is no great circle between two of them"
            + ("; its codes can be traversed instead" if codes else "")
        )
