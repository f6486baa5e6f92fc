from __future__ import annotations

import numpy as np
import pytest

from ganvas.data.surface import (
    Mesh,
    area,
    components,
    enclosed_volume,
    is_closed,
    largest_component,
    marching_cubes,
    open_edges,
    surface_points,
    triangle_table,
)


def ball(radius: float = 10.0, side: int = 32) -> np.ndarray:
    """Occupancy that falls linearly through the surface of a ball, (side, side, side) in [0, 255]."""
    distance = np.linalg.norm(np.mgrid[:side, :side, :side] - (side - 1) / 2, axis=0)
    return np.clip(127.5 + 127.5 * (radius - distance), 0, 255)


def test_a_ball_has_its_volume_and_its_surface() -> None:
    mesh = marching_cubes(ball(10.0))
    assert enclosed_volume(mesh) == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.03)
    assert area(mesh) == pytest.approx(4 * np.pi * 10**2, rel=0.03)
    assert mesh.vertices.mean(0) == pytest.approx([15.5] * 3)
    assert np.linalg.norm(mesh.vertices - 15.5, axis=1) == pytest.approx(10, abs=0.05)


def test_axes_are_x_y_z_and_triangles_face_outwards() -> None:
    volume = np.zeros((3, 4, 5))
    volume[2, 1, 0] = 255
    mesh = marching_cubes(volume)
    assert len(mesh.vertices) == 6 and len(mesh.faces) == 8  # an octahedron around one voxel
    assert mesh.vertices.mean(0) == pytest.approx([0, 1, 2])
    assert enclosed_volume(mesh) == pytest.approx(1 / 6)  # half-axes of 1/2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_any_volume_is_closed(share: float) -> None:
    """Random voxels meet every case, the ambiguous ones too, and touch the border."""
    volume = 255.0 * (np.random.default_rng(1).random((9, 10, 11)) < share)
    mesh = marching_cubes(volume)
    assert is_closed(mesh) and open_edges(mesh) == 0
    assert not is_closed(Mesh(mesh.vertices, mesh.faces[1:]))


def test_every_case_but_two_has_triangles() -> None:
    assert [case for case, triangles in enumerate(triangle_table()) if not triangles] == [0, 255]


def test_nothing_inside_gives_no_triangles() -> None:
    assert len(marching_cubes(np.zeros((4, 4, 4))).faces) == 0


def test_a_hole_has_three_open_edges() -> None:
    mesh = marching_cubes(ball(3.0, 10))
    assert open_edges(Mesh(mesh.vertices, mesh.faces[1:])) == 3


def test_points_lie_evenly_on_the_surface() -> None:
    points = surface_points(marching_cubes(ball(10.0)), 2000, np.random.default_rng(0)) - 15.5
    assert np.linalg.norm(points, axis=1) == pytest.approx(10, abs=0.2)
    assert np.abs(points.mean(0)).max() < 0.5
    assert (points[:, 2] > 5).mean() == pytest.approx(
        0.25, abs=0.04
    )  # a cap of half the radius: a quarter (Archimedes)


def test_pieces_are_numbered_by_their_size() -> None:
    inside = np.zeros((6, 6, 6), bool)
    inside[0, 0, :3] = True  # 3 voxels
    inside[4, 1:5, 1:5] = True  # 16 voxels
    inside[5, 5, 5] = True  # 1 voxel, at a corner of nothing
    pieces = components(inside)
    assert [(pieces == number).sum() for number in (1, 2, 3)] == [16, 3, 1]
    assert pieces.max() == 3 and (pieces[~inside] == 0).all()
    assert components(np.zeros((2, 2, 2), bool)).max() == 0


def test_a_winding_path_is_one_piece() -> None:
    """Along it a number has a long way to go."""
    inside = np.zeros((1, 15, 15), bool)
    inside[0, ::2] = True
    inside[0, 1::4, -1] = inside[0, 3::4, 0] = True
    assert components(inside).max() == 1


def test_the_largest_piece_keeps_its_values() -> None:
    volume = np.zeros((4, 4, 4), np.uint8)
    volume[0, 0, :2], volume[2:, 2:, 2:], volume[1, 1, 1] = 255, 200, 100
    kept = largest_component(volume)
    assert kept[0, 0].sum() == 0 and (kept[2:, 2:, 2:] == 200).all()
    assert kept[1, 1, 1] == 100  # below the level: it belongs to no piece, and makes the surface where it is
