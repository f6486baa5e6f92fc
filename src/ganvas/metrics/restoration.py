"""How near a restored image is to the whole one: PSNR and SSIM, of RGB or of Y, and a distance by the features of MobileNetV2.

Images are (H, W, C), uint8 or floats in levels of 0 to 255. Y is the luma of BT.601 in its studio range, 16 to 235, as papers
on super-resolution compute it (MATLAB's rgb2ycbcr); figures of Y in the full range of JPEG are 1.3 dB lower.
"""

from __future__ import annotations

import numpy as np
import torch

from ganvas.figure import Figure
from ganvas.networks.features.distances import unit_distance
from ganvas.networks.features.extractor import FeatureExtractor

PD_LAYERS = ("block1", "block3", "block6", "block10", "block13")  # of MobileNetV2, from half of the size to a sixteenth
PD_EPS = 1e-12  # F.normalize's own
PEAK = 255.0
BEST_PSNR = 100.0  # dB: what a mean over images takes of equal ones
Y_WEIGHTS, Y_BLACK = np.array([65.481, 128.553, 24.966]) / 255, 16.0  # of levels, BT.601
# Wang 2004, doi:10.1109/TIP.2003.819861, sec. III-C: an 11 x 11 Gaussian of 1.5 pixels, K1, K2.
WINDOW, DEVIATION, K1, K2 = 11, 1.5, 0.01, 0.03


def luma_bt601_studio(image: np.ndarray) -> np.ndarray:
    """Y (H, W, 1) of RGB (H, W, 3), 16 for black and 235 for white; a grey image is taken as R = G = B."""
    colour = np.broadcast_to(np.asarray(image, np.float64), (*image.shape[:2], 3))
    return (colour @ Y_WEIGHTS + Y_BLACK)[..., None]


def psnr_rgb(made: np.ndarray, target: np.ndarray) -> float:
    """Peak signal to noise ratio in dB, 10 log10(255^2 / mean squared error over all channels); infinite for equal ones."""
    _same(made, target)
    error = np.square(np.asarray(made, np.float64) - target).mean()
    return float("inf") if error == 0 else float(10 * np.log10(PEAK**2 / error))


def decibels(squares: np.ndarray) -> np.ndarray:
    """PSNR of mean squared errors, values in [0, 1]; at most `BEST_PSNR`, so that a mean over images stays finite."""
    return -10 * np.log10(np.maximum(squares, 10 ** (-BEST_PSNR / 10)))


def psnr_each(made: np.ndarray, target: np.ndarray) -> np.ndarray:
    """PSNR in dB, (N,), of each pair of images uint8 (N, H, W, C), over all channels; at most `BEST_PSNR`."""
    return decibels(np.square((made.astype(np.float64) - target) / PEAK).mean((1, 2, 3)))


def psnr_y(made: np.ndarray, target: np.ndarray) -> float:
    """`psnr_rgb` of Y alone; the peak is 255 still."""
    return psnr_rgb(luma_bt601_studio(made), luma_bt601_studio(target))


def ssim_rgb(made: np.ndarray, target: np.ndarray) -> float:
    """Structural similarity (Wang 2004, eq. 13), mean over all windows that lie in the image and over the channels; 1 where
    both are equal. ValueError for images smaller than the window of 11 x 11."""
    _same(made, target)
    if min(made.shape[:2]) < WINDOW:
        raise ValueError(
            f"SSIM looks through windows of {WINDOW} x {WINDOW} pixels, and the images have {made.shape[:2]}"
        )
    a, b = np.asarray(made, np.float64), np.asarray(target, np.float64)
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a, var_b = _windowed(a * a) - mean_a**2, _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float((light * structure).mean())


def ssim_y(made: np.ndarray, target: np.ndarray) -> float:
    """`ssim_rgb` of Y alone."""
    return ssim_rgb(luma_bt601_studio(made), luma_bt601_studio(target))


def compare_images(made: np.ndarray, target: np.ndarray) -> dict[str, Figure]:
    """PSNR and SSIM of two images, of RGB and of Y, by name."""
    return {
        "PSNR[RGB]": Figure(psnr_rgb(made, target), "higher", unit="dB"),
        "PSNR[Y]": Figure(psnr_y(made, target), "higher", unit="dB"),
        "SSIM[RGB]": Figure(ssim_rgb(made, target), "higher"),
        "SSIM[Y]": Figure(ssim_y(made, target), "higher"),
    }


@torch.no_grad()
def mobilenet_distance(made: np.ndarray, target: np.ndarray, extractor: FeatureExtractor | None = None) -> float:
    """Distance of two images by the features of MobileNetV2 (ImageNet weights), "PD[mobilenet_v2]"; 0 where they are equal.

    As in LPIPS (Zhang 2018, arXiv:1801.03924, eq. 1) the channels of a place are brought to length 1 and differences are
    squared, summed over the channels and averaged over the places; here over five layers alike, without LPIPS' learned weights
    and with another network, so that no figure compares with LPIPS'.
    Images pass at their own size. `extractor`: see `distance_extractor`, opened here where it is None. GanvasError without
    the weights.
    """
    _same(made, target)
    extractor = extractor or distance_extractor()
    return float(unit_distance(extractor.maps(_tensor(made)), extractor.maps(_tensor(target)), eps=PD_EPS))


def distance_extractor() -> FeatureExtractor:
    """The layers of MobileNetV2 that `mobilenet_distance` compares; GanvasError without the weights."""
    return FeatureExtractor("mobilenet_v2", PD_LAYERS)


def _tensor(image: np.ndarray) -> torch.Tensor:
    """(1, 3, H, W) in [-1, 1]."""
    colour = np.broadcast_to(np.asarray(image, np.float32), (*image.shape[:2], 3))
    return torch.from_numpy(colour.copy()).permute(2, 0, 1)[None] / 127.5 - 1


def _windowed(planes: np.ndarray) -> np.ndarray:
    """The Gaussian mean of every window inside of (H, W, C): (H - 10, W - 10, C)."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * DEVIATION**2))
    kernel /= kernel.sum()
    height, width = planes.shape[0] - WINDOW + 1, planes.shape[1] - WINDOW + 1
    rows = np.asarray(sum(weight * planes[start : start + height] for start, weight in enumerate(kernel)))
    return np.asarray(sum(weight * rows[:, start : start + width] for start, weight in enumerate(kernel)))


def _same(made: np.ndarray, target: np.ndarray) -> None:
    if made.shape != target.shape or made.ndim != 3:
        raise ValueError(f"two images (H, W, C) of one shape are compared, got {made.shape} and {target.shape}")
