"""The surface of a volume as triangles: marching cubes (Lorensen 1987), with a table that is derived here.

A cube of eight neighbouring voxels cuts the surface in closed loops. Each face of the cube decides alone which of its crossed
edges belong together: inside corners that are not neighbours stay apart. The cube on the other side of the face decides alike, so
the triangles of all cubes close (Nielson 1991 on this ambiguity).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

SURFACE_OCCUPANCY = 127.5  # occupancy on the surface, of 255


class Mesh(NamedTuple):
    """Triangles: `vertices` (V, 3) float64, x, y, z; `faces` (F, 3) int64, counterclockwise where seen from outside."""

    vertices: np.ndarray
    faces: np.ndarray


# Corner c of a cube lies at x = c & 1, y = c >> 1 & 1, z = c >> 2. An edge joins two corners along one axis.
EDGES = tuple((corner, corner | 1 << axis) for axis in range(3) for corner in range(8) if not corner >> axis & 1)


def marching_cubes(volume: np.ndarray, level: float = SURFACE_OCCUPANCY) -> Mesh:
    """The surface of `volume` (D, H, W) at `level`, closed at the border too; no faces where nothing is above `level`.

    Coordinates are in voxels: the middle of voxel (d, h, w) is x = w, y = h, z = d. Vertices lie where the value, linear between
    two neighbouring voxels, is `level`.
    """
    values = np.pad(np.asarray(volume, dtype=np.float64), 1, constant_values=min(0.0, level - 1))
    inside = values > level
    shape = values.shape
    cubes = tuple(side - 1 for side in shape)

    # Which of the 256 cases each cube is.
    case = np.zeros(cubes, dtype=np.int64)
    for corner in range(8):
        case |= _at_corner(inside, corner).astype(np.int64) << corner
    flat_case = case.ravel()
    places = np.flatnonzero((flat_case > 0) & (flat_case < 255))
    if not len(places):
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))

    # The corners of three edges for each triangle, as numbers of voxels.
    voxel = np.arange(values.size).reshape(shape)
    corners = np.stack([_at_corner(voxel, corner).ravel()[places] for corner in range(8)], axis=1)
    triangles: list[np.ndarray] = []
    cases = flat_case[places]
    for number in np.unique(cases):
        edges = np.array(triangle_table()[number])  # (T, 3), numbers of edges
        ends = np.array(EDGES)[edges]  # (T, 3, 2), corners
        triangles.append(corners[cases == number][:, ends].reshape(-1, 3, 2))
    ends = np.concatenate(triangles)

    # One vertex for each edge that is crossed, whichever cubes share it.
    keys, faces = np.unique(ends[..., 0] * values.size + ends[..., 1], return_inverse=True)
    first, second = np.divmod(keys, values.size)
    low, high = values.ravel()[first], values.ravel()[second]
    share = ((level - low) / (high - low))[:, None]
    start, end = _coordinates(first, shape), _coordinates(second, shape)
    return Mesh(start + share * (end - start) - 1, faces.reshape(-1, 3).astype(np.int64))


def _at_corner(values: np.ndarray, corner: int) -> np.ndarray:
    """The value at this corner of each cube."""
    depth, height, width = values.shape
    x, y, z = corner & 1, corner >> 1 & 1, corner >> 2
    return values[z : depth - 1 + z, y : height - 1 + y, x : width - 1 + x]


def _coordinates(voxels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(np.unravel_index(voxels, shape)[::-1], axis=1).astype(np.float64)


@functools.cache
def triangle_table() -> list[list[tuple[int, int, int]]]:
    """For each of the 256 cases the triangles, each by the numbers of the three edges it joins."""
    table: list[list[tuple[int, int, int]]] = []
    for case in range(256):
        triangles: list[tuple[int, int, int]] = []
        for loop in _loops(case):
            for second, third in pairwise(loop[1:]):
                triangles.append((loop[0], second, third))
        table.append(triangles)
    return table


def _loops(case: int) -> Iterator[list[int]]:
    """The closed loops in which the surface crosses the edges of a cube."""
    following: dict[int, int] = {}
    for face in _faces():
        following |= _segments(face, case)
    while following:
        loop = [min(following)]
        while (edge := following.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        yield loop


def _segments(face: tuple[int, ...], case: int) -> dict[int, int]:
    """From edge to edge across one face: around each run of inside corners, from where it begins to where it ends."""
    segments: dict[int, int] = {}
    for place in range(4):
        before, corner = face[place - 1], face[place]
        if case >> before & 1 or not case >> corner & 1:
            continue  # no run begins here
        last = place
        while case >> face[(last + 1) % 4] & 1:
            last += 1
        end = face[last % 4], face[(last + 1) % 4]
        segments[_edge(before, corner)] = _edge(*end)
    return segments


def _edge(one: int, other: int) -> int:
    return EDGES.index((min(one, other), max(one, other)))


@functools.cache
def _faces() -> tuple[tuple[int, ...], ...]:
    """The corners of each face of a cube, counterclockwise where seen from outside."""
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        one, other = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        upper = 1 << axis
        faces.append((upper, upper | one, upper | one | other, upper | other))
        faces.append((0, other, one | other, one))
    return tuple(faces)


# --- what can be said of a mesh -------------------------------------------------------------------------------------------


def open_edges(mesh: Mesh) -> int:
    """Edges that belong to an odd number of triangles: the rims of holes. 0 where inside and outside can be told apart."""
    edges = np.sort(_directed_edges(mesh), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return int((counts % 2).sum())


def is_closed(mesh: Mesh) -> bool:
    """Whether each edge is used as often in one direction as in the other, so that the surface is closed and oriented."""
    edges = _directed_edges(mesh)
    count = max(1, len(mesh.vertices))
    return bool(np.array_equal(np.sort(edges @ [count, 1]), np.sort(edges @ [1, count])))


def _directed_edges(mesh: Mesh) -> np.ndarray:
    return np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])


def area(mesh: Mesh) -> float:
    """Of all triangles, in the square of the unit of the vertices."""
    return float(np.linalg.norm(_normals(mesh), axis=1).sum() / 2)


def enclosed_volume(mesh: Mesh) -> float:
    """What a closed surface encloses; negative where its triangles are clockwise from outside."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def _normals(mesh: Mesh) -> np.ndarray:
    """(F, 3), twice as long as the triangle's area."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def surface_points(mesh: Mesh, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` points (count, 3) spread evenly at random over the surface."""
    areas = np.linalg.norm(_normals(mesh), axis=1)
    chosen = mesh.faces[rng.choice(len(areas), count, p=areas / areas.sum())]
    a, b, c = (mesh.vertices[chosen[:, i]] for i in range(3))
    # Uniform in a triangle (Osada 2002, eq. 1).
    root, share = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - root) * a + root * (1 - share) * b + root * share * c


