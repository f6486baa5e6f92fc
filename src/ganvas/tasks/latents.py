"""Points of a latent space: of seeds, mixed, truncated, interpolated, and their images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import LatentSpace, Samples
from ganvas.chunks import in_chunks
from ganvas.data.kinds import KINDS
from ganvas.errors import UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds, class_number

POINTS = 2000  # points that means, deviations and directions are taken of
FIRST_SEED = 2_000_000  # the first of their seeds, so that they are none that anybody looks at


@dataclass(frozen=True)
class Points:
    """Points of a latent space with what else their images depend on."""

    values: Tensor
    """(n, D) or (n, L, D), on the CPU."""
    labels: Tensor | None = None
    """Classes (n,), of a class-conditional method."""

    def __len__(self) -> int:
        return len(self.values)

    def with_values(self, values: Tensor) -> Points:
        """The same labels at other places."""
        return Points(values, self.labels)

    def rows(self, rows: Tensor | Sequence[int] | slice) -> Points:
        """Some of them."""
        chosen = torch.as_tensor(rows) if not isinstance(rows, slice) else rows
        return Points(self.values[chosen], None if self.labels is None else self.labels[chosen])

    def repeat(self, times: int) -> Points:
        """Each of them `times` in a row."""
        labels = None if self.labels is None else self.labels.repeat_interleave(times)
        return Points(self.values.repeat_interleave(times, 0), labels)


def editable(method: Method) -> Samples:
    """The method; UsageError if its images cannot be edited through a latent space."""
    if not isinstance(method, Samples) or not method.latent_spaces():
        raise UsageError(
            f"{method.name} has no latent space in which images can be edited"
            f" (methods that have one: {methods_with(Samples.latent_spaces)})"
        )
    return method


def space_of(method: Method, name: str = "auto") -> LatentSpace:
    """The latent space `name`; "auto": the method's first. UsageError offers the nearest name."""
    spaces = {one.name: one for one in editable(method).latent_spaces()}
    if name == "auto":
        return next(iter(spaces.values()))
    if name not in spaces:
        raise UsageError(
            f"{method.name} has no latent space {name}{nearest(name, spaces)} (there are: {', '.join(spaces)})"
        )
    return spaces[name]


@torch.no_grad()
def points_of(method: Method, space: LatentSpace, seeds: Iterable[int], label: int | str | None = None) -> Points:
    """The points of seeds; `label`: all of this class, by number or name."""
    sampling, seeds = editable(method), list(seeds)
    for seed in seeds:
        check_seeds(1, seed)
    number = class_number(method, label)
    latents, labels = sampling.latents(seeds), sampling.labels(seeds)
    if number is not None:
        labels = torch.full((len(seeds),), number)
    return Points(mapped(method, space, latents, labels), labels)


@torch.no_grad()
def mapped(method: Method, space: LatentSpace, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Points on the CPU of latents (n, ...) and labels (n,), in chunks of one size."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        return space.map(latents[rows].to(device), None if labels is None else labels[rows].to(device))

    return in_chunks(len(latents), of_rows)


def random_points(method: Method, space: LatentSpace, count: int = POINTS) -> Points:
    """`count` points as the method samples them, always the same."""
    return points_of(method, space, range(FIRST_SEED, FIRST_SEED + count))


@torch.no_grad()
def synthesised(
    method: Method, space: LatentSpace, points: Points, noise_seeds: Sequence[int | None] = ()
) -> np.ndarray:
    """Images (n, H, W, C) uint8 of points; `noise_seeds` as in `noise_images`. Volumes are rendered, and a video is a few of its
    frames side by side."""
    device, labels, kind = method.device, points.labels, KINDS[method.spec.kind]
    noise = noise_images(method, space, noise_seeds)

    def of_rows(rows: Tensor) -> Tensor:
        of_class = None if labels is None else labels[rows].to(device)
        return space.synthesise(points.values[rows].to(device), of_class, noise).clamp(-1, 1)

    return kind.shown(kind.finished(in_chunks(len(points), of_rows), method.spec))


def noise_images(method: Method, space: LatentSpace, seeds: Sequence[int | None]) -> list[Tensor | None]:
    """An image of noise (1, 1, H, W) for each layer that has a seed; None for the fixed noise of sampling. [] without seeds.

    Layer k of a seed is the same whatever the other layers have. UsageError where the method adds no noise, or has fewer layers.
    """
    if not seeds:
        return []
    sizes = space.noise_sizes
    if not sizes:
        raise UsageError(f"{method.name} adds no noise to its layers, so there are no noise seeds to choose")
    if len(seeds) > len(sizes):
        raise UsageError(f"this {method.name} adds noise to {len(sizes)} layers (got {len(seeds)} noise seeds)")
    noise: list[Tensor | None] = []
    for layer, size in enumerate(sizes):
        seed = seeds[layer] if layer < len(seeds) else None
        if seed is None:
            noise.append(None)
            continue
        check_seeds(1, seed)
        generator = torch.Generator().manual_seed((seed * 1000 + layer) % 2**63)
        noise.append(torch.randn(1, 1, *size, generator=generator).to(method.device))
    return noise


# --- between points -----------------------------------------------------------------------------------------------------


def truncated(space: LatentSpace, points: Points, mean: Tensor, amount: float) -> Points:
    """Points moved towards the `mean` of the space, (D,) or (L, D): 1 as they are, 0 at the mean (Karras 2019, arXiv:1812.04948,
    appendix B). Codes stay."""
    values = points.values.clone()
    values[..., : space.free] = torch.lerp(mean.expand_as(values)[..., : space.free], values[..., : space.free], amount)
    return points.with_values(values)


def spherical(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Points (n, ...) at `shares` (n,) in [0, 1] of the great circle from first to last (Shoemake 1985).

    Linear interpolation if both have the same or opposite directions, where the great circle is not unique.
    """
    shares = shares.view(-1, *[1] * first.ndim)
    cosine = (first * last).sum() / (first.norm() * last.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if float(angle.sin()) < 1e-4:
        return torch.lerp(first, last, shares)
    return (torch.sin((1 - shares) * angle) * first + torch.sin(shares * angle) * last) / torch.sin(angle)


def between(space: LatentSpace, first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Points (n, ...) at `shares` (n,) of the way from one point to another: on a great circle where the space is normal, else
    on a line. Codes stay those of `first`."""
    points = first.expand(len(shares), *first.shape).clone()
    a, b = first[..., : space.free], last[..., : space.free]
    if space.normal:
        points[..., : space.free] = spherical(a, b, shares)
    else:
        points[..., : space.free] = torch.lerp(a, b, shares.view(-1, *[1] * first.ndim))
    return points


def mixed(space: LatentSpace, first: Points, second: Points, layers: Iterable[int]) -> Points:
    """Style mixing (Karras 2019, sec. 3.1): every point of `first` with the vectors of each of `second` at `layers`.

    (n * m, L, D); rows are those of `first`, columns those of `second`. UsageError where a point has no layers, or not those.
    """
    layers = list(layers)
    if not space.layers:
        raise UsageError(f"style mixing takes a latent space with layers, such as w+ of stylegan2 (got {space.name})")
    for layer in layers:
        if not 0 <= layer < space.layers:
            raise UsageError(f"there is no layer {layer}: {space.name} has the layers 0 to {space.layers - 1}")
    rows = first.repeat(len(second))
    values = rows.values.clone()
    values[:, layers] = second.values.repeat(len(first), 1, 1)[:, layers]
    return rows.with_values(values)
