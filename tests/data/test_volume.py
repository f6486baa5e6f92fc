from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.data.kinds.volumes import as_volumes
from ganvas.errors import DataError, UsageError

FACES = ["f 1 3 4 2", "f 5 6 8 7", "f 1 2 6 5", "f 3 7 8 4", "f 1 5 7 3", "f 2 4 8 6"]


def box(height: int = 2) -> str:
    """An .obj of 1 x 1 x height."""
    return "\n".join([f"v {x} {y} {z}" for z in (0, height) for y in (0, 1) for x in (0, 1)] + FACES)


def binvox(volume: np.ndarray) -> bytes:
    """(D, H, W) bool as .binvox, in runs of at most 255."""
    values = volume.transpose(2, 0, 1).ravel()  # x, z, y
    runs = bytearray()
    for value in values.astype(np.uint8).tolist():
        if runs and runs[-2] == value and runs[-1] < 255:
            runs[-1] += 1
        else:
            runs += bytes([value, 1])
    sides = " ".join(map(str, volume.shape[::-1][:1] + volume.shape[:2]))
    return f"#binvox 1\ndim {sides}\ntranslate 0 0 0\nscale 1\ndata\n".encode() + bytes(runs)


def some(count: int = 6, side: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, side, side, side)) < 0.3


def folder_of(tmp_path: Path, count: int = 4) -> Path:
    root = tmp_path / "objects"
    for label in ("flat", "tall"):
        (root / label).mkdir(parents=True)
    for number in range(count):
        (root / "tall" / f"{number}.obj").write_text(box(2 + number))
        (root / "flat" / f"{number}.binvox").write_bytes(binvox(some(1, 16, number)[0]))
    return root


def test_an_npz_of_volumes(tmp_path: Path) -> None:
    volumes = some(10)
    np.savez(tmp_path / "v.npz", volumes=volumes, labels=np.arange(10) % 2, classes=["a", "b"])
    data = open_data(tmp_path / "v.npz")
    assert data.spec.kind == "volumes" and data.spec.shape == (8, 8, 8) and data.spec.classes == ("a", "b")
    test = data.part("test")
    assert test is not None and len(data) + len(test) == 10
    stored = as_volumes(np.concatenate([data.examples, test.examples]))
    assert {one.tobytes() for one in stored} == {one.tobytes() for one in volumes.astype(np.uint8) * np.uint8(255)}


@pytest.mark.parametrize("scale", [np.uint8(1), np.uint8(255), np.float32(1)], ids=["bits", "bytes", "shares"])
def test_every_way_to_say_inside(tmp_path: Path, scale: np.generic) -> None:
    np.savez(tmp_path / "v.npz", volumes=some() * scale)
    assert set(np.unique(open_data(tmp_path / "v.npz").examples)) == {0, 255}


@pytest.mark.parametrize(
    ("volumes", "message"),
    [
        (np.zeros((4, 8, 8)), "has shape"),
        (np.full((4, 8, 8, 8), 1.5), "outside \\[0, 1\\]"),
        (np.full((4, 8, 8, 8), np.nan), "outside \\[0, 1\\]"),
        (np.full((4, 8, 8, 8), 300), "are taken"),
        (np.zeros((1, 1, 1, 600), bool), "at most 512 voxels"),
    ],
)
def test_what_is_no_occupancy_is_refused(tmp_path: Path, volumes: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "v.npz", volumes=volumes)
    with pytest.raises(DataError, match=message):
        open_data(tmp_path / "v.npz")


def test_grids_are_reduced_by_whole_blocks(tmp_path: Path) -> None:
    volumes = np.zeros((4, 8, 8, 8), bool)
    volumes[:, :2, :2, 0] = True
    np.savez(tmp_path / "v.npz", volumes=volumes)
    data = open_data(tmp_path / "v.npz", voxels=4)
    assert data.spec.shape == (4, 4, 4)
    assert as_volumes(data.examples)[0, 0, 0, 0] == 128 and data.examples[0].sum() == 128  # half of one block
    with pytest.raises(DataError, match="does not divide"):
        open_data(tmp_path / "v.npz", voxels=5)


def test_a_folder_of_meshes_and_grids(tmp_path: Path) -> None:
    data = open_data(folder_of(tmp_path), voxels=16, holdout=0)
    assert data.spec.shape == (16, 16, 16) and data.spec.classes == ("flat", "tall") and len(data) == 8
    tall = as_volumes(data.examples[np.flatnonzero(data.labels == 1)])
    assert all(volume.any((1, 2)).sum() == 14 for volume in tall)  # z is the longest side of each
    flat = as_volumes(data.examples[np.flatnonzero(data.labels == 0)])
    assert {one.tobytes() for one in flat} == {
        (some(1, 16, number)[0].astype(np.uint8) * np.uint8(255)).tobytes() for number in range(4)
    }


def test_a_zip_is_read_as_the_folder_in_it(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    with zipfile.ZipFile(tmp_path / "objects.zip", "w") as archive:
        for path in root.rglob("*.*"):
            archive.write(path, path.relative_to(root))
    packed, lying = open_data(tmp_path / "objects.zip", voxels=16), open_data(root, voxels=16)
    assert np.array_equal(packed.examples, lying.examples)


def test_broken_files_are_named_or_skipped(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    (root / "tall" / "open.obj").write_text(box().rsplit("\n", 1)[0])
    (root / "tall" / "short.binvox").write_bytes(binvox(some(1, 16)[0])[:-6])
    with pytest.raises(DataError, match=r"(?s)open.obj.*holes.*short.binvox.*of 4,096 voxels"):
        open_data(root, voxels=16)
    data = open_data(root, voxels=16, skip_broken=True, holdout=0)
    assert len(data) == 8 and len(data.problems) == 2


def test_one_mesh_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "one.obj").write_text(box())
    with pytest.raises(DataError, match="is 1 volume"):
        open_data(tmp_path / "one.obj")


def test_image_settings_mean_nothing_here(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", volumes=some())
    with pytest.raises(UsageError, match=r"data\.mirror is about images"):
        open_data(tmp_path / "v.npz", mirror=True)


def test_the_built_in_shapes() -> None:
    data = open_data("shapes")
    test = data.part("test")
    assert test is not None and (len(data), len(test)) == (400, 100) and data.spec.shape == (32, 32, 32)
    assert set(np.unique(data.examples[:50])) == {0, 255}
    digests = {one.tobytes() for one in data.examples} & {one.tobytes() for one in test.examples}
    assert not digests
    assert open_data("shapes", voxels=16).spec.shape == (16, 16, 16)
