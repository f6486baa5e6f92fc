"""The training images nearest to generated ones at each depth: as pixels, and by the features of each layer of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.chunks import CHUNK
from ganvas.data import Dataset
from ganvas.data.batch import as_image_tensor
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.copying import nearest
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.extractor import FeatureExtractor
from ganvas.tasks.invert import feature_network_name

MAX_COMPARED_FEATURES = 5000  # training images that are compared by features
MAX_POSITIONS = 4  # features are averaged to at most 4 x 4 positions
NEIGHBOURS_PER_DEPTH = 2  # training images for each sample and depth
ENLARGED_SIDE = 96  # small images are enlarged to about that many pixels, for networks trained on photos
PIXEL_DEPTH = "pixels"


@dataclass(frozen=True)
class Neighbour:
    """A training image near to a generated one."""

    number: int
    distance: float
    """Of pixels the root mean square difference of thumbnails in bytes; of features 1 - cosine similarity, 0 to 2."""
    label: str
    """Its class; "" without labels."""
    image: np.ndarray = field(repr=False)
    """uint8 (H, W, C)."""


@dataclass(frozen=True)
class Neighbours:
    """A generated image with its nearest training images by depth, the nearest first."""

    seed: int
    by_depth: dict[str, list[Neighbour]]
    """"pixels", then the network's layers from the first to the last."""
    image: np.ndarray = field(repr=False)

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the images."""
        depths: JsonObject = {}
        for depth, found in self.by_depth.items():
            depths[depth] = [{"number": one.number, "distance": one.distance, "label": one.label} for one in found]
        return {"seed": self.seed, "by_depth": depths}


def depth_network(method: Method) -> FeatureExtractor:
    """The network whose features are compared, with layers from fine to deep."""
    name = feature_network_name(method.spec.classes)
    entry = find_entry(name)
    layers = tuple(dict.fromkeys((*entry.style_layers, *entry.disc_layers[-1:])))
    enlarge_to = 0 if name == "digits" else ENLARGED_SIDE
    return FeatureExtractor(name, layers, device=method.device, enlarge_to=enlarge_to)


def neighbours(
    method: Method, images: np.ndarray, seeds: Sequence[int], data: Dataset
) -> tuple[list[Neighbours], FeatureExtractor, int]:
    """The nearest of the training images `data` to each of `images` uint8 (n, H, W, C) of seeds, the network, and how many
    training images were compared by its features."""
    k = min(NEIGHBOURS_PER_DEPTH, len(data.images))
    network = depth_network(method)
    chosen: dict[str, tuple[np.ndarray, np.ndarray]] = {PIXEL_DEPTH: nearest(images, data, k)}
    compared = np.linspace(0, len(data.images) - 1, min(MAX_COMPARED_FEATURES, len(data.images))).astype(int)
    for depth, (near, far) in _by_features(images, data, compared, network, method.device, k).items():
        chosen[depth] = compared[near], far

    found: list[Neighbours] = []
    for place, seed in enumerate(seeds):
        by_depth: dict[str, list[Neighbour]] = {}
        for depth, (rows, distances) in chosen.items():
            by_depth[depth] = [
                _neighbour(data, int(row), float(distance))
                for row, distance in zip(rows[place], distances[place], strict=True)
            ]
        found.append(Neighbours(seed, by_depth, images[place]))
    return found, network, len(compared)


def _neighbour(data: Dataset, row: int, distance: float) -> Neighbour:
    label = "" if data.labels is None else data.spec.classes[int(data.labels[row])]
    return Neighbour(row, distance, label, np.asarray(data.images[row]))


def _by_features(
    images: np.ndarray, data: Dataset, compared: np.ndarray, network: FeatureExtractor, device: torch.device, k: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By layer: places among `compared` (n, k) and distances (n, k), the nearest first."""
    own: dict[str, list[Tensor]] = {}
    for start in range(0, len(images), CHUNK):
        for layer, features in _features(network, images[start : start + CHUNK], device).items():
            own.setdefault(layer, []).append(features)
    distances: dict[str, list[Tensor]] = {layer: [] for layer in own}
    for start in range(0, len(compared), CHUNK):
        block = np.asarray(data.images[compared[start : start + CHUNK]])
        for layer, features in _features(network, block, device).items():
            distances[layer].append(1 - torch.cat(own[layer]) @ features.T)
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for layer, blocks in distances.items():
        chosen = torch.cat(blocks, 1).topk(k, largest=False)
        found[layer] = chosen.indices.numpy(), chosen.values.numpy()
    return found


@torch.no_grad()
def _features(network: FeatureExtractor, images: np.ndarray, device: torch.device) -> dict[str, Tensor]:
    """By layer (n, D), on the CPU: features of images uint8 (n, H, W, C), averaged to at most 4 x 4 positions, of length 1."""
    found: dict[str, Tensor] = {}
    for layer, features in network(as_image_tensor(images, device)).items():
        height, width = features.shape[2:]
        size = min(MAX_POSITIONS, height), min(MAX_POSITIONS, width)
        pooled = F.adaptive_avg_pool2d(features.float().contiguous(), size)
        found[layer] = F.normalize(pooled.flatten(1), dim=1).cpu()
    return found
