"""The terms of VQ-VAE by hand, and whom each of them moves."""

from __future__ import annotations

import math

import torch
from torch.testing import assert_close

from ganvas.losses.quantised import codebook_error, commitment_error, perplexity, reconstruction_error


def test_reconstruction_by_hand() -> None:
    x, made = torch.tensor([[[1.0, 0.0]], [[0.5, 0.5]]]), torch.tensor([[[-1.0, 1.0]], [[0.5, 0.0]]])
    assert_close(reconstruction_error(x, made), torch.tensor([2.5, 0.125]))  # (4 + 1) / 2 and (0 + 1/4) / 2


def test_codebook_and_commitment_by_hand() -> None:
    """One value, (9 + 16) / 2 = 12.5; the one moves the code towards z, the other z towards the code."""
    for error, moved, still, gradient in ((codebook_error, 1, 0, [-3.0, -4.0]), (commitment_error, 0, 1, [3.0, 4.0])):
        pair = [torch.tensor([[4.0, 5.0]], requires_grad=True), torch.tensor([[1.0, 1.0]], requires_grad=True)]
        found = error(*pair)
        assert_close(found, torch.tensor([12.5]))
        found.sum().backward()
        assert_close(pair[moved].grad, torch.tensor([gradient]))  # 2 * difference / 2 numbers
        assert pair[still].grad is None


def test_perplexity_by_hand() -> None:
    assert_close(perplexity(torch.tensor([0.5, 0.5, 0.0])), torch.tensor(2.0))
    assert_close(perplexity(torch.tensor([0.0, 1.0])), torch.tensor(1.0))
    assert_close(perplexity(torch.tensor([0.75, 0.25])), torch.tensor(4 / 3**0.75))
    assert math.isclose(float(perplexity(torch.full((7,), 1 / 7))), 7, rel_tol=1e-6)
