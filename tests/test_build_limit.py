"""Settings from a file cannot make a network that takes all memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.build_limit import FREE_TENSORS, FREE_VALUES, BuildLimit
from ganvas.errors import RunError


def test_networks_of_the_size_of_the_weights_are_built() -> None:
    network = nn.Linear(300, 200)
    with BuildLimit([one.numel() for one in network.parameters()], "run"):
        again = nn.Linear(300, 200)
    assert again.weight.shape == network.weight.shape


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(2**20, 2**20),
        lambda: torch.zeros(2**40),
        lambda: torch.zeros(size=(2**20, 2**20)),
        lambda: torch.full((2**40,), 1.0),
        lambda: torch.arange(2**40),
        lambda: torch.eye(2**20),
        lambda: [torch.zeros(1) for _ in range(FREE_TENSORS + 1)],
        lambda: [torch.zeros(FREE_VALUES // 4) for _ in range(5)],
    ],
)
def test_what_is_far_larger_is_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(RunError, match="far larger than its weights"), BuildLimit([], "run"):
        build()
