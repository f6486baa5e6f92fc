"""Small video files for tests: a bar that moves to the right over a dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def bar(frames: int, height: int = 48, width: int = 64, step: int = 1, level: int = 255) -> np.ndarray:
    """(T, H, W, 3) uint8: a bar of 8 pixels that moves `step` pixels a frame."""
    film = np.zeros((frames, height, width, 3), np.uint8)
    for number in range(frames):
        left = number * step % (width - 8)
        film[number, :, left : left + 8] = level
    return film


def write_film(path: Path, frames: np.ndarray, rate: int = 24, codec: str = "mpeg4") -> Path:
    """A file of video by PyAV; the test is skipped without it."""
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for pixels in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_gif(path: Path, frames: Sequence[np.ndarray], milliseconds: int = 100) -> Path:
    """An animation by Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(one) for one in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return path


def write_sound_only(path: Path) -> Path:
    """A .avi that holds sound and no images."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path
