"""The feed: each image once an epoch, in an order that only seed, salt and position decide."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from ganvas.data.kinds import feeds
from ganvas.data.kinds.feeds import Feed, TextFeed, resident_bytes
from ganvas.data.kinds.read_ahead import Read
from ganvas.errors import DataError

COUNT = 10


def feed(**more: Any) -> Feed:
    """Image i is 2 x 3 pixels of value i, its label is i too; its partner is 100 + i."""
    images = np.broadcast_to(np.arange(COUNT, dtype=np.uint8)[:, None, None, None], (COUNT, 2, 3, 1))
    chosen: dict[str, Any] = {"batch_size": 4, "seed": 7, "generator": torch.Generator().manual_seed(7), **more}
    return Feed(images.copy(), np.arange(COUNT), images + np.uint8(100), **chosen)


def drawn(feed: Feed, batches: int) -> list[int]:
    return [label for _ in range(batches) for label in feed.next().label.tolist()]  # pyright: ignore[reportOptionalMemberAccess]


def test_each_image_comes_once_an_epoch_in_ever_new_order() -> None:
    rows = drawn(feed(), 5)  # 20 images: two epochs, the second begins inside the third batch
    assert sorted(rows[:COUNT]) == sorted(rows[COUNT:]) == list(range(COUNT))
    assert rows[:COUNT] != rows[COUNT:] and rows[:COUNT] != list(range(COUNT))


def test_seed_and_salt_decide_the_order() -> None:
    assert drawn(feed(), 5) == drawn(feed(), 5)
    assert drawn(feed(), 5) != drawn(feed(seed=8), 5)
    salted = feed()
    salted.reshuffle(1)
    assert drawn(salted, 5) != drawn(feed(), 5)
    salted.reshuffle(0)
    salted.position = 0
    assert drawn(salted, 5) == drawn(feed(), 5)


def test_a_position_is_a_place_to_resume_from() -> None:
    whole = drawn(feed(), 8)
    for position in (0, 4, 8, 12, 28):
        later = feed()
        later.position = position
        assert drawn(later, 1) == whole[position : position + 4]
        assert later.position == position + 4


def test_a_batch_may_be_larger_than_the_set() -> None:
    rows = drawn(feed(batch_size=25), 2)
    assert all(sorted(rows[start : start + COUNT]) == list(range(COUNT)) for start in range(0, 50, COUNT))


def test_bytes_become_minus_one_to_one() -> None:
    images = np.array([0, 51, 255], dtype=np.uint8).reshape(1, 1, 1, 3)
    one = Feed(images, None, None, batch_size=1, seed=0, generator=torch.Generator()).next()
    assert_close(one.real, torch.tensor([-1.0, -0.6, 1.0]).view(1, 3, 1, 1))
    assert one.label is None and one.partner is None


def test_axes_labels_and_partners_go_together() -> None:
    images = np.arange(2 * 3 * 4 * 2, dtype=np.uint8).reshape(2, 3, 4, 2)
    made = Feed(images, np.array([5, 6]), images[::-1].copy(), batch_size=2, seed=0, generator=torch.Generator()).next()
    assert made.real.shape == (2, 2, 3, 4)
    for n, label in enumerate(made.label.tolist()):  # pyright: ignore[reportOptionalMemberAccess]
        expected = torch.from_numpy(images[label - 5]).permute(2, 0, 1).float() / 127.5 - 1
        assert_close(made.real[n], expected)
        other = torch.from_numpy(images[6 - label]).permute(2, 0, 1).float() / 127.5 - 1
        assert_close(made.partner[n], other)  # pyright: ignore[reportOptionalSubscript]


@pytest.mark.parametrize("mirror", [False, True])
def test_two_ranks_together_are_one(mirror: bool) -> None:
    """Images, flips and all random numbers: the halves of what one process draws."""
    one = feed(mirror=mirror)
    halves = [feed(mirror=mirror, rank=rank, ranks=2) for rank in (0, 1)]
    for _ in range(6):
        whole, parts = one.next(), [half.next() for half in halves]
        assert len(whole) == 4 and [len(part) for part in parts] == [2, 2]
        assert_close(torch.cat([part.real for part in parts]), whole.real, rtol=0, atol=0)
        assert torch.cat([part.label for part in parts]).tolist() == whole.label.tolist()  # pyright: ignore[reportArgumentType, reportOptionalMemberAccess]
        for draw in (lambda batch: batch.normal(3), lambda batch: batch.uniform(1, 1), lambda batch: batch.integers(9)):
            assert torch.equal(torch.cat([draw(part) for part in parts]), draw(whole))
        assert halves[0].position == halves[1].position == one.position


def test_random_numbers_keep_their_bounds() -> None:
    batch = feed(batch_size=1000).next()
    low = batch.uniform(1, low=-1.0, high=3.0)
    assert low.shape == (1000, 1) and low.min() >= -1 and low.max() < 3 and low.mean() == pytest.approx(1, abs=0.1)
    numbers = batch.integers(3, 2)
    assert numbers.shape == (1000, 2) and set(numbers.flatten().tolist()) == {0, 1, 2}


def test_mirror_flips_about_half_and_pairs_alike() -> None:
    images = np.zeros((COUNT, 1, 2, 1), dtype=np.uint8)
    images[:, :, 0] = 255
    made = Feed(
        images, None, images, batch_size=200, seed=0, generator=torch.Generator().manual_seed(0), mirror=True
    ).next()
    flipped = made.real[:, 0, 0, 0] < 0
    assert 60 < flipped.sum() < 140
    assert torch.equal(made.real, made.partner)  # pyright: ignore[reportArgumentType]
    assert_close(made.real.sum((1, 2, 3)), torch.zeros(200))


def test_a_mapped_set_gives_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = [feed(mirror=True).next() for _ in range(1)]
    monkeypatch.setattr(feeds, "RESIDENT_BYTES", 1)
    mapped = feed(mirror=True)
    assert isinstance(mapped.images, np.ndarray)
    made = mapped.next()
    assert torch.equal(made.real, resident[0].real) and torch.equal(made.label, resident[0].label)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("more", [{"mirror": True}, {"apart": True, "mirror": True}, {"rank": 1, "ranks": 2}])
def test_what_is_read_ahead_is_what_would_be_read(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Over ends of epochs, after a step back, and in another order: to the last bit what a resident set gives, and with the
    random generator where it would be."""
    resident = feed(**more)
    monkeypatch.setattr(feeds, "RESIDENT_BYTES", 1)
    mapped = feed(**more)

    def compare(batches: int) -> None:
        for _ in range(batches):
            one, other = resident.next(), mapped.next()
            for name in ("real", "label", "partner"):
                assert torch.equal(getattr(one, name), getattr(other, name))
            assert torch.equal(resident.generator.get_state(), mapped.generator.get_state())
            assert resident.position == mapped.position

    compare(7)
    resident.position = mapped.position = 8
    compare(3)
    for one in (resident, mapped):
        one.reshuffle(2)
    compare(3)


