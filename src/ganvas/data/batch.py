"""What one training step gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")


@dataclasses.dataclass
class Batch:
    """One rank's share of one global batch, and the step's randomness.

    `real`: images (N, C, H, W), audio (N, 1, L) or video (N, C, T, H, W) in [-1, 1], or text (N, window + 1) int64;
    `label` (N,) int64 or None; `partner` like `real` or None. `begins`: the rows do not continue where those of the last step
    ended, as rows of text otherwise do. `prepared` (N, ...) is what the method made of `real` before the training (see
    abilities.TwoStage), or None. `progress`: the share of the budget used before this step.

    What the updates of one step share goes through `memo`. A new batch has an empty one, so every loss can be called alone.

    All ranks draw the random numbers of the whole global batch from equal generators and keep their own rows, so that
    two ranks compute what one process computes on the same global batch.
    """

    real: Tensor
    label: Tensor | None = None
    partner: Tensor | None = None
    generator: torch.Generator | None = None
    rank: int = 0
    ranks: int = 1
    begins: bool = True
    prepared: Tensor | None = None
    progress: float = 0.0
    graph_kept: bool = dataclasses.field(default=False, init=False)
    """Set by the loop after an update with Update.keeps_graph: values of the memo lead to parameters of several updates."""
    _memo: dict[str, Any] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return self.real.shape[0]

    def memo(self, key: str, compute: Callable[[], T]) -> T:
        """`compute()` on the first call with `key`, and the same value on every later one.

        For what several updates of a step need: generator output, logits, features. The update that asks first computes it. The
        value keeps its autograd graph: a loss that must not go back through it takes `.detach()`; one that does go back needs
        Update.keeps_graph in the update that computed it.
        """
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (N, *shape), N this rank's batch size."""
        return self._mine(torch.randn(len(self) * self.ranks, *shape, generator=self.generator, device=self._device))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers (N, *shape) in [low, high)."""
        drawn = torch.rand(len(self) * self.ranks, *shape, generator=self.generator, device=self._device)
        return self._mine(drawn) * (high - low) + low

    def integers(self, high: int, *shape: int) -> Tensor:
        """Integers (N, *shape) in [0, high), int64."""
        size = (len(self) * self.ranks, *shape)
        return self._mine(torch.randint(high, size, generator=self.generator, device=self._device))

    def gathered(self, mine: Tensor) -> Tensor:
        """(N * ranks, ...) that holds mine (N, ...) in this rank's rows, multiplied by `ranks`, and 0 elsewhere: the mean over
        all ranks (Update.means) holds what each of them had."""
        if self.ranks == 1:
            return mine
        others = mine.new_zeros(self.ranks, *mine.shape)
        others[self.rank] = mine * self.ranks
        return others.flatten(0, 1)

    @property
    def _device(self) -> torch.device:
        return self.real.device

    def _mine(self, drawn: Tensor) -> Tensor:
        return drawn[self.rank * len(self) : (self.rank + 1) * len(self)]


def as_image_tensor(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """images uint8 (n, H, W, C), copied, as (n, C, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(device).float() / 127.5 - 1


def as_video(clips: Tensor) -> Tensor:
    """clips uint8 (n, T, H, W, C) as (n, C, T, H, W) in [-1, 1]."""
    return clips.permute(0, 4, 1, 2, 3).float().mul_(1 / 127.5).sub_(1)


def as_audio(clips: Tensor) -> Tensor:
    """clips int16 (n, L) as (n, 1, L) in [-1, 1)."""
    return clips[:, None].float() / 32768
