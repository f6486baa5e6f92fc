"""Filling holes by few cosines: what a DCT and its shrinkage are, and that a pattern goes on through a hole."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.networks.inpainter import initially_filled
from ganvas.networks.sparse_filling import block_side, cosine_matrix, filled_by_cosines, shrunk

CPU = torch.device("cpu")


def pattern(side: int, channels: int = 1) -> Tensor:
    """Waves of 10 pixels across waves of 14, (1, channels, side, side)."""
    place = torch.arange(float(side))
    waves = (place * 2 * torch.pi / 14).sin()[:, None] * (place * 2 * torch.pi / 10).sin()
    return 0.7 * waves.expand(1, channels, side, side)


def box(side: int, top: int, left: int, size: int) -> Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., top : top + size, left : left + size] = 1
    return mask


def test_cosines_by_hand() -> None:
    half = 0.5**0.5
    assert_close(cosine_matrix(2, CPU), torch.tensor([[half, half], [half, -half]]))
    for side in (4, 32):
        assert_close(cosine_matrix(side, CPU) @ cosine_matrix(side, CPU).T, torch.eye(side), atol=2e-6, rtol=0)


def test_shrinkage_by_hand() -> None:
    """The coefficients are 5, whose half is the mean, -1 (half of 1 + 3 - 2 - 4), -2 (half of 1 + 2 - 3 - 4) and 0."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    cosines = cosine_matrix(2, CPU)
    assert_close(shrunk(x, cosines, 0.5, 0, 0), x)
    assert_close(shrunk(x, cosines, 1.5, 0, 0), torch.tensor([[1.5, 1.5], [3.5, 3.5]])[None, None])
    assert_close(shrunk(x, cosines, 9.0, 0, 0), torch.full_like(x, 2.5))
    # Near the threshold a part is kept: of -1 at 1 it is 1 - 0.5.
    assert_close(shrunk(x, cosines, 1.0, 0, 0), torch.tensor([[1.25, 1.75], [3.25, 3.75]])[None, None])


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, 1)])
def test_all_channels_lose_the_same_cosines_wherever_the_blocks_are(down: int, across: int) -> None:
    x = torch.randn(2, 3, 10, 13, generator=torch.Generator().manual_seed(0))
    cosines = cosine_matrix(4, CPU)
    assert_close(shrunk(x, cosines, 1e-4, down, across), x)
    weak = shrunk(torch.cat([x[:, :1], 0 * x[:, :1], 0 * x[:, :1]], 1), cosines, 0.5, down, across)
    alone = shrunk(x[:, :1], cosines, 0.5 * 3**0.5, down, across)
    assert_close(weak[:, :1], alone)


def test_blocks_are_at_most_half_of_the_image() -> None:
    sides = [block_side(torch.zeros(1, 1, *size)) for size in ((300, 200), (64, 90), (63, 200), (20, 16), (7, 1))]
    assert sides == [32, 32, 16, 8, 4]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pattern_goes_on_through_a_hole(channels: int) -> None:
    whole, mask = pattern(128, channels), box(128, 52, 56, 16)
    first = initially_filled(whole, mask)
    filled = filled_by_cosines(first, mask)
    hole = mask.expand_as(whole) > 0
    assert torch.equal(filled[~hole], whole[~hole])
    assert float((filled - whole)[hole].square().mean()) < 0.1 * float((first - whole)[hole].square().mean())


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3), (33, 20)])
def test_any_size(size: tuple[int, int]) -> None:
    x = torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, *size)
    mask[:, :, : size[0] // 2 + 1] = 1
    filled = filled_by_cosines(initially_filled(x, mask), mask)
    assert filled.shape == x.shape and bool(filled.isfinite().all())
    assert torch.equal(filled[mask.expand_as(x) == 0], x[mask.expand_as(x) == 0])


def test_bfloat16_has_too_few_digits_for_it() -> None:
    x, mask = pattern(32), box(32, 10, 10, 12)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = filled_by_cosines(x, mask)
    assert torch.equal(mixed, filled_by_cosines(x, mask))
