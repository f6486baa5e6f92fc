"""A linear probe: which class is in an image, by logistic regression on the features of a frozen network (Alain 2016,
arXiv:1610.01644). With it every label of the data is an attribute of new images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import DataError, UsageError, nearest
from ganvas.metrics.attributes import Attribute
from ganvas.metrics.extractors import choose_extractor, extract, has_photo_network
from ganvas.metrics.labels import class_numbers

PROBE_SIDE = 16  # pixels of the longer side, where no network extracts features of such images
MAX_PROBE_IMAGES = 10_000  # images that a probe is fitted on at most
WEIGHT_DECAY = 1e-2  # L2 penalty on standardised features
LBFGS_ITERATIONS = 100
CLASS_PREFIX = "class:"  # of the names of classes among attributes


@dataclass(frozen=True)
class Probe:
    """A fitted probe."""

    classes: tuple[str, ...]
    features: str
    """What it reads: "digits", "mobilenet_v2", "efficientnet_lite0" or "pixels"."""
    accuracy: float
    """Share of held-out images whose class it predicts."""
    n: int
    """How many held-out images that is of."""
    extract: Callable[[np.ndarray], Tensor]
    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def log_probabilities(self, images: np.ndarray) -> Tensor:
        """(N, classes) of images uint8 (N, H, W, C)."""
        x = (self.extract(images) - self.mean) / self.deviation
        return F.log_softmax(x @ self.weight + self.bias, 1)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """float64 (N, classes) of images uint8 (N, H, W, C)."""
        return self.log_probabilities(images).exp().double().numpy()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The most probable class of each image, int64 (N,)."""
        return self.log_probabilities(images).argmax(1).numpy()

    def number(self, name: str) -> int:
        """The number of a class given by name or number; UsageError offers the nearest."""
        if name in self.classes:
            return self.classes.index(name)
        if name.isdecimal() and int(name) < len(self.classes):
            return int(name)
        raise UsageError(f"there is no class {name}{nearest(name, self.classes)} (classes: {', '.join(self.classes)})")

    def attribute(self, name: str) -> Attribute:
        """The probability of a class, by name or number, as an attribute "class:NAME"."""
        number = self.number(name)

        def measure(images: np.ndarray) -> np.ndarray:
            return self.probabilities(images)[:, number]

        return Attribute(
            CLASS_PREFIX + self.classes[number], "", f"probability of class {self.classes[number]} by a probe", measure,
            table=self.probabilities, column=number,
        )  # fmt: skip


def fit_probe(
    images: np.ndarray,
    labels: np.ndarray | Sequence[int],
    classes: Sequence[str],
    held_out: tuple[np.ndarray, np.ndarray] | None = None,
) -> Probe:
    """A probe for the classes of images uint8 (N, H, W, C) with labels (N,), at most 10,000 of them.

    `held_out`: images and labels that its accuracy is measured on; without them every fifth image is held out. DataError where
    fewer than two classes occur.
    """
    labels = np.asarray(labels, np.int64)
    if len(images) != len(labels):
        raise DataError(f"a probe takes a label for each image (got {len(images)} images, {len(labels)} labels)")
    if len(np.unique(labels)) < 2:
        raise DataError("a probe needs images of two classes at least")

    # Choose and standardise the features.
    names = tuple(classes)
    features, extract = _extractor(names, images.shape)
    if held_out is None:
        rest = np.arange(len(images)) % 5 == 4
        held_out = images[rest], labels[rest]
        images, labels = images[~rest], labels[~rest]
    chosen = np.linspace(0, len(images) - 1, min(len(images), MAX_PROBE_IMAGES)).astype(int)
    x, y = extract(images[chosen]), torch.from_numpy(labels[chosen])
    mean, deviation = x.mean(0), x.std(0).clamp_min(1e-6)
    weight, bias = _fit((x - mean) / deviation, y, len(names))

    # Measure it on images that it was not fitted on.
    held_images, held_labels = held_out[0][:MAX_PROBE_IMAGES], np.asarray(held_out[1], np.int64)[:MAX_PROBE_IMAGES]
    held = (extract(held_images) - mean) / deviation
    right = ((held @ weight + bias).argmax(1) == torch.from_numpy(held_labels)).double()
    return Probe(names, features, float(right.mean()), len(right), extract, mean, deviation, weight, bias)


def _fit(x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Weight (D, K) and bias (K,) of multinomial logistic regression, by L-BFGS from zero."""
    weight = torch.zeros(x.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=LBFGS_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight + bias, y) + WEIGHT_DECAY / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return weight.detach(), bias.detach()


def _extractor(classes: tuple[str, ...], shape: tuple[int, ...]) -> tuple[str, Callable[[np.ndarray], Tensor]]:
    """The name and the function of the features: of the digit network where classes are numerals, of a network trained on photos
    where one is on this machine, else small pixels."""
    reads_numerals = class_numbers(classes, shape[3]) is not None
    if reads_numerals or (shape[3] in (1, 3) and has_photo_network()):
        extractor = choose_extractor("auto", (shape[1], shape[2], shape[3]), reads_numerals)
        return extractor.name, lambda images: extract(extractor, images, "images")
    return "pixels", _pixels


def _pixels(images: np.ndarray) -> Tensor:
    """Pixels in [0, 1] of images reduced to 16 at the longer side, (N, D)."""
    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    scale = min(1.0, PROBE_SIDE / max(x.shape[2:]))
    size = [max(1, round(side * scale)) for side in x.shape[2:]]
    return F.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False).flatten(1)
