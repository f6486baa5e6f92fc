"""Features (N, D) of images uint8 (N, H, W, C) of any shape, by one of the feature networks: what distances of sets compare."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import DataError, UsageError, nearest
from ganvas.networks.features.catalog import EFFICIENTNET, MOBILENET
from ganvas.networks.features.digits import digit_network, digit_network_card
from ganvas.networks.features.extractor import open_network
from ganvas.networks.features.filter_bank import FILTER_BANK_VERSION, filter_features, working_side
from ganvas.networks.features.mobilenet import (
    MobileNetV2,
    find_mobilenet_weights,
    has_mobilenet_weights,
    mobilenet_v2,
)
from ganvas.networks.features.network import FeatureNetwork
from ganvas.networks.features.weights import has_weights

FEATURES = ("auto", "digits", "filter_bank", "mobilenet_v2", "efficientnet_lite0")
LAST_BLOCK = "block16"  # of EfficientNet-Lite0: 320 channels, whose means are the features
SMALL, LARGE = (
    96,
    224,
)  # sides that a network trained on photos sees: 96 costs a fifth, and a small image has no more to show
IMAGES_PER_BATCH = 250
WEAK = (
    "these images are no digits that the digit network can read, and it extracts little from them: it scores noise much like "
    "real images. Omit features=digits"
)
STAND_IN = "fixed filters stand in for a network trained on photos: they order noise, blur and real images, but know no objects. "
GET_NETWORK = f"For a network trained on photos: {EFFICIENTNET.install}; or MobileNetV2: {MOBILENET.install}"
NO_NETWORK = "networks trained on photos take 1 or 3 channels, so none is to be had for these images"

Progress = Callable[[str, int, int], None]  # (what is being done, images done, of how many)


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A feature network and how images are prepared for it.

    `key` names all that changes the features (weights and preparation). `limit` is the maximum number of real images, by the
    network's cost. `warning` is what makes its figures weak.
    """

    name: str
    key: str
    limit: int
    features: Callable[[np.ndarray], Tensor]  # uint8 (N, H, W, C) -> (N, D) float32; N a batch
    numerals: Callable[[Tensor], Tensor] | None = None
    """features -> int64 (N, C), the numeral in each channel; None where it reads none."""
    batch: int = IMAGES_PER_BATCH
    warning: str = ""
    by_direction: bool = False
    """Whether neighbours (precision, recall, density, coverage) are sought among features divided by their norm."""

    def for_neighbours(self, features: Tensor) -> Tensor:
        """Features (N, D) as distances of single images compare them.

        Images in which a network trained on photos finds nothing have features of small norm, near to all others: noise would lie
        among real images.
        """
        return F.normalize(features, dim=1) if self.by_direction else features


def extract(extractor: Extractor, images: np.ndarray, what: str, progress: Progress | None = None) -> Tensor:
    """Features (N, D) float32 of images uint8 (N, H, W, C), a batch at a time."""
    parts = []
    for start in range(0, len(images), extractor.batch):
        parts.append(extractor.features(images[start : start + extractor.batch]))
        if progress:
            progress(f"features of {what}", min(len(images), start + extractor.batch), len(images))
    return torch.cat(parts)


def check_choice(features: str) -> None:
    """UsageError if `features` is none of FEATURES."""
    if features not in FEATURES:
        raise UsageError(
            f"features must be one of {', '.join(FEATURES)} (got {features!r}){nearest(str(features), FEATURES)}"
        )


def choose_extractor(features: str, shape: tuple[int, int, int], reads_numerals: bool) -> Extractor:
    """The extractor for images of `shape` (H, W, C) under the choice `features`.

    "auto": the digit network where it reads the data's own labels (at least 0.9 of the held-out images right); else, of grey or
    RGB images, MobileNetV2 or EfficientNet-Lite0, the first whose weights are on this machine; else the filter bank, with a
    warning.
    """
    channels = shape[2]
    if features == "mobilenet_v2":
        return _mobilenet_extractor(shape)
    if features == "efficientnet_lite0":
        return _efficientnet_extractor(shape)
    if features == "filter_bank":
        return _filter_extractor(shape)
    if features == "auto" and not reads_numerals:
        if channels in (1, 3) and has_mobilenet_weights():
            return _mobilenet_extractor(shape)
        if channels in (1, 3) and has_efficientnet_weights():
            return _efficientnet_extractor(shape)
        return _filter_extractor(shape)
    return _digit_extractor(channels, reads_numerals)


def has_photo_network() -> bool:
    """Whether the weights of a network trained on photos, which measures can take, lie on this machine."""
    return has_mobilenet_weights() or has_efficientnet_weights()


def has_efficientnet_weights() -> bool:
    """Whether EfficientNet-Lite0's weights lie on this machine."""
    return has_weights(EFFICIENTNET)


