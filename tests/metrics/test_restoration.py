"""PSNR and SSIM against their definitions, and a distance by features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from ganvas.figure import Figure
from ganvas.metrics import compare_images, luma_bt601_studio, mobilenet_distance, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from ganvas.metrics.restoration import PD_LAYERS
from ganvas.networks.features.catalog import IMAGENET
from ganvas.networks.features.extractor import FeatureExtractor, build_network
from ganvas.networks.features.mobilenet import MobileNetV2, has_mobilenet_weights

RANDOM = np.random.default_rng(0)


def pair(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    target = ndimage.gaussian_filter(RANDOM.uniform(0, 255, (40, 50, channels)), (2, 2, 0)) * 3 - 255
    made = target + RANDOM.normal(0, 12, target.shape)
    return made.clip(0, 255).astype(np.uint8), target.clip(0, 255).astype(np.uint8)


def test_psnr_worked_by_hand() -> None:
    """Off by 10 levels everywhere: 20 log10(255 / 10) = 28.13 dB; bytes must not wrap around."""
    target = np.full((12, 12, 3), 250, np.uint8)
    assert psnr_rgb(target - 10, target) == pytest.approx(28.1308, abs=1e-4)
    assert psnr_rgb(np.zeros((2, 2, 1)), np.full((2, 2, 1), 255.0)) == 0
    assert psnr_rgb(target, target) == np.inf


def test_y_of_bt601() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_bt601_studio(colours)[0, :, 0].tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966])
    grey = np.full((3, 3, 1), 77, np.uint8)
    assert luma_bt601_studio(grey)[0, 0, 0] == pytest.approx(16 + 219 * 77 / 255)
    target = np.full((12, 12, 3), 100, np.uint8)  # 10 levels of RGB are 10 * 219 / 255 of Y
    assert psnr_y(target + 10, target) - psnr_rgb(target + 10, target) == pytest.approx(
        20 * np.log10(255 / 219), abs=1e-6
    )


def test_ssim_by_its_definition() -> None:
    """Equation 13 with scipy's Gaussian filter, which has the same weights; windows that leave the image do not count."""
    made, target = pair(1)
    a, b = made[..., 0].astype(float), target[..., 0].astype(float)

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(x, 1.5, radius=5)[5:-5, 5:-5]

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 2.55**2, 7.65**2
    expected = ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()
    assert ssim_rgb(made, target) == pytest.approx(expected, abs=1e-9)
    assert 0.1 < expected < 0.95


def test_ssim_of_plain_levels_worked_by_hand() -> None:
    """Without structure only the light term is left: (2ab + c1) / (a^2 + b^2 + c1)."""
    a, b = np.full((11, 11, 1), 100, np.uint8), np.full((11, 11, 1), 120, np.uint8)
    assert ssim_rgb(a, b) == pytest.approx((24000 + 6.5025) / (24400 + 6.5025))
    assert ssim_rgb(a, a) == 1
    with pytest.raises(ValueError, match="11 x 11"):
        ssim_rgb(a[:10], a[:10])


def test_more_noise_is_worse_by_every_measure() -> None:
    target = pair()[1]
    little, much = ((target + RANDOM.normal(0, sigma, target.shape)).clip(0, 255).astype(np.uint8) for sigma in (5, 25))
    for measure in (psnr_rgb, psnr_y, ssim_rgb, ssim_y):
        assert measure(little, target) > measure(much, target)
    entries = compare_images(much, target)
    assert set(entries) == {"PSNR[RGB]", "PSNR[Y]", "SSIM[RGB]", "SSIM[Y]"}
    assert entries["PSNR[Y]"] == Figure(psnr_y(much, target), "higher", unit="dB")


def test_shapes_must_agree() -> None:
    for measure in (psnr_rgb, ssim_rgb):
        with pytest.raises(ValueError, match="one shape"):
            measure(np.zeros((12, 12, 3)), np.zeros((12, 12, 1)))


@pytest.mark.skipif(not has_mobilenet_weights(), reason="MobileNetV2's weights are not on this machine")
def test_the_distance_by_features() -> None:
    made, target = pair()
    assert mobilenet_distance(target, target) == 0
    blurred = ndimage.gaussian_filter(target, (1.5, 1.5, 0))
    assert mobilenet_distance(blurred, target) > mobilenet_distance(target + (target < 250), target) > 0
    assert mobilenet_distance(made[..., :1], target[..., :1]) > 0


def test_the_distance_by_features_is_its_definition() -> None:
    """Of MobileNetV2 with random weights and batch norm as it comes, layer by layer; its chain has the norms folded."""
    torch.manual_seed(0)
    network = MobileNetV2().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # pyright: ignore
            module.running_var.uniform_(0.5, 2)  # pyright: ignore
    state = {key.replace("layers.", "features.", 1): value for key, value in network.state_dict().items()}
    images, layers = pair(), []
    with torch.no_grad():
        for image in images:
            x = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - torch.tensor(IMAGENET[0]).view(3, 1, 1)) / (
                torch.tensor(IMAGENET[1]).view(3, 1, 1)
            )
            features = []
            for number, layer in enumerate(network.layers):
                x = layer(x)
                if number in (1, 3, 6, 10, 13):
                    features.append(x / x.norm(dim=1, keepdim=True))
            layers.append(features)
        expected = sum(float((a - b).square().sum(1).mean()) for a, b in zip(*layers, strict=True)) / 5
    extractor = FeatureExtractor(build_network("mobilenet_v2", state=state), PD_LAYERS)
    assert mobilenet_distance(*images, extractor) == pytest.approx(expected, rel=1e-5)
    assert expected > 0.001