# --- pieces of a volume ---------------------------------------------------------------------------------------------------


def components(inside: np.ndarray) -> np.ndarray:
    """Numbers of the connected pieces of `inside` (D, H, W) bool, as int64: 1 is the largest, 0 is outside. Voxels are neighbours
    where they share a face."""
    places = np.flatnonzero(inside)
    numbers = np.full(inside.shape, -1)
    numbers.ravel()[places] = np.arange(len(places))
    pairs: list[np.ndarray] = []
    for axis in range(3):
        ahead, behind = np.moveaxis(numbers, axis, 0)[1:], np.moveaxis(numbers, axis, 0)[:-1]
        both = (ahead >= 0) & (behind >= 0)
        pairs.append(np.stack([ahead[both], behind[both]], axis=1))
    first, second = np.concatenate(pairs).T

    # The largest number of each piece goes from neighbour to neighbour. A number is also a voxel: what that one has heard of
    # already is taken at once, which halves the way in each round.
    labels = np.arange(len(places))
    while True:
        heard = labels.copy()
        np.maximum.at(heard, first, labels[second])
        np.maximum.at(heard, second, labels[first])
        heard = heard[heard]
        if np.array_equal(heard, labels):
            break
        labels = heard
    _, piece, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    pieces = np.zeros(inside.size, dtype=np.int64)
    pieces[places] = ranks[piece]
    return pieces.reshape(inside.shape)


def largest_component(volume: np.ndarray, level: float = SURFACE_OCCUPANCY) -> np.ndarray:
    """`volume` (D, H, W) with 0 in all pieces above `level` but the largest one."""
    pieces = components(volume > level)
    return np.where(pieces > 1, 0, volume)
