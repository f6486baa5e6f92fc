"""A discriminator over the features of a frozen network (Sauer 2021, arXiv:2111.01007).

Idea: a discriminator that is trained from scratch memorises a small data set. One that learns only a few layers on top of the
features of a network trained on a million photos has less to learn and overfits later.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.errors import UsageError
from ganvas.networks.features.catalog import check_network, find_entry
from ganvas.networks.features.extractor import build_network
from ganvas.networks.layers import LEAKY_SLOPE
from ganvas.networks.patch import PatchDiscriminator, fitting_layers

LOGITS_SIDE = 3  # logits per layer: LOGITS_SIDE x LOGITS_SIDE


@functools.cache
def discriminator_channels(name: str, inputs: int) -> tuple[int, ...]:
    """Channels of the layers that a discriminator sees, for images of `inputs` channels. Needs no weights."""
    layers = find_entry(name).disc_layers
    network = build_network(name).cut(layers)
    return tuple(network.channels(layer, inputs) for layer in layers)


def check_discriminator(kind: str, channels: int, gamma: float) -> None:
    """UsageError where `kind` is no discriminator, or a FeatureDiscriminator that cannot do what is asked."""
    check_network("discriminator", kind, ("patch",))
    if kind == "patch":
        return
    if gamma:
        raise UsageError(
            f"gamma is for discriminator=patch; discriminator={kind} has spectral norm instead: set gamma=0"
        )
    if channels > 3:
        raise UsageError(
            f"discriminator={kind} looks at three channels and cannot tell the {channels} of these images apart: set"
            " discriminator=patch, or read them as RGB by --set data.channels=3"
        )


def build_discriminator(
    kind: str, shape: tuple[int, int, int], width: int, *, layers: int, norm: str, images: int = 1
) -> nn.Module:
    """The discriminator `kind`, which sees `images` images of `shape` (C, H, W) together.

    "patch": images concatenated along the channels, at most `layers` downsamplings. Otherwise `kind` is a feature network, and
    a FeatureDiscriminator gets the features of each image.
    """
    if kind == "patch":
        return PatchDiscriminator(images * shape[0], width, fitting_layers(layers, *shape[1:]), norm)
    channels = [images * count for count in discriminator_channels(kind, shape[0])]
    return FeatureDiscriminator(channels, width)


class FeatureDiscriminator(nn.Module):
    """Features as a FeatureExtractor gives them, (N, K_i, h, w) each, to logits (N, layers, LOGITS_SIDE, LOGITS_SIDE).

    The features of each position are first normalised to length sqrt(K), since networks and layers differ in scale by a factor of
    thousands. Each layer has a head of two 1 x 1 and a 3 x 3 convolution under spectral norm (Miyato 2018), in place of the
    paper's random mixing of layers. Logits are averaged to one grid, so that a layer with more positions does not count more.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(number, width) for number in channels)

    def forward(self, *features: Sequence[Tensor]) -> Tensor:
        """Logits of images that are seen together; `features` are those of each image, as FeatureExtractor.maps gives them."""
        logits = []
        for head, *layers in zip(self.heads, *features, strict=True):
            side_by_side = torch.cat([_normalised(layer) for layer in layers], 1)
            logits.append(F.adaptive_avg_pool2d(head(side_by_side).float(), LOGITS_SIDE))
        return torch.cat(logits, 1)


def _normalised(features: Tensor) -> Tensor:
    return F.normalize(features.float(), dim=1, eps=1e-3) * features.shape[1] ** 0.5


def _head(channels: int, width: int) -> nn.Sequential:
    one, two, last = nn.Conv2d(channels, width, 1), nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, 1, 1)
    return nn.Sequential(
        spectral_norm(one),
        nn.LeakyReLU(LEAKY_SLOPE),
        spectral_norm(two),
        nn.LeakyReLU(LEAKY_SLOPE),
        spectral_norm(last),
    )
