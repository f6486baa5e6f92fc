"""Endless batches of a data set that lies in memory (or a memory map): shuffled images or clips, or text in its own order.

The order is a function of the seed and of how many examples were drawn; so a resumed training draws what it would have drawn,
and every rank knows its own share of each global batch without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Required, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batch import Batch, as_audio, as_video
from ganvas.data.kinds.read_ahead import Place, Read, ReadAhead
from ganvas.device import free_memory, to_device
from ganvas.errors import DataError

RESIDENT_BYTES = 2 * 2**30  # larger sets stay mapped on a CPU, and are read a batch at a time
RESIDENT_SHARE = 0.4  # of an accelerator's free memory, when the networks are there already
COPIED_BYTES = 2**26  # of a set that moves to an accelerator at a time
SORTED_BATCHES = 16  # of parallel text, within which rows are sorted by length
PREPARED_PER_BLOCK = 64  # images that are prepared at once


class BatchRows(NamedTuple):
    """Which examples a batch takes, and which partners."""

    own: Tensor
    partners: Tensor


class Examples(NamedTuple):
    """A batch as it is stored, on the feed's device."""

    own: Tensor
    partners: Tensor | None
    labels: Tensor | None
    rows: Tensor


class FeedOptions(TypedDict, total=False):
    """Settings that feeds of every kind have; see Feed."""

    seed: Required[int]
    generator: Required[torch.Generator]
    rank: int
    ranks: int
    device: torch.device | str