def numerals(images: np.ndarray, per_image: int) -> Tensor:
    """What the digit network reads in images (N, H, W, C): int64 (N, per_image), each 0 to 9.

    `per_image` is C, one numeral in each channel, or 1: one in the image made grey.
    """
    parts: list[Tensor] = []
    for start in range(0, len(images), IMAGES_PER_BATCH):
        parts.append(_numerals(images[start : start + IMAGES_PER_BATCH], per_image))
    return torch.cat(parts)


def _digit_extractor(channels: int, reads_numerals: bool) -> Extractor:
    sha256 = str(digit_network_card()["sha256"])
    way = "channels" if channels <= 4 else "grey"
    warning = "" if reads_numerals else WEAK
    return Extractor(
        "digits", f"digits {sha256} {way}", 50_000, _digit_features, _numerals_of_features, warning=warning
    )


@torch.inference_mode()
def _digit_features(images: np.ndarray) -> Tensor:
    x = _digit_input(images)
    return digit_network().features(x.flatten(0, 1)[:, None]).view(len(x), -1)


@torch.inference_mode()
def _numerals(images: np.ndarray, per_image: int) -> Tensor:
    x = _digit_input(images)
    if per_image == 1:
        x = x.mean(1, keepdim=True)
    return digit_network().logits(x.flatten(0, 1)[:, None]).argmax(1).view(len(x), -1)


@torch.inference_mode()
def _numerals_of_features(features: Tensor) -> Tensor:
    return digit_network().read(features.unflatten(1, (-1, 64))).argmax(2)


def _digit_input(images: np.ndarray) -> Tensor:
    """(N, C, 28, 28) in [-1, 1]: each channel is read by itself; more than four become their mean."""
    x = _planar(images)
    if x.shape[1] > 4:
        x = x.mean(1, keepdim=True)
    if x.shape[2:] != (28, 28):
        x = F.interpolate(x, (28, 28), mode="bilinear", antialias=True, align_corners=False)
    return x * 2 - 1


def _filter_extractor(shape: tuple[int, int, int]) -> Extractor:
    key = f"filter_bank {FILTER_BANK_VERSION} {working_side(shape[0], shape[1])}"
    warning = STAND_IN + (GET_NETWORK if shape[2] in (1, 3) else NO_NETWORK)
    return Extractor("filter_bank", key, 10_000, _filter_features, warning=warning)


@torch.inference_mode()
def _filter_features(images: np.ndarray) -> Tensor:
    return filter_features(_planar(images))


def _mobilenet_extractor(shape: tuple[int, int, int]) -> Extractor:
    size = _side("MobileNetV2", shape)
    network = _mobilenet(find_mobilenet_weights())

    @torch.inference_mode()
    def features(images: np.ndarray) -> Tensor:
        x = _planar(images).expand(-1, 3, -1, -1)
        return network.features(MobileNetV2.prepare(x, size).contiguous(memory_format=torch.channels_last))

    return Extractor(
        "mobilenet_v2", f"mobilenet_v2 {MOBILENET.sha256} {size}", 10_000, features, batch=32, by_direction=True
    )


@functools.lru_cache(maxsize=1)
def _mobilenet(path: Path) -> MobileNetV2:
    network = mobilenet_v2(path)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network


def _efficientnet_extractor(shape: tuple[int, int, int]) -> Extractor:
    size = _side("EfficientNet-Lite0", shape)
    network = _efficientnet()

    @torch.inference_mode()
    def features(images: np.ndarray) -> Tensor:
        x = _planar(images).expand(-1, 3, -1, -1)
        if x.shape[2:] != (size, size):
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
        return network(x * 2 - 1, [LAST_BLOCK])[LAST_BLOCK].mean((2, 3))

    key = f"efficientnet_lite0 {EFFICIENTNET.sha256} {LAST_BLOCK} {size}"
    return Extractor("efficientnet_lite0", key, 10_000, features, batch=32, by_direction=True)


@functools.lru_cache(maxsize=1)
def _efficientnet() -> FeatureNetwork:
    return open_network("efficientnet_lite0", wanted=[LAST_BLOCK])


def _side(network: str, shape: tuple[int, int, int]) -> int:
    """Of the square that a network trained on photos sees of images of `shape` (H, W, C). DataError for other channels."""
    if shape[2] not in (1, 3):
        raise DataError(
            f"{network} looks at grey or RGB images, and these have {shape[2]} channels: choose features=filter_bank or auto"
        )
    return SMALL if max(shape[:2]) <= SMALL else LARGE


def _planar(images: np.ndarray) -> Tensor:
    """uint8 (N, H, W, C) to float (N, C, H, W) in [0, 1]."""
    # A copy: a memory map is read-only, which torch does not like.
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
