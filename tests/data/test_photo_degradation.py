"""What makes photos of good images: each part by a number worked out or by Pillow, the whole by its random numbers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from ganvas.data.batch import Batch
from ganvas.data.degrade import jpeg, quantised
from ganvas.data.photo_degradation import PhotoDegradation, filtered, gaussian_kernels, jpeg_from, reduced

NOTHING = PhotoDegradation(
    blur_max=0.1, anisotropic_share=0, sharpened_share=0, noise_max=0, poisson_share=0, peak_min=100, grey_share=0,
    quality_min=100, quality_max=100,
)  # fmt: skip
EVERYTHING = PhotoDegradation(
    blur_max=2, anisotropic_share=0.5, sharpened_share=0.2, noise_max=20, poisson_share=0.5, peak_min=100, grey_share=0.4,
    quality_min=30, quality_max=95,
)  # fmt: skip


def some_images(count: int = 4, side: int = 32) -> Tensor:
    return quantised(torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8)


def batch_of(images: Tensor, seed: int = 0, rank: int = 0, ranks: int = 1) -> Batch:
    return Batch(images, generator=torch.Generator().manual_seed(seed), rank=rank, ranks=ranks)


def test_moments_of_a_kernel_are_its_covariance() -> None:
    """Standard deviations 2 along 30 degrees and 1 across: R diag(4, 1) R^T is (3.25, 1.299; 1.299, 1.75)."""
    (kernel,) = gaussian_kernels(torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([math.pi / 6]), 21)
    places = torch.arange(21.0) - 10
    y, x = places[:, None], places[None, :]
    moments = [float((kernel * part).sum()) for part in (x * x, x * y, y * y)]
    assert moments == pytest.approx([3.25, 1.299, 1.75], abs=0.01)
    assert float(kernel.sum()) == pytest.approx(1)


def test_each_image_has_its_own_kernel() -> None:
    x = some_images(2)
    kernels = torch.zeros(2, 3, 3)
    kernels[0, 1, 1] = 1
    kernels[1, 1, 0] = 1  # the pixel to the left; at the edge itself
    made = filtered(x, kernels)
    assert torch.equal(filtered(x.contiguous(memory_format=torch.channels_last), kernels), made)
    assert_close(made[0], x[0])
    assert_close(made[1, :, :, 1:], x[1, :, :, :-1])
    assert_close(made[1, :, :, 0], x[1, :, :, 0])


@pytest.mark.parametrize("scale", [2, 4])
def test_three_ways_of_reducing_as_pillow_does_them(scale: int) -> None:
    x = some_images(3)
    made = reduced(x, scale, torch.arange(3))
    filters = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    for number, way in enumerate(filters):
        small = Image.fromarray(x[number, 0].numpy()).resize((32 // scale, 32 // scale), way)
        np.testing.assert_allclose(made[number, 0], np.asarray(small), atol=1e-5)


def test_blocks_of_jpeg_start_anywhere() -> None:
    x = some_images(2)
    quality, corners = torch.tensor([30.0, 60.0]), torch.tensor([[0, 0], [3, 10]])
    made = jpeg_from(x, quality, corners)
    assert_close(
        made[:1, :, :31, :31], jpeg(x[:1], 30)[:, :, :31, :31]
    )  # the last colour is mixed with that beyond the edge
    larger = torch.nn.functional.pad(x[1:], (10, 0, 3, 0), mode="replicate")
    assert_close(made[1:], jpeg(larger, 60)[:, :, 3:, 10:])
    assert not torch.equal(made[1:], jpeg(x[1:], 60))


def test_without_strength_only_the_reduction_is_left() -> None:
    """But for JPEG of quality 100: a level or two, and colour at half the size."""
    x = some_images(1).mean(1, keepdim=True)
    for seed in range(3):
        batch = batch_of(x, seed)
        made = NOTHING(x, 2, batch)
        nearest = min(float((made - reduced(x, 2, torch.tensor([way]))).abs().max()) for way in range(3))
        assert nearest < 2.5 * 2 / 255


def test_gaussian_noise_of_the_strength_and_in_the_channels_that_are_set() -> None:
    x, normal = torch.zeros(400, 3, 8, 8), torch.randn(400, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    draws = torch.rand(400, 4, generator=torch.Generator().manual_seed(1))
    noisy = dataclasses.replace(NOTHING, noise_max=20)
    levels = noisy.noisy(x, normal, draws) * 127.5
    assert_close(levels.std((1, 2, 3)), 20 * draws[:, 0], atol=1.5, rtol=0.15)
    assert bool((levels[:, 0] != levels[:, 1]).any())
    grey = dataclasses.replace(noisy, grey_share=1).noisy(x, normal, draws)
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0] * 127.5, levels[:, 0])


def test_poisson_noise_is_stronger_where_it_is_bright() -> None:
    """A hundred photons of white, so 10 levels of a hundred; of a dark pixel of 4 of them, 2."""
    shot = dataclasses.replace(NOTHING, poisson_share=1, peak_min=100)
    x = torch.full((1, 1, 64, 64), 0.5)
    x[..., 32:] = -0.92
    draws = torch.zeros(1, 4)  # the fewest photons
    counts = (shot.noisy(x, torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), draws) + 1) * 50
    assert float(counts[..., :32].std()) == pytest.approx(75**0.5, rel=0.1)
    assert float(counts[..., 32:].std()) == pytest.approx(2, rel=0.1)


def test_a_sharpened_edge_overshoots_and_a_blurred_one_does_not() -> None:
    x = torch.full((1, 1, 32, 32), -0.5)
    x[..., 16:] = 0.5
    draws = torch.full((1, 6), 0.8)
    sharp, blurred = (
        filtered(x, dataclasses.replace(EVERYTHING, sharpened_share=share).kernels(draws)) for share in (1.0, 0.0)
    )
    assert float(sharp.max()) > 0.6 and float(blurred.max()) < 0.51
    assert float(sharp[..., 16].mean()) > 0.5 > float(blurred[..., 16].mean())


def test_the_batch_decides_all_of_it() -> None:
    x = some_images()
    made = EVERYTHING(x, 2, batch_of(x))
    assert made.shape == (4, 3, 16, 16) and made.min() >= -1 and made.max() <= 1
    assert_close((made + 1) * 127.5, ((made + 1) * 127.5).round(), atol=1e-3, rtol=0)
    assert torch.equal(EVERYTHING(x, 2, batch_of(x)), made)
    assert not torch.equal(EVERYTHING(x, 2, batch_of(x, seed=1)), made)


def test_two_ranks_draw_what_one_process_draws() -> None:
    x = some_images()
    whole = EVERYTHING(x, 2, batch_of(x))
    halves = [EVERYTHING(x[2 * rank :][:2], 2, batch_of(x[2 * rank :][:2], rank=rank, ranks=2)) for rank in range(2)]
    assert_close(torch.cat(halves), whole, atol=1e-5, rtol=0)
