"""Images that move: one file of many frames, GIF, animated PNG, WebP or MP4 by its suffix."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ganvas.data.image import as_pil, png_info, viewable
from ganvas.data.metadata import exif_with
from ganvas.errors import MissingExtra, UsageError
from ganvas.files import write_aside, write_bytes
from ganvas.provenance import Provenance

ANIMATION_FORMATS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP"}
VIDEO_SUFFIX = ".mp4"


def animation_format(path: Path | str) -> str:
    """Pillow's name of the format that the suffix asks for; UsageError where it is none that moves."""
    suffix = Path(path).suffix.lower()
    if suffix not in ANIMATION_FORMATS and suffix != VIDEO_SUFFIX:
        raise UsageError(f"an animation is a FILE{', '.join([*ANIMATION_FORMATS, VIDEO_SUFFIX])} (got {path})")
    return ANIMATION_FORMATS.get(suffix, "MP4")


def write_animation(
    path: Path | str, frames: np.ndarray, seconds: Sequence[float], provenance: Provenance | None = None
) -> None:
    """Frames (T, H, W, C) uint8, each shown for its `seconds`, over and over; the file is whole or not there.

    PNG and WebP keep every value; GIF has 256 colours, and shows equal frames in a row as one. For .mp4 see `write_video`.
    `provenance` goes into the file's metadata.
    """
    if Path(path).suffix.lower() == VIDEO_SUFFIX:
        write_video(path, frames, 1 / max(min(seconds), 1e-3), provenance)
        return

    format_ = animation_format(path)
    images = [as_pil(frame) for frame in viewable(np.asarray(frames))]
    milliseconds = [round(1000 * each) for each in seconds]
    options: dict[str, Any] = {}
    if format_ == "WEBP":
        options.update(lossless=True, exact=True)
    if provenance is not None:
        text = {
            "PNG": {"pnginfo": png_info(provenance)},
            "WEBP": {"exif": exif_with(provenance, None)},
            "GIF": {"comment": provenance.text().encode("ascii")},
        }
        options.update(text[format_])

    def write(file: BinaryIO) -> None:
        images[0].save(
            file, format=format_, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **options
        )

    write_aside(path, write)


def moves(path: Path | str) -> bool:
    """Whether the suffix is of a file that only holds what moves: .gif, .apng, .webp or .mp4 (a .png may be one image)."""
    suffix = Path(path).suffix.lower()
    return suffix == VIDEO_SUFFIX or (suffix in ANIMATION_FORMATS and suffix != ".png")


def write_video(path: Path | str, frames: np.ndarray, rate: float = 24.0, provenance: Provenance | None = None) -> None:
    """Frames (T, H, W, C) uint8 as MP4 (H.264, 4:2:0), `rate` a second; an odd side loses its last pixel. The file is whole or
    not there. MissingExtra without the extra `video`."""
    try:
        av = importlib.import_module("av")
    except ImportError:
        raise MissingExtra(
            f'{path}: .mp4 needs a video encoder: pip install "ganvas[video]", or write .webp, .gif or .png'
        ) from None
    shown = viewable(np.asarray(frames))[..., :3]
    if shown.shape[-1] == 1:
        shown = shown.repeat(3, axis=-1)
    height, width = shown.shape[1] // 2 * 2, shown.shape[2] // 2 * 2
    shown = np.ascontiguousarray(shown[:, :height, :width])
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        if provenance is not None:
            container.metadata["comment"] = provenance.text()
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in shown:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    write_bytes(path, content.getvalue())
