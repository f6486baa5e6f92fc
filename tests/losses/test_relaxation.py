"""Gumbel noise and its softmax."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.losses.relaxation import gumbel_noise, gumbel_softmax


def test_gumbel_noise_by_hand() -> None:
    """-log(-log(1/e)) is 0; the median 1/2 gives -log(log 2)."""
    found = gumbel_noise(torch.tensor([0.36787944, 0.5]))
    assert_close(found, torch.tensor([0.0, 0.36651292]), atol=1e-6, rtol=0)
    assert torch.isfinite(gumbel_noise(torch.tensor([0.0, 1 - 2**-24]))).all()


def test_the_greatest_sum_is_a_draw_from_the_softmax() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    uniform = torch.rand(100_000, 3, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount((logits + gumbel_noise(uniform)).argmax(1)) / 100_000
    assert_close(counts, torch.tensor([0.5, 0.3, 0.2]), atol=0.006, rtol=0)


def test_gumbel_softmax_by_hand() -> None:
    """Sums log 1 and log 3: shares 1/4 and 3/4; with an inverse temperature of 2 1/10 and 9/10."""
    logits, noise = torch.tensor([0.2, 0.5]), torch.tensor([-0.2, 1.0986123 - 0.5])
    assert_close(gumbel_softmax(logits, noise, 1.0), torch.tensor([0.25, 0.75]))
    assert_close(gumbel_softmax(logits, noise, 2.0), torch.tensor([0.1, 0.9]))
