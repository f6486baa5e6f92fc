"""A clip of sound as an image."""

from __future__ import annotations

import numpy as np

WINDOW, HOP, HEIGHT = 256, 64, 64  # samples of a window and between two, and rows of the image
RANGE_DECIBELS = 60.0  # decibels below the loudest that still show


def spectrogram(clip: np.ndarray) -> np.ndarray:
    """Of a clip (L,) int16, uint8 (64, W, 1): low tones at the bottom, white is loud, black 60 dB below full scale or less."""
    padded = np.pad(clip.astype(np.float64) / 32768, (0, max(0, WINDOW - len(clip))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) * 4 / WINDOW  # a full-scale tone reads 1
    rows = power.reshape(len(frames), HEIGHT, -1).max(2).T[::-1]
    level = 1 + 20 * np.log10(np.maximum(rows, 1e-9)) / RANGE_DECIBELS
    return np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8)[:, :, None]


def spectrogram_size(samples: int) -> tuple[int, int]:
    """(H, W) of the spectrogram of a clip."""
    return HEIGHT, max(0, samples - WINDOW) // HOP + 1
