"""What methods of several families share: networks that are conditioned on classes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.method import DataSpec, Method


class ClassConditional(Method):
    """A method whose networks can be conditioned on classes."""

    classes = 0
    """Classes that the networks are conditioned on; 0 where they are not (see `learn_classes`)."""

    def learn_classes(self, spec: DataSpec) -> int:
        """For `build`, where the networks are conditioned on classes: sets `classes` and returns it. DataError without labels."""
        if not spec.classes:
            raise DataError(
                f"{self.name} learns by class here, and {spec.name} has no labels: put the {spec.unit} of each class into"
                " a sub-folder of its own, or `labels` into the .npz"
            )
        class_counts = spec.class_counts or [1] * len(spec.classes)
        counts = torch.tensor(class_counts, dtype=torch.float32)
        used = [name for name, count in zip(spec.classes, class_counts, strict=True) if count]
        if len(used) < 2:
            raise DataError(
                f"{self.name} learns by class here, and all {spec.unit} of {spec.name} are of one class ({used[0]}):"
                " it takes two or more"
            )
        self.class_share: Tensor
        self.register_buffer("class_share", counts / counts.sum(), persistent=False)
        self.classes = len(spec.classes)
        return self.classes

    def labels(self, seeds: Iterable[int]) -> Tensor | None:
        """One class per seed, (n,) int64, as often as in the data; None where the networks are not conditioned on classes."""
        if not self.classes:
            return None
        # Other random numbers than the latent's of the same seed, or the class would follow from z.
        draws = [torch.rand((), generator=torch.Generator().manual_seed(_mixed(seed))) for seed in seeds]
        return self.class_of(torch.stack(draws))

    def class_of(self, uniform: Tensor) -> Tensor:
        """A class (n,) int64 for each number (n,) in [0, 1), as often as in the data."""
        cuts = self.class_share.to(uniform.device).cumsum(0)[:-1].contiguous()
        return torch.searchsorted(cuts, uniform.contiguous(), right=True)


def _mixed(seed: int) -> int:
    """Another seed for each seed, far from its neighbours' (a multiplication modulo 2^63 by an odd number)."""
    return (seed + 1) * 0x9E3779B97F4A7C15 % 2**63
