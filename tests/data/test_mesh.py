from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from ganvas.data.image import Broken
from ganvas.data.mesh import obj_text, ply_bytes, read_mesh, voxelised
from ganvas.data.surface import Mesh, enclosed_volume, is_closed, marching_cubes

CORNERS = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
QUADS = [(1, 3, 4, 2), (5, 6, 8, 7), (1, 2, 6, 5), (3, 7, 8, 4), (1, 5, 7, 3), (2, 4, 8, 6)]  # outwards, from 1


def cube_obj(x: float = 1, y: float = 1, z: float = 1) -> bytes:
    """A box with quadrilateral faces."""
    lines = [f"v {a * x} {b * y} {c * z}" for a, b, c in CORNERS]
    lines += ["f " + " ".join(f"{corner}//1" for corner in quad) for quad in QUADS]
    return "\n".join(lines).encode()


def ascii_ply() -> bytes:
    lines = ["ply", "format ascii 1.0", "comment made here", "element vertex 8"]
    lines += ["property float x", "property float y", "property float z", "property uchar red"]
    lines += ["element face 6", "property list uchar int vertex_indices", "end_header"]
    lines += [f"{x} {y} {z} 255" for x, y, z in CORNERS]
    lines += ["4 " + " ".join(str(corner - 1) for corner in quad) for quad in QUADS]
    return "\n".join(lines).encode()


def triangles() -> np.ndarray:
    """(12, 3, 3) corners of the unit cube."""
    faces = [(quad[0] - 1, quad[i] - 1, quad[i + 1] - 1) for quad in QUADS for i in (1, 2)]
    return CORNERS[np.array(faces)]


def binary_stl() -> bytes:
    rows = b"".join(struct.pack("<12fH", 0, 0, 0, *triangle.ravel(), 0) for triangle in triangles())
    return b"\0" * 80 + struct.pack("<I", 12) + rows


def ascii_stl() -> bytes:
    lines = ["solid cube"]
    for triangle in triangles():
        lines += ["facet normal 0 0 0", "outer loop"]
        lines += [f"vertex {x} {y} {z}" for x, y, z in triangle]
        lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid cube"]).encode()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".obj", cube_obj()), (".ply", ascii_ply()), (".stl", binary_stl()), (".stl", ascii_stl())],
    ids=["obj", "ascii ply", "binary stl", "ascii stl"],
)
def test_a_cube_in_every_format(suffix: str, content: bytes) -> None:
    mesh = read_mesh(io.BytesIO(content), suffix)
    assert len(mesh.vertices) == 8 and len(mesh.faces) == 12
    assert is_closed(mesh) and enclosed_volume(mesh) == pytest.approx(1)


def test_what_is_written_is_read_again() -> None:
    volume = np.zeros((6, 6, 6))
    volume[1:4, 2:5, 1:5] = 255
    mesh = marching_cubes(volume)
    for suffix, content in ((".obj", obj_text(mesh, "a note").encode()), (".ply", ply_bytes(mesh, "a note"))):
        assert b"a note" in content
        again = read_mesh(io.BytesIO(content), suffix)
        assert is_closed(again) and enclosed_volume(again) == pytest.approx(enclosed_volume(mesh), rel=1e-4)


def test_big_endian_ply() -> None:
    head = b"ply\nformat binary_big_endian 1.0\nelement vertex 3\nproperty double x\nproperty double y\nproperty double z\n"
    head += b"element face 1\nproperty list uchar uint vertex_index\nend_header\n"
    body = struct.pack(">9d", 0, 0, 0, 1, 0, 0, 0, 1, 0) + struct.pack(">B3I", 3, 0, 1, 2)
    mesh = read_mesh(io.BytesIO(head + body), ".ply")
    assert mesh.vertices.max(0).tolist() == [1, 1, 0] and len(mesh.faces) == 1


def test_negative_numbers_of_an_obj_count_back() -> None:
    mesh = read_mesh(io.BytesIO(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n"), ".obj")
    assert mesh.vertices[mesh.faces[0]].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_box_fills_the_voxels_whose_middles_it_holds() -> None:
    inside = voxelised(read_mesh(io.BytesIO(cube_obj(1, 0.5, 0.25)), ".obj"), 10)
    depth, height, width = (np.flatnonzero(inside.any(axis)) for axis in ((1, 2), (0, 2), (0, 1)))
    assert (len(depth), len(height), len(width)) == (
        2,
        4,
        8,
    )  # 8 voxels a unit: the longest side leaves one at either end
    assert inside.sum() == 2 * 4 * 8
    assert width.tolist() == list(range(1, 9))


def test_a_ball_keeps_its_volume() -> None:
    distance = np.linalg.norm(np.mgrid[:24, :24, :24] - 11.5, axis=0)
    mesh = marching_cubes(np.clip(127.5 + 127.5 * (9 - distance), 0, 255))
    inside = voxelised(mesh, 20)  # 9 voxels of radius again
    assert inside.sum() == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)


def test_a_cavity_is_outside() -> None:
    outer, inner = triangles() * 4, triangles()[:, ::-1] * 2 + 1
    corners = np.concatenate([outer, inner]).reshape(-1, 3)
    inside = voxelised(_merged(corners), 18)
    assert not inside[9, 9, 9] and inside[9, 9, 2]
    assert inside.sum() == 16**3 - 8**3


def _merged(corners: np.ndarray) -> Mesh:
    vertices, same = np.unique(corners, axis=0, return_inverse=True)
    return Mesh(vertices, same.reshape(-1, 3))


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".obj", b"", "no triangles"),
        (".obj", b"v 0 0 0\nf 1 2 9\n", "names vertex 9 of 1"),
        (".obj", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "finite"),
        (".obj", b"v a b c\n", "no .obj file that can be read"),
        (".stl", b"something else", "does not fit"),
        (".ply", b"plx", "no end"),
        (".ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n", "promises"),
        (".ply", ascii_ply()[:-30], "no .ply file that can be read"),
    ],
)
def test_what_cannot_be_read_says_why(suffix: str, content: bytes, message: str) -> None:
    with pytest.raises(Broken, match=message):
        read_mesh(io.BytesIO(content), suffix)


def test_a_mesh_with_a_hole_has_no_inside() -> None:
    mesh = read_mesh(io.BytesIO(cube_obj()), ".obj")
    with pytest.raises(Broken, match="holes \\(3 open edges\\)"):
        voxelised(Mesh(mesh.vertices, mesh.faces[1:]), 8)
