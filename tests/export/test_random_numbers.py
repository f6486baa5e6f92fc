"""Against torch's own generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.draws import Draw
from ganvas.export.random_numbers import Generator, latents

SEEDS = (0, 1, 12345, 2**32 - 1, 2**32, 2**63 - 1)


def of_torch(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100, 784])
def test_uniform_numbers_to_the_bit(n: int) -> None:
    for seed in SEEDS:
        assert np.array_equal(Generator(seed).uniform(n), torch.rand(n, generator=of_torch(seed)).numpy())


@pytest.mark.parametrize("n", [1, 2, 3, 8, 15])
def test_few_normal_numbers_to_the_bit(n: int) -> None:
    for seed in SEEDS:
        assert np.array_equal(Generator(seed).normal(n), torch.randn(n, generator=of_torch(seed)).numpy())


@pytest.mark.parametrize("n", [16, 17, 31, 32, 100, 784])
def test_many_normal_numbers_but_for_rounding(n: int) -> None:
    for seed in SEEDS:
        np.testing.assert_allclose(
            Generator(seed).normal(n), torch.randn(n, generator=of_torch(seed)).numpy(), atol=3e-6, rtol=0
        )


@pytest.mark.parametrize("n", [3, 8, 40])
def test_draws_follow_each_other_as_in_torch(n: int) -> None:
    """Also after an odd number of normal ones, of which torch keeps the second of the last pair."""
    for seed in SEEDS:
        ours, theirs = Generator(seed), of_torch(seed)
        np.testing.assert_allclose(ours.normal(n), torch.randn(n, generator=theirs).numpy(), atol=3e-6)
        assert ours.integer(10) == int(torch.randint(10, (), generator=theirs))
        assert np.array_equal(ours.uniform(5), torch.rand(5, generator=theirs).numpy())
        np.testing.assert_allclose(ours.normal(3), torch.randn(3, generator=theirs).numpy(), atol=3e-6)


def test_a_latent_has_its_parts_in_order() -> None:
    (row,) = latents([Draw("uniform", 4, -1, 1), Draw("one_hot", 3)], [5])
    generator = of_torch(5)
    uniform = torch.rand(4, generator=generator) * 2 - 1
    place = int(torch.randint(3, (), generator=generator))
    assert np.array_equal(row[:4], uniform.numpy())
    assert row[4:].tolist() == [float(place == number) for number in range(3)]
