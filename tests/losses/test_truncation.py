"""Temperature, top-k and top-p on four tokens worked by hand; and the draw from a given number."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from ganvas.losses.truncation import drawn, probabilities

SHARES = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
LOGITS = SHARES.log()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_k": 4}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_k": 9}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_p": 0.8}, [0, 4 / 9, 2 / 9, 3 / 9]),  # 0.4 + 0.3 is not yet 0.8
        ({"top_p": 0.65}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_p": 0.39}, [0, 1, 0, 0]),
        ({"top_p": 0.0}, [0, 1, 0, 0]),  # one always stays
        ({"top_k": 3, "top_p": 0.75}, [0, 4 / 7, 0, 3 / 7]),  # of three: 4/9 + 3/9 = 0.78
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),  # squares
        ({"temperature": 0.0}, [0, 1, 0, 0]),
    ],
    ids=str,
)
def test_by_hand(settings: dict[str, float], expected: list[float]) -> None:
    found = probabilities(LOGITS, **settings)  # pyright: ignore[reportArgumentType]
    assert_close(found, torch.tensor([expected], dtype=torch.float32))
    assert_close(probabilities(LOGITS + 7, **settings), found)  # pyright: ignore[reportArgumentType]


def test_rows_do_not_meddle() -> None:
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(0))
    together = probabilities(logits, 0.7, 4, 0.9)
    for row in range(5):
        assert_close(together[row], probabilities(logits[row : row + 1], 0.7, 4, 0.9)[0])
    assert ((together > 0).sum(1) <= 4).all()


def test_temperature_towards_zero_is_greedy() -> None:
    logits = torch.randn(50, 20, generator=torch.Generator().manual_seed(1))
    best = logits.argmax(1)
    uniform = torch.rand(50, generator=torch.Generator().manual_seed(2))
    shares = [float(probabilities(logits, heat).gather(1, best[:, None]).mean()) for heat in (1.0, 0.5, 0.1, 0.01)]
    assert shares == sorted(shares) and shares[-1] > 0.98
    assert torch.equal(drawn(probabilities(logits, 0.0), uniform), best)
    assert torch.equal(drawn(probabilities(logits, top_k=1), uniform), best)


def test_the_interval_that_holds_the_number() -> None:
    uniform = torch.tensor([0.0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 1 - 2**-24])
    assert drawn(SHARES.expand(8, 4), uniform).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_what_has_no_share_is_never_drawn() -> None:
    """Not even at the ends, where sums are rounded."""
    shares = torch.rand(4000, 30, generator=torch.Generator().manual_seed(3))
    shares[:, :5], shares[:, -5:] = 0, 0
    shares /= shares.sum(1, keepdim=True)
    for number in (0.0, 1 - 2**-24):
        found = drawn(shares, torch.full((4000,), number))
        assert ((found >= 5) & (found < 25)).all()


def test_many_draws_have_the_shares() -> None:
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(4))
    counts = drawn(SHARES.expand(20_000, 4), uniform).bincount(minlength=4) / 20_000
    assert_close(counts, SHARES[0], atol=0.02, rtol=0)
