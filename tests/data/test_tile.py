"""data.fit=tile: photos cut into patches, and no patch of a test photo in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import open_data
from ganvas.data.image import patches
from ganvas.errors import DataError, UsageError


def photos(folder: Path, count: int = 10, size: tuple[int, int] = (50, 70), start: int = 0) -> Path:
    """Each photo has a level of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((*size, 3), 10 * (start + number), np.uint8)).save(folder / f"{start + number}.png")
    return folder


def test_patches_lie_side_by_side() -> None:
    image = np.arange(5 * 7).reshape(5, 7, 1)
    cut = patches(image, (2, 3))
    assert cut.shape == (4, 2, 3, 1)
    assert cut[0, ..., 0].tolist() == [[0, 1, 2], [7, 8, 9]] and cut[3, ..., 0].tolist() == [[17, 18, 19], [24, 25, 26]]


def test_every_photo_gives_its_patches_to_one_split(tmp_path: Path) -> None:
    data = open_data(photos(tmp_path / "photos"), size=16, fit="tile", holdout=0.2)
    test = data.part("test")
    assert test is not None
    assert data.spec.shape == (3, 16, 16)
    assert len(data) == 8 * 12 and len(test) == 2 * 12, "three by four patches of each photo"
    levels, held = (set(part.images[:, 0, 0, 0].tolist()) for part in (data, test))
    assert len(levels) == 8 and len(held) == 2 and not levels & held
    assert len(set(data.images[:12, 0, 0, 0].tolist())) > 2, "the patches of a photo are spread out"
    assert all((one == one[0, 0]).all() for one in data.images)


def test_labels_follow_the_patches(tmp_path: Path) -> None:
    photos(tmp_path / "set" / "dark", 4, (40, 40))
    photos(tmp_path / "set" / "light", 4, (20, 60), start=20)
    data = open_data(tmp_path / "set", size=20, fit="tile", holdout=0.25)
    assert data.labels is not None
    assert np.array_equal(data.labels, (data.images[:, 0, 0, 0] >= 200).astype(int)) and len(data) == 3 * 4 + 3 * 3


def test_a_photo_smaller_than_a_patch_is_named(tmp_path: Path) -> None:
    photos(tmp_path / "set", 4, (40, 40))
    photos(tmp_path / "set", 1, (30, 60), start=9)
    with pytest.raises(DataError, match=r"9\.png: 30 x 60 pixels hold no patch of 32 x 32"):
        open_data(tmp_path / "set", size=32, fit="tile")
    assert len(open_data(tmp_path / "set", size=32, fit="tile", skip_broken=True, holdout=0)) == 4


def test_tiles_need_a_size_and_photos(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.size=96"):
        open_data(photos(tmp_path / "set"), fit="tile")
    with pytest.raises(UsageError, match="a folder or zip"):
        open_data("digits", size=14, fit="tile")
