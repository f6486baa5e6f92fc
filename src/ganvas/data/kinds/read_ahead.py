"""Batches of a set that stays on the host: read in a thread, and copied to the device, while the last one is in use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.device import CopyStream, Sent

BATCHES_AHEAD = 2  # batches that are read before they are asked for

Place = tuple[int, int]
"""The number of an order, and a position in it."""


class Read(NamedTuple):
    """Rows to take of an array; None stands for the rows themselves."""

    array: np.ndarray | Tensor | None
    rows: Tensor

    def now(self) -> Tensor:
        """The rows, on the host."""
        if self.array is None:
            return self.rows
        if isinstance(self.array, Tensor):
            return self.array[self.rows]
        return torch.from_numpy(self.array[self.rows.numpy()])


class ReadAhead:
    """The next batches of one feed. Nothing is drawn at random here, so reading ahead changes no number of a training."""

    def __init__(self, device: torch.device) -> None:
        self._copies = CopyStream(device)
        self._pending: deque[tuple[Place, Future[Sent]]] = deque()
        self._thread: ThreadPoolExecutor | None = None  # begun by the first batch: many feeds give none

    def take(self, place: Place, reads: Callable[[int], tuple[Place, Sequence[Read]]]) -> list[Tensor]:
        """The batch at `place`, one tensor for each of its reads; then the next ones are read. reads(i) is the place of the i-th
        batch after it, and what that reads. Another place than the expected one begins anew."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="ganvas-read-ahead")
        if self._pending and self._pending[0][0] != place:
            self._pending.clear()
        while len(self._pending) <= BATCHES_AHEAD:
            then, batch_reads = reads(len(self._pending))
            self._pending.append((then, self._thread.submit(self._read, batch_reads)))
        _, batch = self._pending.popleft()
        return self._copies.receive(batch.result())

    def _read(self, reads: Sequence[Read]) -> Sent:
        return self._copies.send([read.now() for read in reads])
