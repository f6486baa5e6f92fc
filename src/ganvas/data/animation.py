"""Images that move: one file of many frames, GIF, animated PNG or WebP by its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganvas.data.image import viewable
from ganvas.errors import UsageError
from ganvas.files import write_aside

FORMATS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP"}


def animation_format(path: Path | str) -> str:
    """Pillow's name of the format that the suffix asks for; UsageError where it is none that moves."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"an animation is a FILE{', '.join(FORMATS)} (got {path})")
    return FORMATS[suffix]


def write_animation(path: Path | str, frames: np.ndarray, seconds: Sequence[float]) -> None:
    """Frames (T, H, W, C) uint8, each shown for its `seconds`, over and over; the file is whole or not there.

    PNG and WebP keep every value; GIF has 256 colours, and shows equal frames in a row as one.
    """
    from PIL import Image

    format_ = animation_format(path)
    shown = viewable(np.asarray(frames))
    if shown.shape[-1] == 1:
        shown = shown[..., 0]
    images = [Image.fromarray(frame) for frame in shown]
    milliseconds = [round(1000 * each) for each in seconds]
    exact = {"lossless": True} if format_ == "WEBP" else {}

    def write(file: BinaryIO) -> None:
        images[0].save(
            file, format=format_, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **exact
        )

    write_aside(path, write)
