"""A frozen network's view of images, and a discriminator that decides by it (Sauer 2021, arXiv:2111.01007).

Idea: a discriminator that starts from nothing memorises what few images there are. One that sees features of a network
trained on a million photos, and learns no more than a few layers on top, has less to learn and finds what matters sooner.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.errors import UsageError
from ganvas.networks.patch import PatchDiscriminator, fitting_layers
from ganvas.networks.perceptual import FeatureNetwork, build_network, check_network, known, open_or_advise
from ganvas.networks.resample import enlarged

SEEN = 96  # pixels that small images are enlarged to at most: deep layers would have hardly any places for them
GRID = 3  # by so many logits each layer decides
SLOPE = 0.2


class LayerFeatures:
    """Features of images (N, C, H, W) in [-1, 1] from the layers `disc_layers` of a feature network (ganvas.networks.perceptual).

    No module: frozen weights that are the same in every run are no part of a method's.
    """

    def __init__(self, network: FeatureNetwork, layers: Sequence[str]) -> None:
        self.network, self.layers = network, tuple(layers)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """One (N, K, h, w) a layer. Small images are enlarged by whole times, to SEEN pixels at most."""
        times = max(1, SEEN // max(x.shape[2:]))
        if times > 1:
            with torch.autocast(x.device.type, enabled=False):  # bfloat16 has too few digits for a colour
                x = enlarged(x.float(), times)
        return list(self.network(x, self.layers).values())


def open_layer_features(name: str, device: torch.device, otherwise: str) -> LayerFeatures:
    """The network `name` with its weights; GanvasError where they are missing, which ends with what to do `otherwise`."""
    layers = known(name).disc_layers
    return LayerFeatures(open_or_advise(name, layers, otherwise).to(device), layers)


@functools.cache
def discriminator_channels(name: str, inputs: int) -> tuple[int, ...]:
    """Channels of the layers that a discriminator looks at, for images of `inputs` channels. Needs no weights."""
    layers = known(name).disc_layers
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
    """The discriminator `kind` that sees `images` of `shape` (C, H, W) beside each other: "patch", of
    `layers` downsamplings at most, images along the channels; else a FeatureDiscriminator of what the feature network `kind` gives of each.
    """
    if kind == "patch":
        return PatchDiscriminator(images * shape[0], width, fitting_layers(layers, *shape[1:]), norm)
    return FeatureDiscriminator([images * number for number in discriminator_channels(kind, shape[0])], width)


class FeatureDiscriminator(nn.Module):
    """Features as LayerFeatures gives them, (N, K_i, h, w) each, to logits (N, layers, GRID, GRID).

    A place's features are brought to length sqrt(K) first, since networks and layers differ in scale by thousands. Two 1 x 1 and
    a 3 x 3 convolution a layer, under spectral norm (Miyato 2018). In place of the paper's random mixing of layers each has a
    head of its own; logits are averaged to one grid, so that a layer with more places does not count more.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(number, width) for number in channels)

    def forward(self, *seen: Sequence[Tensor]) -> Tensor:
        """`seen`: what LayerFeatures gives of an image; of more than one, side by side, if a logit is to tell of all of them."""
        maps = []
        for head, *layers in zip(self.heads, *seen, strict=True):
            side_by_side = torch.cat([_of_one_length(layer) for layer in layers], 1)
            maps.append(F.adaptive_avg_pool2d(head(side_by_side).float(), GRID))
        return torch.cat(maps, 1)


def _of_one_length(features: Tensor) -> Tensor:
    return F.normalize(features.float(), dim=1, eps=1e-3) * features.shape[1] ** 0.5


def _head(channels: int, width: int) -> nn.Sequential:
    one, two, last = nn.Conv2d(channels, width, 1), nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, 1, 1)
    return nn.Sequential(
        spectral_norm(one), nn.LeakyReLU(SLOPE), spectral_norm(two), nn.LeakyReLU(SLOPE), spectral_norm(last)
    )
