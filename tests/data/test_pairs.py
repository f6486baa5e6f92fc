"""Pairs: halves of an image, two folders of the same names, drawings of edges, and partners that are drawn apart."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import Dataset, open_data, write_png
from ganvas.data.feed import make_feed
from ganvas.data.pairs import halved, scribbles
from ganvas.errors import DataError, UsageError

COUNT = 30


def plain(value: int, size: tuple[int, int] = (8, 8)) -> np.ndarray:
    """An image of one colour, a little darker on its left, so that a mirror shows."""
    image = np.full((*size, 3), value, np.uint8)
    image[:, : size[1] // 2] -= 3
    return image


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Image i has the value 10 + 3 i, its partner of the same name 255 less; the endings differ where they can."""
    for number in range(COUNT):
        write_png(tmp_path / "a" / f"{number:02d}.png", plain(10 + 3 * number))
        write_png(tmp_path / "b" / "in" / f"{number:02d}.png", plain(245 - 3 * number))
    (tmp_path / "b" / "in" / "03.png").rename(tmp_path / "b" / "in" / "03.apng")
    return tmp_path / "a", tmp_path / "b"


def belongs(real: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
    """Whether each partner is its image's own, by the right column of an image that was not mirrored."""
    total = real.amax((1, 2, 3)) + partner.amax((1, 2, 3))  # the values of a pair add up to 255: 0 in [-1, 1]
    return total.abs() < 1e-4


def drawn(data: Dataset, steps: int, **more: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    feed = make_feed(data, batch_size=6, seed=3, generator=torch.Generator().manual_seed(3), **more)
    batches = [feed.next() for _ in range(steps)]
    return [(batch.real, batch.partner) for batch in batches if batch.partner is not None]


# --- two folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [False, True])
def test_pairs_stay_pairs_through_shuffle_split_and_mirror(folders: tuple[Path, Path], mirror: bool) -> None:
    a, b = folders
    train = open_data(a, partner=str(b), mirror=mirror)
    test = train.part("test")
    assert test is not None and train.spec.paired and train.matched and len(train) == 27 and len(test) == 3
    for part in (train, test):
        assert part.partners is not None and len(part.partners) == len(part)
        assert ((part.images[:, 0, -1, 0].astype(int) + part.partners[:, 0, -1, 0]) == 255).all()
    flipped = []
    for real, partner in drawn(train, 9):
        assert belongs(real, partner).all()
        assert torch.equal(real[:, 0, 0, 0] > real[:, 0, 0, -1], partner[:, 0, 0, 0] > partner[:, 0, 0, -1])
        flipped.append(real[:, 0, 0, 0] > real[:, 0, 0, -1])
    assert bool(torch.cat(flipped).any()) == mirror
    again = open_data(a, partner=str(b), mirror=mirror)  # out of the cache this time
    assert again.fingerprint == train.fingerprint and (again.partners == train.partners).all()
    assert train.card()["partners"] == {"train": 27, "test": 3}


def test_where_the_partners_lie_does_not_matter_but_what_they_are(folders: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = folders
    before = open_data(a, partner=str(b)).fingerprint
    b.rename(tmp_path / "c")
    assert open_data(a, partner=str(tmp_path / "c")).fingerprint == before
    write_png(tmp_path / "c" / "in" / "07.png", plain(9))
    os.utime(tmp_path / "c" / "in" / "07.png", ns=(time.time_ns(), time.time_ns() + 10**9))
    assert open_data(a, partner=str(tmp_path / "c")).fingerprint != before


def test_a_setting_that_is_not_used_leaves_old_fingerprints_alone() -> None:
    assert open_data("emoji").fingerprint == open_data("emoji", pairs="auto", unpaired=False, partner=None).fingerprint
    assert open_data("emoji").fingerprint != open_data("emoji", unpaired=True).fingerprint


def test_all_that_have_no_partner_are_told_in_one_error(folders: tuple[Path, Path]) -> None:
    a, b = folders
    (a / "04.png").unlink()
    (b / "in" / "05.png").unlink()
    write_png(b / "in" / "06.png", plain(90, (8, 10)))
    with pytest.raises(DataError) as told:
        open_data(a, partner=str(b))
    message = str(told.value)
    assert message.startswith("3 images of ") and "do not pair" in message
    assert f"05.png: no partner in {b}" in message and f"04.png: no image of that name in {a}" in message
    assert "06.png: 8 x 8 pixels, its partner 10 x 8 pixels" in message
    kept = open_data(a, partner=str(b), skip_broken=True)
    assert len(kept) + len(kept.part("test") or []) == COUNT - 3 and len(kept.problems) == 3
    assert all(belongs(real, partner).all() for real, partner in drawn(kept, 5))


def test_a_broken_partner_takes_its_image_with_it(folders: tuple[Path, Path]) -> None:
    a, b = folders
    whole = (b / "in" / "08.png").read_bytes()
    (b / "in" / "08.png").write_bytes(whole[:-30])  # the header is sound
    (a / "09.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 of 30 images.*\n(.*\n)*.*08\.png: its partner .*08\.png"):
        open_data(a, partner=str(b))
    kept = open_data(a, partner=str(b), skip_broken=True)
    assert len(kept) + len(kept.part("test") or []) == COUNT - 2
    assert all(belongs(real, partner).all() for real, partner in drawn(kept, 5))


def test_folders_that_do_not_go_together(folders: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = folders
    write_png(tmp_path / "other" / "x.png", plain(9))
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "array.npz", images=np.zeros((4, 8, 8, 3), np.uint8))
    for partner, message in [
        ("other", "no image in .*other has the name of one in .*a .*unpaired=true"),
        ("empty", "empty is empty"),
        ("array.npz", "partners by file name need two folders or zips"),
        ("nowhere", "there is no data set and no path"),
    ]:
        with pytest.raises(DataError, match=message):
            open_data(a, partner=str(tmp_path / partner))
    with pytest.raises(DataError, match="empty is empty"):
        open_data(a, partner=str(tmp_path / "empty"), unpaired=True)
    with pytest.raises(UsageError, match=r"data.partner and data.pairs=edges both say"):
        open_data(a, partner=str(b), pairs="edges")
    (b / "in" / "02.jpg").write_bytes((b / "in" / "02.png").read_bytes())
    with pytest.raises(DataError, match="differ in the ending only"):
        open_data(a, partner=str(b))


# --- halves -------------------------------------------------------------------------------------------------------------


def test_the_right_half_is_the_right_one(tmp_path: Path) -> None:
    for number in range(6):
        both = np.concatenate([plain(50 + number, (8, 12)), plain(200 + number, (8, 12))], 1)
        write_png(tmp_path / "both" / f"{number}.png", both)
    data = open_data(tmp_path / "both", pairs="left_right", holdout=0)
    assert data.spec.shape == (3, 8, 12) and data.spec.paired and data.partners is not None
    assert (data.images.max((1, 2, 3)) + 150 == data.partners.max((1, 2, 3))).all() and data.images.max() == 55
    turned = open_data(tmp_path / "both", pairs="right_left", holdout=0)
    assert (turned.images == data.partners).all() and (turned.partners == data.images).all()
    # Cutting to a square must cut each half, not the outer sides of both.
    square = open_data(tmp_path / "both", pairs="left_right", size=8, holdout=0)
    assert square.images[0, 0, 0, 0] + 3 == square.images[0, 0, -1, 0]
    assert square.partners is not None and square.partners[0, 0, 0, 0] + 3 == square.partners[0, 0, -1, 0]
    write_png(tmp_path / "both" / "odd.png", plain(9, (8, 25)))
    with pytest.raises(DataError, match="25 pixels wide, so it has no two equal halves"):
        open_data(tmp_path / "both", pairs="left_right")


def test_halves_of_arrays(tmp_path: Path) -> None:
    images = np.zeros((12, 4, 6, 1), np.uint8)
    images[:, :, 3:] = 7
    np.savez(tmp_path / "both.npz", images=images)
    data = open_data(tmp_path / "both.npz", pairs="right_left")
    assert data.images.shape == (11, 4, 3, 1) and (data.images == 7).all() and (data.partners == 0).all()
    with pytest.raises(DataError, match="3 pixels wide, which have no two equal halves"):
        halved(images[:, :, :3], "left_right", "here")


# --- edges --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_scribbles_of_a_square(channels: int) -> None:
    """A thin closed line on the border of a square of 10 x 10, and nothing else."""
    image = np.zeros((1, 24, 24, channels), np.uint8)
    image[:, 7:17, 7:17] = 220
    if channels == 4:
        image[..., 3] = 255
    drawing = scribbles(image)
    assert drawing.shape == image.shape and drawing.dtype == np.uint8
    ink = drawing[0, ..., 0] == 0
    assert (drawing[0, ..., 0][~ink] == 255).all()
    if channels == 4:
        assert (drawing[..., 3] == 255).all()
    assert not ink[:6].any() and not ink[18:].any() and not ink[:, :6].any() and not ink[:, 18:].any()
    assert not ink[9:15, 9:15].any()
    for line in (ink[10], ink[13], ink[:, 10], ink[:, 13]):
        assert line.sum() == 2, "one pixel thick on either side"
    assert 28 <= ink.sum() <= 44
    assert (ink == ink.T).all()


def test_nothing_to_draw() -> None:
    assert (scribbles(np.full((2, 9, 7, 3), 90, np.uint8)) == 255).all()
    assert scribbles(np.zeros((1, 1, 1, 1), np.uint8)).tolist() == [[[[255]]]]


def test_edges_make_pairs_of_any_source(folders: tuple[Path, Path]) -> None:
    data = open_data("emoji", pairs="edges")
    plain_ones = open_data("emoji")
    assert data.spec.paired and (data.partners == plain_ones.images).all()
    assert (data.images == scribbles(plain_ones.images)).all()
    assert 0.03 < (data.images == 0).mean() < 0.3
    small = open_data(folders[0], pairs="edges")
    assert (small.partners == open_data(folders[0]).images).all() and small.images.max() == 255


# --- apart --------------------------------------------------------------------------------------------------------------


def test_partners_apart_come_in_an_order_of_their_own(folders: tuple[Path, Path]) -> None:
    a, b = folders
    for number in range(5, 12):
        (b / "in" / f"{number:02d}.png").unlink()
    data = open_data(a, partner=str(b), unpaired=True)
    assert data.spec.unpaired and not data.spec.paired and not data.matched
    assert data.partners is not None and len(data) == 27 and len(data.partners) == 21
    assert data.card()["partners"] == {"train": 21, "test": 2}
    seen = torch.cat([partner.amax((1, 2, 3)) for _, partner in drawn(data, 7)])
    assert len(seen.unique()) == 21, "each partner once in an epoch of its own"
    halves = [drawn(data, 4, rank=rank, ranks=2) for rank in (0, 1)]
    whole = drawn(data, 4)
    for step in range(4):
        for which in (0, 1):
            assert torch.equal(torch.cat([half[step][which] for half in halves]), whole[step][which])


def test_apart_no_pair_is_shown_but_by_chance(folders: tuple[Path, Path]) -> None:
    a, b = folders
    data = open_data(a, partner=str(b), unpaired=True, mirror=True)
    found = torch.cat([belongs(real, partner) for real, partner in drawn(data, 90)])
    assert len(found) == 540 and 5 <= int(found.sum()) <= 45  # 20 expected, were partners drawn at random
    feed = make_feed(data, batch_size=6, seed=3, generator=torch.Generator().manual_seed(3))
    feed.position = 12
    later = feed.next()
    expected = make_feed(open_data(a, partner=str(b), unpaired=True), batch_size=6, seed=3, generator=torch.Generator())
    for _ in range(3):
        batch = expected.next()
    assert later.partner is not None and batch.partner is not None  # pyright: ignore[reportPossiblyUnboundVariable]
    assert torch.equal(later.partner.amax((1, 2, 3)), batch.partner.amax((1, 2, 3))), (  # pyright: ignore[reportPossiblyUnboundVariable]
        "a position is a place to continue from"
    )


def test_emoji_apart_keep_their_pairs_for_measuring() -> None:
    data, paired = open_data("emoji", unpaired=True), open_data("emoji")
    test = data.part("test")
    assert data.matched and data.spec.unpaired and test is not None and test.partners is not None
    assert (data.partners == paired.partners).all()
    with pytest.raises(DataError, match=r"digits has no partners to draw.*data.partner=PATH"):
        open_data("digits", unpaired=True)
    other = open_data("digits", partner="emoji", unpaired=True, channels=1)
    assert other.partners is not None and other.partners.shape == (1720, 28, 28, 1)