class Feed:
    """Batches of `images` uint8 (N, H, W, C), with their `labels` (N,) and `partners` like images.

    `batch_size` is that of the global batch; this rank gets batch_size / ranks of it. `position` counts the images drawn by all
    ranks so far; setting it goes back or on. `salt` gives another order from the same seed. `apart`: partners, as many as there
    are, come in an order of their own (and are mirrored each for itself).
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        partners: np.ndarray | None,
        *,
        batch_size: int,
        seed: int,
        generator: torch.Generator,
        mirror: bool = False,
        apart: bool = False,
        rank: int = 0,
        ranks: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.is_resident = images.nbytes + (0 if partners is None else partners.nbytes) <= resident_bytes(self.device)
        self.images = self._hold(images)
        self.labels = None if labels is None else self._hold(labels)
        self.partners = None if partners is None else self._hold(partners)
        self._ahead = None if self.is_resident else ReadAhead(self.device)
        self.batch_size, self.seed, self.generator, self.mirror = batch_size, seed, generator, mirror
        self.apart = apart and partners is not None
        self.rank, self.ranks = rank, ranks
        self.position = 0
        self.salt = 0
        self.prepared: list[Tensor] = []
        self._orders: dict[int, tuple[int, Tensor]] = {}

    def next(self) -> Batch:
        """The next global batch, this rank's rows."""
        examples = self._next_examples()
        real = self._as_input(examples.own)
        partner = None
        if examples.partners is not None:
            partner = self._as_input(examples.partners)
        label = examples.labels
        batch = Batch(real, label, partner, self.generator, rank=self.rank, ranks=self.ranks)
        flipped = None
        if self.mirror:
            flipped = batch.uniform(1, 1, 1) < 0.5
            batch.real = torch.where(_like(flipped, real), real.flip(-1), real)
            if partner is not None:
                partner_flipped = flipped
                if self.apart:
                    partner_flipped = batch.uniform(1, 1, 1) < 0.5
                batch.partner = torch.where(partner_flipped, partner.flip(3), partner)
        if self.prepared:
            parts = [part.index_select(0, examples.rows) for part in self.prepared]
            if flipped is not None:
                parts[0] = torch.where(flipped.view(-1, *[1] * (parts[0].ndim - 1)), parts[1], parts[0])
            batch.prepared = parts[0]
        return batch

    @torch.no_grad()
    def prepare(self, make: Callable[[Tensor], Tensor]) -> None:
        """From now on batches hold make(images) of their images as `prepared`; with `mirror` that of the mirrored ones, where
        they are. `make` gets all images once, in blocks of one size, the last filled up."""
        upright: list[Tensor] = []
        mirrored: list[Tensor] = []
        for start in range(0, len(self.images), PREPARED_PER_BLOCK):
            rows = torch.arange(start, start + PREPARED_PER_BLOCK).clamp_max(len(self.images) - 1)
            images = self._as_input(self._take(self.images, rows))
            upright.append(make(images))
            if self.mirror:
                mirrored.append(make(images.flip(-1)))
        self.prepared = [torch.cat(upright)[: len(self.images)]]
        if mirrored:
            self.prepared.append(torch.cat(mirrored)[: len(self.images)])

    def prepared_as(self, other: Feed) -> None:
        """Takes over what `prepare` made for another feed of the same images."""
        self.prepared = other.prepared

    def _next_examples(self) -> Examples:
        """The examples at `position`, which moves past them. Those that stay on the host were read ahead."""
        position = self.position
        self.position += self._examples_in_batch
        if self._ahead is None:
            rows = self._rows_at(position)
            own = self._take(self.images, rows.own)
            partners = None if self.partners is None else self._take(self.partners, rows.partners)
            labels = None if self.labels is None else self._take(self.labels, rows.own)
            return Examples(own, partners, labels, rows.own)
        own, rows, *others = self._ahead.take((self.salt, position), lambda number: self._reads(position, number))
        partners = others.pop(0) if self.partners is not None else None
        labels = others.pop(0) if self.labels is not None else None
        return Examples(own, partners, labels, rows)

    def _reads(self, position: int, number: int) -> tuple[Place, list[Read]]:
        """What the `number`-th batch after `position` reads: its place, and pairs of array and rows."""
        position += number * self._examples_in_batch
        rows = self._rows_at(position)
        reads = [Read(self.images, rows.own), Read(None, rows.own)]
        if self.partners is not None:
            reads.append(Read(self.partners, rows.partners))
        if self.labels is not None:
            reads.append(Read(self.labels, rows.own))
        return (self.salt, position), reads

    @property
    def _examples_in_batch(self) -> int:
        return self.batch_size

    def _rows_at(self, position: int) -> BatchRows:
        """This rank's rows of the batch at `position`: on the host for a mapped set, else on the device."""
        share = self.batch_size // self.ranks
        start = position + self.rank * share
        own = self._rows(start, share, len(self.images))
        if self.partners is None or not self.apart:
            return BatchRows(own, own)
        return BatchRows(own, self._rows(start, share, len(self.partners), stream=1))

    def _rows(self, start: int, count: int, total: int, stream: int = 0) -> Tensor:
        parts = []
        while count > 0:
            epoch, offset = divmod(start, total)
            here = min(count, total - offset)
            parts.append(self._permutation(epoch, total, stream)[offset : offset + here])
            start, count = start + here, count - here
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _permutation(self, epoch: int, total: int, stream: int) -> Tensor:
        if self._orders.get(stream, (-1,))[0] != epoch:
            order = self._order(epoch, total, stream)
            # A whole epoch's order lies beside the images, so that no step has to send its own part of it.
            self._orders[stream] = epoch, to_device(order, self.device) if self.is_resident else order
        return self._orders[stream][1]

    def _order(self, epoch: int, total: int, stream: int) -> Tensor:
        """The order (total,) of an epoch, on the host."""
        key = [self.seed, self.salt, epoch]
        if stream:
            key.append(stream)
        mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
        return torch.randperm(total, generator=generator)

    def reshuffle(self, salt: int) -> None:
        """Another order from here on."""
        self.salt = salt
        self._orders.clear()

    def _hold(self, array: np.ndarray) -> Tensor | np.ndarray:
        if not self.is_resident:
            return array
        if self.device.type == "cpu":
            return torch.from_numpy(np.array(array))
        # Block by block: an accelerator may hold more than the host has room for.
        held = torch.empty(array.shape, dtype=torch.from_numpy(np.array(array[:1])).dtype, device=self.device)
        step = max(1, COPIED_BYTES // max(1, array[:1].nbytes))
        for start in range(0, len(array), step):
            held[start : start + step] = torch.from_numpy(np.array(array[start : start + step])).to(self.device)
        return held

    def _take(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        if isinstance(held, Tensor):
            return held.index_select(0, rows.to(held.device))
        return to_device(torch.from_numpy(held[rows.numpy()]), self.device)

    def _as_input(self, stored: Tensor) -> Tensor:
        # The axes move, the bytes do not: (N, H, W, C) seen as (N, C, H, W) is what channels_last means.
        return stored.permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1)


def _like(flags: Tensor, values: Tensor) -> Tensor:
    """`flags` (N, 1, 1, 1) with as many axes as `values` (N, ...)."""
    return flags.view(-1, *[1] * (values.ndim - 1))


class VideoFeed(Feed):
    """Batches of clips uint8 (N, T, H, W, C)."""

    def _as_input(self, stored: Tensor) -> Tensor:
        return as_video(stored)


class AudioFeed(Feed):
    """Batches of clips int16 (N, L)."""

    def _as_input(self, stored: Tensor) -> Tensor:
        return as_audio(stored)


class TextFeed(Feed):
    """Batches of one row of token numbers (T,), each row of a batch continuing where it ended in the last batch.

    The text is cut into batch_size equal stretches; row i reads stretch i, `window` tokens a step and the one after them, which
    they predict. At the end of the stretches it starts over, a random number of tokens later, so that windows are not
    always cut at the same places. `position` counts tokens.
    """

    def __init__(self, tokens: np.ndarray, *, batch_size: int, window: int, **more: Unpack[FeedOptions]) -> None:
        super().__init__(tokens, None, None, batch_size=batch_size, **more)
        self.window = window
        self.stretch = (len(tokens) - 1) // batch_size
        self.steps = (self.stretch - window + 1) // window  # an epoch's, wherever in the first window it starts
        if window < 1 or self.steps < 1:
            raise DataError(
                f"a text of {len(tokens)} tokens is too short for {batch_size} rows of {window}: it takes"
                f" {batch_size * (2 * window - 1) + 1} at least. Choose a smaller batch_size or window"
            )

    def next(self) -> Batch:
        """The next global batch, this rank's rows: real (N, window + 1) int64."""
        begins = self._epoch_and_step(self.position)[1] == 0
        real = self._next_examples().own.view(-1, self.window + 1).long()
        return Batch(real, generator=self.generator, rank=self.rank, ranks=self.ranks, begins=begins)

    @property
    def _examples_in_batch(self) -> int:
        return self.batch_size * self.window

    def _epoch_and_step(self, position: int) -> tuple[int, int]:
        return divmod(position // (self.batch_size * self.window), self.steps)

    def _rows_at(self, position: int) -> BatchRows:
        """Places in the text: window + 1 for each row of the batch, one row after the other."""
        epoch, step = self._epoch_and_step(position)
        share = self.batch_size // self.ranks
        device = self.device if self.is_resident else torch.device("cpu")
        first = torch.arange(self.rank * share, (self.rank + 1) * share, device=device) * self.stretch
        within = torch.arange(self.window + 1, device=device)
        places = (first + self._offset(epoch) + step * self.window)[:, None] + within
        return BatchRows(places.flatten(), places.flatten())

    def _offset(self, epoch: int) -> int:
        mixed = np.random.SeedSequence([self.seed, self.salt, epoch]).generate_state(1, np.uint64)[0]
        return int(mixed % np.uint64(self.window))


class LineFeed(Feed):
    """Batches of tokens (T,): each row is a token that ends a line and the `window` tokens after it, in random order. `starts`
    (n,) are the places of those first tokens. `position` counts tokens."""

    def __init__(
        self, tokens: np.ndarray, starts: np.ndarray, *, batch_size: int, window: int, **more: Unpack[FeedOptions]
    ) -> None:
        super().__init__(tokens, None, None, batch_size=batch_size, **more)
        self.window = window
        self.starts = torch.from_numpy(starts)
        if self.is_resident:
            self.starts = to_device(self.starts, self.device)

    def next(self) -> Batch:
        """The next global batch, this rank's rows: real (N, window + 1) int64."""
        real = self._next_examples().own.view(-1, self.window + 1).long()
        return Batch(real, generator=self.generator, rank=self.rank, ranks=self.ranks)

    @property
    def _examples_in_batch(self) -> int:
        return self.batch_size * self.window

    def _rows_at(self, position: int) -> BatchRows:
        """Places in the text: window + 1 for each row of the batch, one row after the other."""
        share = self.batch_size // self.ranks
        lines = self._rows(position // self.window + self.rank * share, share, len(self.starts))
        within = torch.arange(self.window + 1, device=lines.device)
        places = (self.starts[lines][:, None] + within).flatten()
        return BatchRows(places, places)


class ParallelFeed(Feed):
    """Batches of sources (N, S) and their translations (N, T), token numbers, cut after the longest of the global batch.

    Rows of similar length come together: the shuffled order of an epoch is sorted by length within stretches of
    SORTED_BATCHES batches, whose batches then come in random order. `end` is the token that rows are filled up with.
    """

    def __init__(
        self, sources: np.ndarray, targets: np.ndarray, *, end: int, batch_size: int, **more: Unpack[FeedOptions]
    ) -> None:
        super().__init__(sources, None, targets, batch_size=batch_size, **more)
        sizes = [(side == end).argmax(1) + 1 for side in (sources, targets)]
        self.sizes = torch.from_numpy(np.stack(sizes, 1))  # (N, 2), on the host
        self._sizes_in_order: dict[int, Tensor] = {}

    def next(self) -> Batch:
        """The next global batch, this rank's rows: real (N, S) and partner (N, T), int64."""
        position = self.position
        rows = self._rows_at(position).own
        self.position += self.batch_size
        assert self.partners is not None
        sides: list[Tensor] = []
        for side, longest in zip((self.images, self.partners), self._longest(position), strict=True):
            sides.append(self._take(side, rows)[:, :longest].long())
        return Batch(sides[0], partner=sides[1], generator=self.generator, rank=self.rank, ranks=self.ranks)

    def _longest(self, position: int) -> list[int]:
        """S and T of the global batch at `position`, which the host works out by itself."""
        longest = [1, 1]
        left = self.batch_size
        while left:
            epoch, offset = divmod(position, len(self.sizes))
            if epoch not in self._sizes_in_order:
                self._order(epoch, len(self.sizes), 0)
            here = self._sizes_in_order[epoch][offset : offset + left]
            longest = [max(pair) for pair in zip(longest, here.amax(0).tolist(), strict=True)]
            position, left = position + len(here), left - len(here)
        return longest

    def reshuffle(self, salt: int) -> None:
        """Another order from here on."""
        super().reshuffle(salt)
        self._sizes_in_order.clear()

    def _order(self, epoch: int, total: int, stream: int) -> Tensor:
        order = super()._order(epoch, total, stream)
        batches: list[Tensor] = []
        for stretch in order.split(SORTED_BATCHES * self.batch_size):
            sorted_stretch = stretch[self.sizes[stretch].sum(1).argsort(stable=True)]
            parts = list(sorted_stretch.split(self.batch_size))
            # Which batch comes when follows from its first row, hashed.
            parts.sort(key=lambda rows: int(rows[0]) * 2654435761 % 2**32)
            batches += parts
        order = torch.cat(batches)
        for old in [one for one in self._sizes_in_order if one < epoch - 1]:
            del self._sizes_in_order[old]
        self._sizes_in_order[epoch] = self.sizes[order]
        return order


def resident_bytes(device: torch.device) -> int:
    """How large a set may be that lies on `device` as a whole: a share of what an accelerator has free, whatever that is."""
    free = free_memory(device)
    if free is None:
        return RESIDENT_BYTES
    return int(RESIDENT_SHARE * free)
