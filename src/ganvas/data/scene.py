"""A drawn scene and a drawn texture: something to show a trained method on that is no image of its training."""

from __future__ import annotations

import numpy as np

from ganvas.data.image import LUMA


def scene(height: int, width: int, channels: int = 3) -> np.ndarray:
    """A building, hills and a sun, (height, width, channels) uint8; channels 1 is luma."""
    y, x = np.mgrid[0 : 1 : 1j * height, 0 : 1 : 1j * width]
    image = np.stack([0.55 + 0.25 * y, 0.7 + 0.1 * y, 0.95 - 0.25 * y], 2)
    image[(x - 0.72) ** 2 + (y - 0.27) ** 2 < 0.02] = (1.0, 0.85, 0.3)
    image[y > 0.72 + 0.05 * np.sin(7 * x)] = (0.3, 0.6, 0.3)
    image[(np.abs(x - 0.35) < 0.17) & (y > 0.48) & (y < 0.8)] = (0.75, 0.35, 0.28)
    image[(y > 0.3) & (y < 0.48) & (np.abs(x - 0.35) < (y - 0.3) * 1.15)] = (0.4, 0.25, 0.25)
    return _of_channels(image, channels)


def waves(side: int, channels: int = 3) -> np.ndarray:
    """A texture of curved bands, (side, side, channels) uint8: a style."""
    y, x = np.mgrid[0 : 1 : 1j * side, 0 : 1 : 1j * side]
    bands = np.sin(18 * x + 6 * np.sin(7 * y))
    image = np.stack([0.5 + 0.5 * bands, 0.45 - 0.3 * bands, 0.6 + 0.35 * np.cos(11 * y + 4 * x)], 2)
    return _of_channels(image, channels)


def _of_channels(image: np.ndarray, channels: int) -> np.ndarray:
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if channels == 1:
        pixels = np.rint(pixels @ np.array(LUMA)).astype(np.uint8)[..., None]
    return pixels
