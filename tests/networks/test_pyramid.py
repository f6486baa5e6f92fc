"""The Laplacian pyramid loses nothing, and LAPGAN's networks work level by level."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.networks.pyramid import (
    BandGenerator,
    PyramidDiscriminator,
    PyramidGenerator,
    bands,
    collapse,
    down,
    downsampled,
    up,
)
from ganvas.networks.resample import pyramid

SIZES = [(28, 28), (32, 32), (30, 50), (33, 17), (9, 64)]


def noise_images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bands_collapse_to_the_image(size: tuple[int, int]) -> None:
    x = noise_images(2, 3, *size)
    sizes = pyramid(*size)
    parts = bands(x, len(sizes) - 1)
    assert [tuple(part.shape[-2:]) for part in parts] == sizes
    assert_close(collapse(parts), x, atol=1e-6, rtol=0)
    assert_close(parts[-1], downsampled(x, len(sizes) - 1)[-1])


def test_no_band_is_idle() -> None:
    """Without one of them the image is another: reconstruction is no accident of a copy at level 0."""
    parts = bands(noise_images(1, 1, 16, 16), 2)
    for level in range(3):
        without = [part * (number != level) for number, part in enumerate(parts)]
        assert not torch.allclose(collapse(without), collapse(parts))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bands_of_a_constant_image_are_zero(size: tuple[int, int]) -> None:
    *fine, coarse = bands(torch.full((1, 2, *size), 0.3), 2)
    for band in fine:
        assert_close(band, torch.zeros_like(band), atol=1e-6, rtol=0)
    assert_close(coarse, torch.full_like(coarse, 0.3))


def test_a_band_by_hand() -> None:
    """Four pixels of mean 6: the coarse image is 6, the band what is above and below it."""
    x = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    fine, coarse = bands(x, 1)
    assert coarse.tolist() == [[[[6.0]]]]
    assert fine.tolist() == [[[[-6.0, -2.0], [2.0, 6.0]]]]


def test_halving_repeats_an_odd_edge_and_doubling_cuts_it() -> None:
    x = torch.tensor([[[[1.0, 3.0, 7.0]]]])  # one row is repeated too
    assert down(x).tolist() == [[[[2.0, 7.0]]]]
    # Tent: 2, (3 * 2 + 7) / 4, (2 + 3 * 7) / 4, then 7, which is cut off.
    assert up(down(x), (1, 3)).tolist() == [[[[2.0, 3.25, 5.75]]]]


# --- networks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("classes", [0, 3])
def test_a_band_has_the_shape_of_its_level(depth: int, classes: int) -> None:
    generate = BandGenerator((2, 15, 25), 4, depth, "batch", classes).eval()
    label = torch.tensor([0, 2]) if classes else None
    coarse = noise_images(2, 2, 15, 25)
    assert generate.numbers == 15 * 25
    assert generate(noise_images(2, 15 * 25), coarse, label).shape == (2, 2, 15, 25)


@pytest.mark.parametrize("heard", ["noise", "coarse", "label"])
def test_a_band_depends_on_noise_coarse_image_and_class(heard: str) -> None:
    generate = BandGenerator((1, 8, 8), 4, classes=3)
    inputs = {
        "noise": noise_images(2, 64),
        "coarse": noise_images(2, 1, 8, 8),
        "label": torch.tensor([0, 1]),
    }
    other = {**inputs, heard: torch.tensor([2, 2]) if heard == "label" else -inputs[heard]}
    assert not torch.allclose(generate(**inputs), generate(**other))


class Painted(nn.Module):
    """A coarsest level that generates its z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.view(-1, 1, 2, 2)


class PlusNoise(BandGenerator):
    """A band that is its noise plus half the coarse image."""

    def forward(self, noise, coarse, label=None):
        return noise.view_as(coarse) + coarse / 2


def test_painting_goes_from_coarse_to_fine() -> None:
    """Eq. 5 twice: I_1 = 1.5 u(z_2) + z_1, I_0 = 1.5 u(I_1) + z_0; and z is cut in that order."""
    finer = [PlusNoise((1, 7, 8), 1), PlusNoise((1, 4, 4), 1)]
    generate = PyramidGenerator(Painted(), 4, finer)
    assert (generate.numbers, generate.z_dim) == ([56, 16, 4], 76)
    z = noise_images(3, 76)
    z2, z1, z0 = z[:, :4].view(3, 1, 2, 2), z[:, 4:20].view(3, 1, 4, 4), z[:, 20:].view(3, 1, 7, 8)
    middle = 1.5 * up(z2, (4, 4)) + z1
    assert_close(generate(z), 1.5 * up(middle, (7, 8)) + z0)


def test_each_image_is_judged_by_the_discriminator_of_its_size() -> None:
    class Says(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, x):
            return x.new_full((len(x), 1), self.value)

    discriminator = PyramidDiscriminator([Says(0.0), Says(1.0)], [(30, 50), (15, 25)])
    assert discriminator(torch.zeros(2, 1, 30, 50)).tolist() == [[0.0], [0.0]]
    assert discriminator(torch.zeros(1, 1, 15, 25)).tolist() == [[1.0]]
