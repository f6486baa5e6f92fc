"""Endless batches of a data set that lies in memory (or a memory map): shuffled images or clips, or text in its own order.

The order is a function of the seed and of how many examples were drawn; so a resumed training draws what it would have drawn,
and every rank knows its own share of each global batch without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Required, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batch import Batch, as_audio
from ganvas.errors import DataError

RESIDENT_BYTES = 2 * 2**30  # larger sets stay mapped and are read a batch at a time
BLOCK = 64  # images that are prepared at once


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
        self.images = self._hold(images)
        self.labels = None if labels is None else self._hold(labels)
        self.partners = None if partners is None else self._hold(partners)
        self.batch_size, self.seed, self.generator, self.mirror = batch_size, seed, generator, mirror
        self.apart = apart and partners is not None
        self.rank, self.ranks = rank, ranks
        self.position = 0
        self.salt = 0
        self.prepared: list[Tensor] = []
        self._orders: dict[int, tuple[int, Tensor]] = {}

    def next(self) -> Batch:
        """The next global batch, this rank's rows."""
        share = self.batch_size // self.ranks
        start = self.position + self.rank * share
        rows = self._rows(start, share, len(self.images))
        self.position += self.batch_size
        real = self._real(self.images, rows)
        partner = None
        if self.partners is not None:
            partner_rows = rows
            if self.apart:
                partner_rows = self._rows(start, share, len(self.partners), stream=1)
            partner = self._real(self.partners, partner_rows)
        label = None
        if self.labels is not None:
            label = self._take(self.labels, rows)
        batch = Batch(real, label, partner, self.generator, rank=self.rank, ranks=self.ranks)
        flipped = None
        if self.mirror:
            flipped = batch.uniform(1, 1, 1) < 0.5
            batch.real = torch.where(flipped, real.flip(3), real)
            if partner is not None:
                partner_flipped = flipped
                if self.apart:
                    partner_flipped = batch.uniform(1, 1, 1) < 0.5
                batch.partner = torch.where(partner_flipped, partner.flip(3), partner)
        if self.prepared:
            parts = [self._take(part, rows) for part in self.prepared]
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
        for start in range(0, len(self.images), BLOCK):
            rows = torch.arange(start, start + BLOCK).clamp_max(len(self.images) - 1)
            images = self._real(self.images, rows)
            upright.append(make(images))
            if self.mirror:
                mirrored.append(make(images.flip(3)))
        self.prepared = [torch.cat(upright)[: len(self.images)]]
        if mirrored:
            self.prepared.append(torch.cat(mirrored)[: len(self.images)])

    def prepared_as(self, other: Feed) -> None:
        """Takes over what `prepare` made for another feed of the same images."""
        self.prepared = other.prepared

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
            key = [self.seed, self.salt, epoch]
            if stream:
                key.append(stream)
            mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
            generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
            self._orders[stream] = epoch, torch.randperm(total, generator=generator)
        return self._orders[stream][1]

    def reshuffle(self, salt: int) -> None:
        """Another order from here on."""
        self.salt = salt
        self._orders.clear()

    def _hold(self, array: np.ndarray) -> Tensor | np.ndarray:
        if array.nbytes > RESIDENT_BYTES:
            return array
        return torch.from_numpy(np.array(array)).to(self.device)

    def _take(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        if isinstance(held, Tensor):
            return held.index_select(0, rows.to(held.device, non_blocking=True))
        return torch.from_numpy(held[rows.numpy()]).to(self.device, non_blocking=True)

    def _real(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        # The axes move, the bytes do not: (N, H, W, C) seen as (N, C, H, W) is what channels_last means.
        return self._take(held, rows).permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1)


class AudioFeed(Feed):
    """Batches of clips int16 (N, L)."""

    def _real(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        return as_audio(self._take(held, rows))


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
        epoch, step = divmod(self.position // (self.batch_size * self.window), self.steps)
        share = self.batch_size // self.ranks
        self.position += self.batch_size * self.window
        first = torch.arange(self.rank * share, (self.rank + 1) * share) * self.stretch
        places = (first + self._offset(epoch) + step * self.window)[:, None] + torch.arange(self.window + 1)
        real = self._take(self.images, places.flatten()).view(share, -1).long()
        return Batch(real, generator=self.generator, rank=self.rank, ranks=self.ranks, begins=step == 0)

    def _offset(self, epoch: int) -> int:
        mixed = np.random.SeedSequence([self.seed, self.salt, epoch]).generate_state(1, np.uint64)[0]
        return int(mixed % np.uint64(self.window))
