"""The filter bank: facts by hand."""

from __future__ import annotations

import math

import pytest
import torch

from ganvas.networks.features import filter_bank
from ganvas.networks.features.filter_bank import MIN_AMPLITUDE, band, channel_transform, filter_features, working_side


@pytest.mark.parametrize(
    ("size", "side"), [((1, 1), 16), ((28, 28), 32), ((40, 64), 64), ((64, 96), 128), ((9, 999), 128)]
)
def test_working_side(size: tuple[int, int], side: int) -> None:
    assert working_side(*size) == side


def test_channels_of_a_grey_image_differ_in_nothing() -> None:
    """R = G = B = v: the mean is v, the differences are 0; of one channel the mean alone is left."""
    grey = torch.rand(2, 1, 4, 4)
    planes = channel_transform(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(planes, torch.cat([grey, torch.zeros(2, 2, 4, 4)], 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(channel_transform(grey), grey)
    assert channel_transform(torch.rand(1, 7, 4, 4)).shape == (1, 3, 4, 4)


def test_a_ramp_by_hand() -> None:
    """x rises by 0.01 a pixel: Sobel's edge gives 8 times that over its norm sqrt(12), and the second derivatives give 0."""
    ramp = (torch.arange(32) * 0.01).expand(1, 1, 32, 32)
    strength, sparsity = band(ramp)
    middle = strength.view(6, 2, 2)
    across, down = middle[0, 0, 0], middle[1, 0, 0]
    inner = 15 / 16 * 0.08 / math.sqrt(12)  # the rim sees its mirror image, so one column of 16 gives 0
    assert across.item() == pytest.approx(math.log(inner + MIN_AMPLITUDE), abs=1e-5)
    assert down.item() == pytest.approx(math.log(MIN_AMPLITUDE), abs=1e-5)
    assert sparsity.view(6)[1].item() == pytest.approx(0, abs=1e-5)


def test_what_is_rare_is_sparse() -> None:
    """Of two images with equal mean amplitude, that with a single bright point has the larger root mean square."""
    noise = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    point = torch.zeros(1, 1, 32, 32)
    point[..., 8, 8] = 1.0
    assert (band(point)[1] > band(noise)[1] + 0.3).all()


@pytest.mark.parametrize("shape", [(1, 5, 5), (2, 30, 50), (3, 32, 32), (5, 9, 7)])
def test_any_shape_has_finite_features_that_depend_on_no_other_image(shape: tuple[int, int, int]) -> None:
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    features = filter_features(images)
    assert features.isfinite().all()
    torch.testing.assert_close(filter_features(images[1:2]), features[1:2], atol=1e-5, rtol=1e-5)


def test_filters_have_mean_0_and_norm_1() -> None:
    filters = filter_bank._filters().flatten(1)
    torch.testing.assert_close(filters.sum(1), torch.zeros(6), atol=1e-6, rtol=0)
    torch.testing.assert_close(filters.norm(dim=1), torch.ones(6))
