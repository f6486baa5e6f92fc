"""Measures of generated volumes, on points of their surfaces (Achlioptas 2018, arXiv:1707.02392; Yang 2019, arXiv:1906.12320).

COV-CD asks which held-out shape is the nearest one of each sample, however far off it is: blobs that are like nothing are spread
over many. `coverage` asks for a sample nearby (Naeem 2020, arXiv:2002.09797).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.data.kinds.volumes import as_volumes
from ganvas.data.surface import (
    SURFACE_OCCUPANCY,
    Mesh,
    components,
    is_closed,
    largest_component,
    marching_cubes,
    surface_points,
)
from ganvas.errors import DataError
from ganvas.figure import Better, Figure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.store import remembered

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_SOLIDS = 100  # samples, and held-out volumes, at most
SURFACE_POINTS = 128  # of each volume
NEIGHBOURS = 5  # of coverage
CLOUDS_PER_BLOCK = 32  # that one cloud is compared with at once
TRAINING, HELD_OUT = "training volumes", "held-out volumes"
SIMPLER_SOLIDS = ("independent voxels", "mean shape")
SHAPE_FIGURES = ("one_piece", "largest_piece", "watertight", "occupied")  # of each volume by itself
SOLID_MEANINGS = {
    "MMD-CD": "Chamfer distance of a held-out volume from the nearest sample, mean (Achlioptas 2018); sides are 1 long",
    "COV-CD": "share of held-out volumes that are the nearest one of some sample, however far (Achlioptas 2018)",
    "coverage": "share of held-out volumes with a sample nearer than their fifth nearest held-out one (Naeem 2020): variety",
    "1-NNA-CD": "how often the nearest neighbour tells samples from held-out volumes; 0.5 is best, 1 is told always (Yang 2019)",
    "one_piece": "share of samples that are one connected piece",
    "largest_piece": "share of a sample's voxels that lie in its largest piece, which is what is written, mean",
    "watertight": "share of samples whose largest piece is there and has a closed surface",
    "occupied": "share of the grid that is inside of the object, mean",
}


def measure_solids(volumes: np.ndarray, data: Dataset, progress: Progress | None = None) -> dict[str, Figure]:
    """Figures of generated volumes (n, D, H, W) uint8 against as many held-out ones, at most MAX_SOLIDS.

    Points lie on the surface of the largest piece, in units of the longest side. The references are those of as many training
    volumes against the same held-out ones, and details of the distances have `baselines`: those of `simpler_solids`. DataError
    without a test split.
    """
    held_out = data.part("test")
    if held_out is None or len(held_out) < 2:
        raise DataError(f"{data.name} has no test split to compare volumes with: raise data.holdout")
    n = min(len(volumes), len(held_out), len(data.examples), MAX_SOLIDS)
    if n < 2:
        raise DataError("measuring volumes needs at least 2 samples; a hundred give figures that mean something")
    volumes, real = volumes[:n], as_volumes(held_out.examples[:n])

    # What depends on the real volumes alone is kept.
    def of_real() -> dict[str, Tensor]:
        meshes = surfaces(real)
        found = {"points": points_on(real, meshes)}
        found["distances"] = chamfer_matrix(found["points"], found["points"])
        train = as_volumes(data.examples)
        for what, some in {TRAINING: train[:n], **simpler_solids(train, n)}.items():
            for name, value in _measured(some, found["points"], found["distances"], what, progress).items():
                found[f"{what}: {name}"] = torch.tensor(value, dtype=torch.float64)
        for name, value in _shape_figures(real, meshes).items():
            found[f"{HELD_OUT}: {name}"] = torch.tensor(value, dtype=torch.float64)
        return found

    keep = bool(data.fingerprint) and bool(held_out.fingerprint)
    known = remembered("solids", [data.fingerprint, held_out.fingerprint, n, SURFACE_POINTS, NEIGHBOURS], keep, of_real)

    figures: dict[str, Figure] = {}
    for name, value in _measured(volumes, known["points"], known["distances"], "samples", progress).items():
        better: Better | None = "lower" if name in ("MMD-CD", "1-NNA-CD") else "higher"
        compared = name not in SHAPE_FIGURES
        figures[name] = Figure(
            value, None if name == "occupied" else better, n,
            float(known[f"{TRAINING if compared else HELD_OUT}: {name}"]), n,
            f"{n} {TRAINING if compared else HELD_OUT}", help=SOLID_MEANINGS[name], primary=name == "MMD-CD",
            details={"baselines": {what: float(known[f"{what}: {name}"]) for what in SIMPLER_SOLIDS}},
        )  # fmt: skip
    return figures


def simpler_solids(volumes: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """n volumes each that no method made of volumes (N, D, H, W) uint8: each voxel inside with its frequency, independent of the
    others, the same at each call; and n times the shape of the voxels that are inside more often than not, or, where that is
    nothing, of the most frequent ones."""
    inside = (volumes > SURFACE_OCCUPANCY).mean(0)
    drawn = np.random.default_rng(0).random((n, *inside.shape)) < inside
    level = min(0.5, float(np.quantile(inside, 1 - inside.mean())))
    mean = np.repeat((inside > level)[None], n, axis=0)
    independent, shape = SIMPLER_SOLIDS
    return {independent: drawn * np.uint8(255), shape: mean * np.uint8(255)}


def surfaces(volumes: np.ndarray) -> list[Mesh]:
    """The surface of the largest piece of each volume (n, D, H, W) uint8."""
    return [marching_cubes(largest_component(volume)) for volume in volumes]


def points_on(volumes: np.ndarray, meshes: list[Mesh] | None = None) -> Tensor:
    """Points (n, SURFACE_POINTS, 3) on the largest piece of each volume (n, D, H, W) uint8, its longest side being 1; all in the
    middle where it has none. The same points at each call. `meshes` are their `surfaces`, where these are known."""
    sides = np.array(volumes.shape[:0:-1])  # along x, y and z, in voxels
    clouds: list[np.ndarray] = []
    for number, mesh in enumerate(surfaces(volumes) if meshes is None else meshes):
        points = np.repeat(((sides - 1) / 2)[None], SURFACE_POINTS, axis=0)
        if len(mesh.faces):
            points = surface_points(mesh, SURFACE_POINTS, np.random.default_rng(number))
        clouds.append(points / sides.max())
    return torch.from_numpy(np.stack(clouds)).float()


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance of each point from the nearest one of the other cloud, both ways added (Achlioptas 2018, sec. 2).

    a (..., P, 3) and b (..., Q, 3) within 1 of the origin; returns (...).
    """
    # |a - b|^2 = |a|^2 + |b|^2 - 2 ab: one matrix product; the points lie within 1 of the origin, so few digits are lost.
    inner = a @ b.transpose(-1, -2)
    squares = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :] - 2 * inner
    return squares.amin(-1).mean(-1) + squares.amin(-2).mean(-1)


