"""Endless shuffled batches of a data set that lies in memory (or a memory map) as bytes.

The order is a function of the seed and of how many pictures were drawn; so a resumed training draws what it would have drawn,
and every rank knows its own share of each global batch without asking.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batch import Batch

RESIDENT_BYTES = 2 * 2**30  # larger sets stay mapped and are read a batch at a time
BLOCK = 64  # pictures that are prepared at once


class Feed:
    """Batches of `images` uint8 (N, H, W, C), with their `labels` (N,) and `partners` like images.

    `batch_size` is that of the global batch; this rank gets batch_size / ranks of it. `position` counts the pictures drawn by all
    ranks so far; setting it goes back or on. `salt` gives another order from the same seed.
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
        rank: int = 0,
        ranks: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.images = self._hold(images)
        self.labels = None if labels is None else self._hold(labels)
        self.partners = None if partners is None else self._hold(partners)
        self.batch_size, self.seed, self.generator, self.mirror = batch_size, seed, generator, mirror
        self.rank, self.ranks = rank, ranks
        self.position = 0
        self.salt = 0
        self.prepared: list[Tensor] = []
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def next(self) -> Batch:
        """The next global batch, this rank's rows."""
        share = self.batch_size // self.ranks
        rows = self._rows(self.position + self.rank * share, share)
        self.position += self.batch_size
        real = self._pictures(self.images, rows)
        partner = None if self.partners is None else self._pictures(self.partners, rows)
        label = None if self.labels is None else self._take(self.labels, rows)
        batch = Batch(real, label, partner, self.generator, rank=self.rank, ranks=self.ranks)
        flipped = None
        if self.mirror:
            flipped = batch.uniform(1, 1, 1) < 0.5
            batch.real = torch.where(flipped, real.flip(3), real)
            batch.partner = None if partner is None else torch.where(flipped, partner.flip(3), partner)
        if self.prepared:
            parts = [self._take(part, rows) for part in self.prepared]
            if flipped is not None:
                parts[0] = torch.where(flipped.view(-1, *[1] * (parts[0].ndim - 1)), parts[1], parts[0])
            batch.prepared = parts[0]
        return batch

    @torch.no_grad()
    def prepare(self, make: Callable[[Tensor], Tensor]) -> None:
        """From now on batches hold make(pictures) of their pictures as `prepared`; with `mirror` that of the mirrored ones, where
        they are. `make` gets all pictures once, in blocks of one size, the last filled up."""
        blocks: list[list[Tensor]] = [[], []]
        for start in range(0, len(self.images), BLOCK):
            rows = torch.arange(start, start + BLOCK).clamp_max(len(self.images) - 1)
            pictures = self._pictures(self.images, rows)
            for views, flip in zip(blocks, (False, True), strict=True):
                if self.mirror or not flip:
                    views.append(make(pictures.flip(3) if flip else pictures))
        self.prepared = [torch.cat(views)[: len(self.images)] for views in blocks if views]

    def _rows(self, start: int, count: int) -> Tensor:
        total = len(self.images)
        parts = []
        while count > 0:
            epoch, offset = divmod(start, total)
            here = min(count, total - offset)
            parts.append(self._permutation(epoch)[offset : offset + here])
            start, count = start + here, count - here
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            mixed = np.random.SeedSequence([self.seed, self.salt, epoch]).generate_state(1, np.uint64)[0]
            generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
            self._order = torch.randperm(len(self.images), generator=generator)
            self._epoch = epoch
        return self._order

    def reshuffle(self, salt: int) -> None:
        """Another order from here on."""
        self.salt, self._epoch = salt, -1

    def _hold(self, array: np.ndarray) -> Tensor | np.ndarray:
        return torch.from_numpy(np.array(array)).to(self.device) if array.nbytes <= RESIDENT_BYTES else array

    def _take(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        if isinstance(held, Tensor):
            return held.index_select(0, rows.to(held.device, non_blocking=True))
        return torch.from_numpy(held[rows.numpy()]).to(self.device, non_blocking=True)

    def _pictures(self, held: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        # The axes move, the bytes do not: (N, H, W, C) seen as (N, C, H, W) is what channels_last means.
        return self._take(held, rows).permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1)
