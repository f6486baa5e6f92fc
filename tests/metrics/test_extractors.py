"""Which extractor "auto" takes, and that what it says of photos, emoji and faces is in the right order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image

from ganvas.data import Dataset, open_data
from ganvas.figure import Figure, warnings_of
from ganvas.metrics import extractors, measure
from ganvas.metrics.extractors import Extractor, choose_extractor, extract
from ganvas.networks.features.catalog import EFFICIENTNET, MOBILENET
from ganvas.networks.features.weights import has_weights


@pytest.fixture(autouse=True)
def _no_mobilenet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "has_mobilenet_weights", lambda: False)
    monkeypatch.setattr(extractors, "has_efficientnet_weights", lambda: False)


def photos() -> np.ndarray:
    """Pieces of 32 x 32 of scikit-learn's two photos at half their size, which overlap by half."""
    folder = Path(sklearn.datasets.__file__).parent / "images"
    pieces: list[np.ndarray] = []
    for name in ("china.jpg", "flower.jpg"):
        image = np.asarray(Image.open(folder / name).convert("RGB").reduce(2))
        for top in range(0, image.shape[0] - 32, 16):
            for left in range(0, image.shape[1] - 32, 16):
                pieces.append(image[top : top + 32, left : left + 32])
    return np.stack(pieces)


def dataset_of(images: np.ndarray) -> Dataset:
    """These images as a data set without labels, of no fingerprint: nothing of it is kept in the cache."""
    like = open_data("emoji")
    spec = dataclasses.replace(like.spec, channels=images.shape[3], classes=(), count=len(images))
    return dataclasses.replace(like, spec=spec, examples=images, labels=None, partners=None, fingerprint="", _parts={})


def shuffled(images: np.ndarray) -> np.ndarray:
    return images[np.random.default_rng(0).permutation(len(images))]


def blurred(images: np.ndarray) -> np.ndarray:
    """Means over 3 x 3 pixels."""
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()
    x = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return x.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", ["photos", "emoji", "grey photos"])
def test_noise_scores_worse_than_blur_and_blur_than_real_images(name: str) -> None:
    """The digit network gave uniform noise a precision of 0.69 on these photos, and of 1.00 on emoji."""
    images = shuffled(np.asarray(open_data("emoji").images)[:600] if name == "emoji" else photos())
    if name == "grey photos":
        images = images.mean(3, keepdims=True).round().astype(np.uint8)
    half = len(images) // 2
    train, held_out = dataset_of(images[:half]), images[half : 2 * half]
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, held_out.shape, dtype=np.uint8)
    noisy = (held_out + random.normal(size=held_out.shape) * 25).round().clip(0, 255).astype(np.uint8)
    found = {
        what: measure(samples, train, features="auto")
        for what, samples in {"real": held_out, "blur": blurred(held_out), "noisy": noisy, "noise": noise}.items()
    }
    distances = [found[what]["FD[filter_bank]"].value for what in ("real", "blur", "noisy", "noise")]
    assert distances == sorted(distances) and distances[1] > 1.5 * distances[0] and distances[3] > 4 * distances[1]
    assert found["real"]["precision"].value > 0.8 and found["noise"]["precision"].value < 0.1
    assert found["noise"]["recall"].value < 0.1 < found["real"]["recall"].value


def test_the_warning_stands_at_every_figure_by_these_features() -> None:
    images = photos()
    found = measure(images[:20], dataset_of(images[20:60]))
    ((warning, names),) = warnings_of(found).items()
    assert set(names) == {"FD[filter_bank]", "KD[filter_bank]", "precision", "recall", "density", "coverage"}
    assert MOBILENET.install in warning
    assert found["precision"].as_dict()["warning"] == warning
    assert not warnings_of({"FD[digits]": Figure(1.0)})


def test_what_auto_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_extractor("auto", (28, 28, 1), True).name == "digits"
    assert choose_extractor("auto", (28, 28, 1), False).name == "filter_bank"
    assert "take 1 or 3 channels" in choose_extractor("auto", (28, 28, 2), False).warning
    monkeypatch.setattr(extractors, "has_efficientnet_weights", lambda: True)
    monkeypatch.setattr(
        extractors, "_efficientnet_extractor", lambda shape: Extractor("efficientnet_lite0", "", 1, torch.tensor)
    )
    assert choose_extractor("auto", (28, 28, 3), False).name == "efficientnet_lite0"
    assert choose_extractor("auto", (28, 28, 4), False).name == "filter_bank"
    monkeypatch.setattr(extractors, "has_mobilenet_weights", lambda: True)
    monkeypatch.setattr(
        extractors, "_mobilenet_extractor", lambda shape: Extractor("mobilenet_v2", "", 1, torch.tensor)
    )
    assert choose_extractor("auto", (28, 28, 1), False).name == "mobilenet_v2"
    assert choose_extractor("auto", (28, 28, 1), True).name == "digits"
    assert choose_extractor("auto", (28, 28, 4), False).name == "filter_bank"


@pytest.mark.skipif(not has_weights(EFFICIENTNET), reason="EfficientNet-Lite0's weights are not on this machine")
def test_efficientnet_orders_noise_blur_and_real_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "has_efficientnet_weights", lambda: True)
    images = shuffled(photos())[:200]
    train, held_out = dataset_of(images[:100]), images[100:]
    noise = np.random.default_rng(1).integers(0, 256, held_out.shape, dtype=np.uint8)
    distances: list[float] = []
    for samples in (held_out, blurred(held_out), noise):
        found = measure(samples, train)
        assert not found["FD[efficientnet_lite0]"].warning
        distances.append(found["FD[efficientnet_lite0]"].value)
    assert distances == sorted(distances) and distances[1] > 1.2 * distances[0] and distances[2] > 2 * distances[1]
    assert extract(choose_extractor("auto", (40, 30, 1), False), images[:2, :, :, :1], "x").shape == (2, 320)


def test_neighbours_by_direction() -> None:
    """(3, 4) and (30, 40) point the same way."""
    features = torch.tensor([[3.0, 4.0], [30.0, 40.0]])
    extractor = Extractor("x", "x", 1, torch.tensor, by_direction=True)
    torch.testing.assert_close(extractor.for_neighbours(features), torch.tensor([[0.6, 0.8], [0.6, 0.8]]))
    assert Extractor("x", "x", 1, torch.tensor).for_neighbours(features) is features
