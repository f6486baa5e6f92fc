"""Meshes in files (.obj, .stl, .ply), and the voxels inside of them.

Files of others are data: their size is bounded, and a mesh with holes is refused, since it has no inside.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from ganvas.data.image import Broken
from ganvas.data.surface import Mesh, open_edges

MAX_MESH_BYTES = 256 * 2**20  # of one file
MAX_TRIANGLES = 2_000_000
TRIANGLES_PER_BLOCK = 2048  # that meet all rays at once
MARGIN_VOXELS = 1  # between the mesh and the border of its grid
JITTER = (1.234567e-5, 2.345678e-5)  # of a voxel, by which rays miss the edges of triangles on a regular grid

PLY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4",
    "float64": "f8",
}  # fmt: skip


def read_mesh(file: BinaryIO, suffix: str) -> Mesh:
    """The mesh in an .obj, .stl or .ply file; polygons become triangles, equal vertices one. Broken says what is wrong."""
    content = file.read(MAX_MESH_BYTES + 1)
    if len(content) > MAX_MESH_BYTES:
        raise Broken(f"it is larger than {MAX_MESH_BYTES // 2**20} MiB, the most that is read here")
    readers = {".obj": _read_obj, ".stl": _read_stl, ".ply": _read_ply}
    try:
        vertices, faces = readers[suffix](content)
    except (ValueError, IndexError, OverflowError) as error:
        raise Broken(f"it is no {suffix} file that can be read: {error}") from None
    if not len(faces):
        raise Broken("it has no triangles")
    if len(faces) > MAX_TRIANGLES:
        raise Broken(f"it has {len(faces):,} triangles; at most {MAX_TRIANGLES:,} are read here")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise Broken(f"a triangle names vertex {int(faces.max()) + 1} of {len(vertices)}")
    if not np.isfinite(vertices).all():
        raise Broken("a vertex is no finite number")
    vertices, same = np.unique(vertices, axis=0, return_inverse=True)
    faces = same.reshape(-1)[faces]
    return Mesh(vertices, faces)


def _read_obj(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in content.decode("utf-8", "replace").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words[0] == "f":
            corners: list[int] = []
            for word in words[1:]:
                number = int(word.split("/")[0])
                # A negative number counts back from the last vertex so far.
                corners.append(number - 1 if number > 0 else len(vertices) + number)
            for second, third in pairwise(corners[1:]):
                faces.append((corners[0], second, third))
    return np.array(vertices, dtype=np.float64).reshape(-1, 3), np.array(faces, dtype=np.int64).reshape(-1, 3)


def _read_stl(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    count = int.from_bytes(content[80:84], "little")
    if len(content) == 84 + 50 * count:
        rows = np.frombuffer(
            content, np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")]), count, 84
        )
        corners = rows["corners"].reshape(-1, 3)
    elif content.lstrip()[:5].lower() == b"solid":
        numbers = re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", content)
        corners = np.array(numbers, dtype="S32").astype(np.float64).reshape(-1, 3)
    else:
        raise ValueError(f"its length of {len(content):,} bytes does not fit the {count:,} triangles it promises")
    if len(corners) % 3:
        raise ValueError(f"{len(corners)} corners are no triangles")
    return corners.astype(np.float64), np.arange(len(corners)).reshape(-1, 3)


def _read_ply(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    head, separator, body = content.partition(b"end_header")
    if not content.startswith(b"ply") or not separator:
        raise ValueError("its header has no end")
    body = body[body.index(b"\n") + 1 :]
    elements: list[tuple[str, int, list[list[str]]]] = []
    form = ""
    for line in head.decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            form = words[1]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(words[1:])
    if form == "ascii":
        reader = _PlyText(body)
    elif form in ("binary_little_endian", "binary_big_endian"):
        reader = _PlyBytes(body, "<" if form == "binary_little_endian" else ">")
    else:
        raise ValueError(f"its format is {form or 'not stated'}")

    vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    for name, count, properties in elements:
        if not 0 <= count <= len(content):
            raise ValueError(f"it promises {count:,} of {name}")
        is_list = [words[0] == "list" for words in properties]
        if not any(is_list):
            columns = reader.columns(count, [(words[1], words[0]) for words in properties])
            if name == "vertex":
                vertices = np.stack([columns[axis] for axis in "xyz" if axis in columns], axis=1).astype(np.float64)
        elif len(properties) == 1:
            faces = reader.polygons(count, properties[0][1], properties[0][2])
        else:
            raise ValueError(f"{name} has lists beside other values, which is not read here")
    if vertices.shape[1] != 3:
        raise ValueError("its vertices have no x, y and z")
    return vertices, faces


class _PlyText:
    """Reads the elements of an ASCII .ply one after the other."""

    def __init__(self, body: bytes) -> None:
        self.words = np.array(body.split(), dtype="S32")
        self.place = 0

    def columns(self, count: int, properties: list[tuple[str, str]]) -> dict[str, np.ndarray]:
        width = len(properties)
        rows = self.words[self.place : self.place + count * width].astype(np.float64).reshape(count, width)
        self.place += count * width
        return {name: rows[:, column] for column, (name, _) in enumerate(properties)}

    def polygons(self, count: int, length_type: str, index_type: str) -> np.ndarray:
        faces: list[tuple[int, int, int]] = []
        for _ in range(count):
            corners = int(self.words[self.place])
            indices = self.words[self.place + 1 : self.place + 1 + corners].astype(np.int64).tolist()
            self.place += 1 + corners
            _add_fan(faces, indices, corners)
        return np.array(faces, dtype=np.int64).reshape(-1, 3)


class _PlyBytes:
    """Reads the elements of a binary .ply one after the other; `order` is "<" or ">"."""

    def __init__(self, body: bytes, order: str) -> None:
        self.body, self.order = body, order
        self.place = 0

    def columns(self, count: int, properties: list[tuple[str, str]]) -> dict[str, np.ndarray]:
        kind = np.dtype([(name, self.order + PLY_TYPES[known]) for name, known in properties])
        rows = np.frombuffer(self.body, kind, count, self.place)
        self.place += count * kind.itemsize
        return {name: rows[name] for name, _ in properties}

    def polygons(self, count: int, length_type: str, index_type: str) -> np.ndarray:
        length, index = np.dtype(self.order + PLY_TYPES[length_type]), np.dtype(self.order + PLY_TYPES[index_type])
        faces: list[tuple[int, int, int]] = []
        for _ in range(count):
            corners = int(np.frombuffer(self.body, length, 1, self.place)[0])
            indices = np.frombuffer(self.body, index, max(0, corners), self.place + length.itemsize).tolist()
            self.place += length.itemsize + corners * index.itemsize
            _add_fan(faces, indices, corners)
        return np.array(faces, dtype=np.int64).reshape(-1, 3)


def _add_fan(faces: list[tuple[int, int, int]], indices: list[int], corners: int) -> None:
    if corners < 3 or len(indices) != corners:
        raise ValueError(f"a polygon has {corners} corners, and {len(indices)} follow")
    for second, third in pairwise(indices[1:]):
        faces.append((indices[0], second, third))


# --- writing --------------------------------------------------------------------------------------------------------------


def obj_text(mesh: Mesh, comment: str = "") -> str:
    """The mesh as Wavefront .obj; `comment` is one line at its start."""
    lines = [f"# {comment}"] if comment else []
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
    return "\n".join(lines) + "\n"


def ply_bytes(mesh: Mesh, comment: str = "") -> bytes:
    """The mesh as binary .ply, float32 and int32, little-endian; `comment` is one line of its header."""
    lines = ["ply", "format binary_little_endian 1.0"]
    if comment:
        lines.append(f"comment {comment}")
    lines += [f"element vertex {len(mesh.vertices)}", "property float x", "property float y", "property float z"]
    lines += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    rows = np.zeros(len(mesh.faces), np.dtype([("corners", "u1"), ("indices", "<i4", 3)]))
    rows["corners"], rows["indices"] = 3, mesh.faces
    return "\n".join(lines).encode("ascii") + b"\n" + mesh.vertices.astype("<f4").tobytes() + rows.tobytes()


# --- voxels ---------------------------------------------------------------------------------------------------------------


def voxelised(mesh: Mesh, voxels: int) -> np.ndarray:
    """Which voxels lie inside, (voxels, voxels, voxels) bool by z, y, x: those whose middle a ray from z = -infinity reaches
    through an odd number of triangles.

    The mesh is scaled by one factor until its longest side leaves MARGIN_VOXELS at either end, and put into the middle. Broken
    where it has holes, or no extent.
    """
    holes = open_edges(mesh)
    if holes:
        raise Broken(f"its surface has holes ({holes:,} open edges), so it has no inside: close them in a mesh editor")
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    extent = float((high - low).max())
    if not extent > 0:
        raise Broken("all of its vertices are one point")
    scale = (voxels - 2 * MARGIN_VOXELS) / extent
    corners = ((mesh.vertices - (low + high) / 2) * scale + (voxels - 1) / 2)[
        mesh.faces
    ]  # in voxels, middles at integers

    # Rays along z through the middle of each column.
    rows, columns = np.mgrid[:voxels, :voxels]
    x, y = columns.ravel() + JITTER[0], rows.ravel() + JITTER[1]
    crossings = np.zeros((voxels + 1, voxels * voxels), dtype=np.int64)
    for start in range(0, len(corners), TRIANGLES_PER_BLOCK):
        a, b, c = (corners[start : start + TRIANGLES_PER_BLOCK, i, :, None] for i in range(3))  # (T, 3, 1)
        # Barycentric coordinates of each column in each triangle, seen along z.
        twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            v = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / twice
            w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / twice
            hits = (v >= 0) & (w >= 0) & (v + w <= 1) & (twice != 0)
        triangle, column = np.nonzero(hits)
        one, other = v[triangle, column], w[triangle, column]
        height = a[triangle, 2, 0] + one * (b - a)[triangle, 2, 0] + other * (c - a)[triangle, 2, 0]
        np.add.at(crossings, (np.clip(np.ceil(height), 0, voxels).astype(np.int64), column), 1)
    inside = np.cumsum(crossings, axis=0)[:voxels] % 2 == 1
    return inside.reshape(voxels, voxels, voxels)