def test_a_batch_is_read_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RESIDENT_BYTES", 1)
    mapped, read = feed(), []
    now = Read.now
    monkeypatch.setattr(Read, "now", lambda self: (read.append(threading.get_ident()), now(self))[1])
    for number in range(1, 5):
        mapped.next()
        assert mapped._ahead is not None
        for _, batch in mapped._ahead._pending:
            batch.result()
        assert mapped._ahead._thread is not None
        # Threads of feeds in earlier tests may still be reading.
        own = {thread.ident for thread in mapped._ahead._thread._threads}
        reads = [ident for ident in read if ident in own]
        assert len(reads) == 4 * (number + 2)  # images, rows, partners and labels of this batch and of the next two
    assert threading.get_ident() not in read


def test_an_error_while_reading_ahead_comes_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RESIDENT_BYTES", 1)
    mapped = feed()

    def broken(self: Read) -> torch.Tensor:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Read, "now", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        mapped.next()


def test_what_is_resident_follows_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images and partners of 60 bytes each: on an accelerator that has 1000 bytes free they lie there, with 200 they do not."""
    monkeypatch.setattr(feeds, "free_memory", lambda device: 1000)
    assert feed().is_resident
    monkeypatch.setattr(feeds, "free_memory", lambda device: 200)
    assert not feed().is_resident
    monkeypatch.setattr(feeds, "free_memory", lambda device: None)
    assert resident_bytes(torch.device("cpu")) == feeds.RESIDENT_BYTES


def test_a_set_moves_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """`meta` passes for an accelerator: the host never holds a copy of more than COPIED_BYTES."""
    monkeypatch.setattr(feeds, "COPIED_BYTES", 13)  # two images of six bytes
    copied, copy = [], np.array
    monkeypatch.setattr(np, "array", lambda array, *more: (copied.append(len(array)), copy(array, *more))[1])
    made = Feed(
        np.zeros((5, 2, 3, 1), np.uint8), None, None, batch_size=2, seed=0, generator=torch.Generator(), device="meta"
    )
    assert isinstance(made.images, torch.Tensor) and made.images.shape == (5, 2, 3, 1)
    assert max(copied) <= 2 and copied.count(2) == 2


def test_text_is_read_ahead_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = text_feed()
    monkeypatch.setattr(feeds, "RESIDENT_BYTES", 1)
    mapped = text_feed()
    for _ in range(12):
        one, other = resident.next(), mapped.next()
        assert torch.equal(one.real, other.real) and one.begins == other.begins


def test_the_source_is_never_changed() -> None:
    images = np.full((4, 2, 2, 1), 9, dtype=np.uint8)
    images.setflags(write=False)
    made = Feed(images, None, None, batch_size=4, seed=0, generator=torch.Generator())
    made.next().real.zero_()
    assert (made.next().real < 0).all() and (images == 9).all()


# --- text -----------------------------------------------------------------------------------------------------------------


def text_feed(count: int = 41, **more: Any) -> TextFeed:
    """Token i is i; two stretches of 20, read four at a time."""
    chosen: dict[str, Any] = {"batch_size": 2, "window": 4, "seed": 7, "generator": torch.Generator(), **more}
    return TextFeed(np.arange(count, dtype=np.uint8), **chosen)


def test_rows_of_text_continue_where_they_ended() -> None:
    text = text_feed()
    assert text.stretch == 20 and text.steps == 4
    batches = [text.next() for _ in range(9)]
    assert [batch.begins for batch in batches] == [True, False, False, False] * 2 + [True]
    for epoch in (batches[:4], batches[4:8]):
        first = epoch[0].real[:, 0].tolist()
        assert first[1] - first[0] == 20 and 0 <= first[0] < 4
        for step, batch in enumerate(epoch):
            expected = torch.tensor(first)[:, None] + 4 * step + torch.arange(5)  # the last one is only predicted
            assert torch.equal(batch.real, expected)
    starts = {int(text_feed(seed=seed).next().real[0, 0]) for seed in range(20)}
    assert starts == {0, 1, 2, 3}, "windows are not always cut at the same places"


def test_text_is_shared_by_ranks_and_resumes() -> None:
    whole, ranks = text_feed(), [text_feed(rank=rank, ranks=2) for rank in range(2)]
    for _ in range(6):
        assert torch.equal(whole.next().real, torch.cat([rank.next().real for rank in ranks]))
    later = text_feed()
    later.position = whole.position
    a, b = whole.next(), later.next()
    assert torch.equal(a.real, b.real) and a.begins == b.begins


def test_a_text_too_short_says_how_long_it_must_be() -> None:
    text_feed(15).next()
    with pytest.raises(DataError, match="a text of 14 tokens is too short for 2 rows of 4: it takes 15 at least"):
        text_feed(14)
