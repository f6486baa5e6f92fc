"""Losses of translation, by hand."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.losses.restoration import absolute_error
from ganvas.losses.translation import cycle_consistency, identity_mapping

A = torch.tensor([[[[1.0, -1.0]]], [[[0.5, 0.5]]]])
B = torch.tensor([[[[0.0, 1.0]]], [[[0.5, 0.0]]]])


def test_absolute_error() -> None:
    assert_close(absolute_error(A, B), torch.tensor([1.5, 0.25]))


def test_the_cycle_of_identities_is_zero() -> None:
    assert not cycle_consistency(A, A, B, B).any() and not identity_mapping(A, A, B, B).any()


def test_both_ways_count() -> None:
    assert_close(cycle_consistency(A, B, B, B), torch.tensor([1.5, 0.25]))
    assert_close(cycle_consistency(A, A, B, A), torch.tensor([1.5, 0.25]))
    assert_close(identity_mapping(A, B, B, A), torch.tensor([3.0, 0.5]))
