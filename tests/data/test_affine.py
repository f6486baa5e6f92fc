"""Random affine maps: what moves where, and what stays."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from ganvas.data.affine import MOVED_SHARE, affine, placement


def test_the_amounts_by_hand() -> None:
    """A turn alone is a rotation; a width alone stretches; shifts are shares of each side."""
    amounts = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0], [0, 1.0, 0, 0, 0.5, -1.0]])
    matrix, offset = placement(amounts, torch.tensor([50.0, 30.0]))
    cosine, sine = math.cos(0.35), math.sin(0.35)
    assert_close(matrix[0], torch.tensor([[cosine, -sine], [sine, cosine]]))
    assert_close(matrix[1], torch.tensor([[2**0.35, 0.0], [0.0, 1.0]]))
    assert_close(matrix[2], torch.tensor([[1.0, 0.4], [0.0, 1.0]]))
    assert_close(offset, torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.5, -3.0]]))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 30, 50)])
def test_some_stay_and_the_others_move(shape: tuple[int, int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.rand(200, *shape, generator=random)
    seen = affine(x, lambda *size: torch.rand(200, *size, generator=random))
    stayed = (seen == x).flatten(1).all(1).float().mean().item()
    assert stayed == pytest.approx(1 - MOVED_SHARE, abs=0.1)
    assert torch.equal(affine(x, lambda *size: torch.rand(200, *size, generator=random), strength=0.0), x)


def test_gradients_of_gradients_pass() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.rand(2, 1, 6, 6, generator=random, dtype=torch.float64, requires_grad=True)
    uniform = torch.rand(2, 7, generator=random, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(lambda x: affine(x, lambda *_: uniform).square().sum((1, 2, 3)), (x,))


def test_bf16_images_stay_bf16() -> None:
    x = torch.zeros(3, 1, 8, 8, dtype=torch.bfloat16)
    assert affine(x, lambda *size: torch.rand(3, *size)).dtype == torch.bfloat16