def chamfer_matrix(a: Tensor, b: Tensor) -> Tensor:
    """`chamfer` of every cloud of a (n, P, 3) and every one of b (m, Q, 3): (n, m)."""
    rows: list[Tensor] = []
    for one in a:
        rows.append(torch.cat([chamfer(one, others) for others in b.split(CLOUDS_PER_BLOCK)]))
    return torch.stack(rows)


def minimum_matching(fake_real: Tensor) -> float:
    """MMD: mean over real shapes of the distance from the nearest sample; distances (samples, real)."""
    return float(fake_real.amin(0).mean())


def coverage(fake_real: Tensor) -> float:
    """COV: share of the real shapes that are the nearest one of some sample; distances (samples, real)."""
    return len(fake_real.argmin(1).unique()) / fake_real.shape[1]


def covered(fake_real: Tensor, real_real: Tensor, k: int = NEIGHBOURS) -> float:
    """Coverage (Naeem 2020, sec. 3.2): share of the real shapes with a sample nearer than their k-th nearest other real shape, of
    all others where there are fewer; distances (samples, real) and (real, real)."""
    others = torch.diagonal_scatter(real_real, torch.full((len(real_real),), torch.inf))
    radii = others.kthvalue(min(k, len(real_real) - 1), 1).values
    return float((fake_real.amin(0) < radii).double().mean())


def nearest_neighbour_accuracy(fake_fake: Tensor, fake_real: Tensor, real_real: Tensor) -> float:
    """1-NNA: how often the nearest other shape, of both sets together, is of the same set (Yang 2019, eq. 6). Ties go to the
    other set."""
    n = len(fake_fake)
    infinite = torch.full((n,), torch.inf)
    own_fake = torch.diagonal_scatter(fake_fake, infinite).amin(1)
    own_real = torch.diagonal_scatter(real_real, infinite[:1].expand(len(real_real))).amin(1)
    told = (own_fake < fake_real.amin(1)).sum() + (own_real < fake_real.amin(0)).sum()
    return float(told) / (n + len(real_real))


def _measured(
    volumes: np.ndarray, real: Tensor, real_real: Tensor, what: str, progress: Progress | None
) -> dict[str, float]:
    """All figures of volumes (n, D, H, W), against points (m, P, 3) on real ones and the distances between these."""
    if progress:
        progress(f"surfaces of {what}", 0, 3)
    meshes = surfaces(volumes)
    fake = points_on(volumes, meshes)
    if progress:
        progress(f"surfaces of {what}", 1, 3)
    fake_real = chamfer_matrix(fake, real)
    if progress:
        progress(f"surfaces of {what}", 2, 3)
    accuracy = nearest_neighbour_accuracy(chamfer_matrix(fake, fake), fake_real, real_real)
    compared = {
        "MMD-CD": minimum_matching(fake_real), "COV-CD": coverage(fake_real), "coverage": covered(fake_real, real_real),
        "1-NNA-CD": accuracy,
    }  # fmt: skip
    return {**compared, **_shape_figures(volumes, meshes)}


def _shape_figures(volumes: np.ndarray, meshes: list[Mesh]) -> dict[str, float]:
    """How connected volumes (n, D, H, W) are, whether the surfaces of their largest pieces are closed, and how full they are."""
    whole = 0
    largest: list[float] = []
    for volume in volumes:
        pieces = components(volume > SURFACE_OCCUPANCY)
        whole += int(pieces.max() == 1)
        occupied = int((pieces > 0).sum())
        largest.append(int((pieces == 1).sum()) / occupied if occupied else 0.0)
    closed = [bool(len(mesh.faces)) and is_closed(mesh) for mesh in meshes]
    share = float((volumes > SURFACE_OCCUPANCY).mean())
    return {
        "one_piece": whole / len(volumes), "largest_piece": float(np.mean(largest)), "watertight": float(np.mean(closed)),
        "occupied": share,
    }  # fmt: skip
