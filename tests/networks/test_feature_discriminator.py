"""A discriminator that decides by a frozen network's features."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from ganvas.networks.feature_discriminator import LOGITS_SIDE, FeatureDiscriminator, discriminator_channels
from ganvas.networks.features.catalog import CATALOG
from ganvas.networks.features.extractor import DISC_SIZE, FeatureExtractor, build_network
from ganvas.networks.resample import enlarged


def test_small_images_are_enlarged_and_large_ones_are_not() -> None:
    network = build_network("digits")
    extractor = FeatureExtractor(network, ("conv1",), enlarge_to=DISC_SIZE)
    small, large = torch.rand(2, 1, 32, 24), torch.rand(2, 1, 100, 90)
    assert_close(extractor.maps(small)[0], network(enlarged(small, 3), ("conv1",))["conv1"])
    assert_close(extractor.maps(large)[0], network(large, ("conv1",))["conv1"])
    assert extractor.maps(small)[0].shape[2:] == (DISC_SIZE // 2, 36), "the first layer halves"


@pytest.mark.parametrize("name", sorted(CATALOG))
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_heads_fit_the_features_of_every_network(name: str, channels: int) -> None:
    layers = CATALOG[name].disc_layers
    discriminator = FeatureDiscriminator(discriminator_channels(name, channels), 4)
    extractor = FeatureExtractor(build_network(name), layers, enlarge_to=DISC_SIZE)
    logits = discriminator(extractor.maps(torch.rand(2, channels, 32, 32)))
    assert logits.shape == (2, len(layers), LOGITS_SIDE, LOGITS_SIDE) and logits.dtype == torch.float32


def test_a_layers_scale_does_not_count() -> None:
    torch.manual_seed(0)
    discriminator = FeatureDiscriminator([6], 4).eval()
    features = torch.randn(2, 6, 5, 5)
    assert_close(discriminator([features * 1000]), discriminator([features]))
    assert not torch.allclose(discriminator([features.flip(1)]), discriminator([features]))


def test_several_views_stand_side_by_side() -> None:
    torch.manual_seed(0)
    discriminator = FeatureDiscriminator([12], 4).eval()
    one, other = torch.randn(2, 2, 6, 5, 5)
    assert not torch.allclose(discriminator([one], [other]), discriminator([other], [one]))


def test_building_heads_draws_no_random_numbers() -> None:
    """Weights of a frozen network are drawn in passing where only its shape is asked for."""
    torch.manual_seed(0)
    state = torch.get_rng_state()
    discriminator_channels.cache_clear()
    discriminator_channels("mobilenet_v2", 3)
    assert torch.equal(torch.get_rng_state(), state)
