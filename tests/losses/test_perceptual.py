"""Distances by features, worked by hand."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.losses.perceptual import unit_distance


def test_directions_count_and_lengths_do_not() -> None:
    """Two layers: in the first, places at right angles (2) and of equal direction (0); in the second, all opposite (4)."""
    first_a = torch.tensor([[[[3.0, 1.0]], [[0.0, 1.0]]]])  # (1, 2, 1, 2): places (3, 0) and (1, 1)
    first_b = torch.tensor([[[[0.0, 5.0]], [[7.0, 5.0]]]])  # (0, 7) and (5, 5)
    second = torch.tensor([[[[2.0]], [[1.0]]]])
    found = unit_distance([first_a, second], [first_b, -second])
    assert_close(found, torch.tensor([((2 + 0) / 2 + 4) / 2]))


def test_places_without_features_have_a_gradient() -> None:
    x = torch.zeros(2, 3, 4, 4, requires_grad=True)
    unit_distance([x], [torch.ones(2, 3, 4, 4)]).sum().backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all()) and float(x.grad.abs().max()) < 1e4
