"""Editing in the latent space: traversals of one code at a time, and interpolation between two images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Code, Samples
from ganvas.chunks import in_chunks
from ganvas.data import grid
from ganvas.data.image_array import ImageArray
from ganvas.errors import UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds, to_uint8
from ganvas.tasks.latents import between, editable, points_of, space_of, synthesised

Seeds = str | int | Iterable[int]
REACH = 2.0  # a continuous code is trained in [-1, 1]; beyond that its effect is clearer (Chen 2016, fig. 2)
MOST_SEEDS = 1000  # rows of a traversal
GAP = 2  # pixels between two images; three times that between two blocks


def edit(
    method: Method, *, traverse: bool = False, interpolate: tuple[int, int] | None = None, code: Sequence[str] | None = None,
    seeds: Seeds = "0-7", values: int = 10, steps: int = 8,
) -> ImageArray:  # fmt: skip
    """One image (H, W, C) uint8 that shows what the parts of a latent do; `traverse` and `interpolate` of this module give the
    images behind it.

    With `traverse` a grid per code: a row per seed of `seeds`, a column per value; `code` are the names of the codes (None: all).
    With `interpolate` a row of `steps` images from one seed to another. UsageError unless exactly one of both is given.
    """
    if traverse == (interpolate is not None):
        raise UsageError("give either traverse or interpolate")
    if code and not traverse:
        raise UsageError("code needs traverse")
    if interpolate is not None:
        return ImageArray(_interpolated(method, interpolate, steps))
    return ImageArray(_traversed(method, read_seeds(seeds), code, values))


def _interpolated(method: Method, ends: tuple[int, int], steps: int) -> np.ndarray:
    return grid(interpolate(method, *ends, steps=steps), columns=steps)


def _traversed(method: Method, seeds: Iterable[int], code: Sequence[str] | None, values: int) -> np.ndarray:
    return traverse(method, seeds, code, values=values)


def read_seeds(seeds: Seeds) -> list[int]:
    """The seeds of "5", 5 or "0-7" (both ends included), or of any iterable; UsageError for other texts, or over 1000 seeds."""
    if isinstance(seeds, int):
        return [seeds]
    if isinstance(seeds, str):
        first, dash, last = seeds.partition("-")
        if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
            raise UsageError(f"seeds are one number or two joined by -, such as 0-7 (got {seeds})")
        start, end = int(first), int(last or first) + 1
        if not 1 <= end - start <= MOST_SEEDS:
            raise UsageError(f"seeds must be increasing, with at most {MOST_SEEDS} of them (got {seeds})")
        return list(range(start, end))
    return list(seeds)


def traverse(
    method: Method, seeds: Iterable[int], names: Sequence[str] | None = None, *, values: int = 10, reach: float = REACH
) -> np.ndarray:
    """An image (H, W, C) uint8 with a grid per code: a row per seed, a column per value of the code, all else fixed.

    A categorical code takes each of its values, a continuous one `values` numbers from -reach to reach. `names` are the codes
    to traverse (None: all). UsageError if the method has no codes, or none of that name.
    """
    chosen, seeds = chosen_codes(method, names), list(seeds)
    if not seeds or values < 1:
        raise UsageError("a traversal needs at least one seed and one value")
    for seed in seeds:
        check_seeds(1, seed)
    sampling = _with_codes(method)
    latents, labels = sampling.latents(seeds), sampling.labels(seeds)
    grids = []
    for code in chosen:
        images = traversal(sampling, code, latents, labels, values, reach)
        grids.append(grid(images.reshape(-1, *images.shape[2:]), columns=images.shape[1], gap=GAP))
    return stacked_grids(grids)


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
    """Images (steps, H, W, C) uint8 interpolated from seed `first` to seed `last`, both included.

    Normal latents go on a great circle, so that they keep the length they have in training. Class and codes are those of
    `first`. UsageError if the method has no latent space.
    """
    if steps < 2:
        raise UsageError(f"an interpolation needs at least 2 steps (got {steps})")
    space = next((one for one in editable(method).latent_spaces() if one.normal), space_of(method))
    ends = points_of(method, space, [first, last])
    way = between(space, ends.values[0], ends.values[1], torch.linspace(0, 1, steps))
    return synthesised(method, space, ends.rows([0] * steps).with_values(way))


@torch.no_grad()
def generate_images(method: Samples, latents: Tensor, labels: Tensor | None = None) -> np.ndarray:
    """Images (n, H, W, C) uint8 from latents on the CPU, generated on the method's device in chunks of one size."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        z = latents[rows].to(device)
        if labels is None:
            return method.generate(z)
        return method.generate(z, labels[rows].to(device))

    return to_uint8(in_chunks(len(latents), of_rows))


def chosen_codes(method: Method, names: Sequence[str] | None = None) -> list[Code]:
    """The codes with these names (None: all); UsageError for a name that does not exist."""
    by_name = {code.name: code for code in _with_codes(method).codes()}
    for name in names or ():
        if name not in by_name:
            raise UsageError(f"there is no code {name}{nearest(name, by_name)} (there are: {', '.join(by_name)})")
    return [by_name[name] for name in names or by_name]


def _with_codes(method: Method) -> Samples:
    """The method; UsageError if it has no codes."""
    if not isinstance(method, Samples) or not method.codes():
        raise UsageError(
            f"the latent of {method.name} has no codes to edit (methods with codes: {methods_with(Samples.codes)})"
        )
    return method


def stacked_grids(grids: Sequence[np.ndarray]) -> np.ndarray:
    """Images (H, W, C) uint8 of any width below each other, left-aligned on white."""
    width, between = max(one.shape[1] for one in grids), 3 * GAP
    height = sum(one.shape[0] for one in grids) + between * (len(grids) - 1)
    canvas = np.full((height, width, grids[0].shape[2]), 255, np.uint8)
    top = 0
    for one in grids:
        canvas[top : top + one.shape[0], : one.shape[1]] = one
        top += one.shape[0] + between
    return canvas
