"""Video files and animations, frame by frame: .gif, .webp and animated PNG by Pillow, others by PyAV (the extra `[video]`).

One file is decoded once, in its own order; no more than a frame is in memory. Only containers of this list are opened, so that a
playlist under the name of a video cannot name other files or addresses.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ganvas.data import image
from ganvas.data.file_kinds import VIDEOS
from ganvas.data.image import MAX_PIXELS, Broken, reason

ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".apng"})
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf"
DEFAULT_FRAME_RATE = 24.0  # frames a second where a file does not say
RATE_RANGE = (0.1, 1000.0)


class VideoHead(NamedTuple):
    """What a file says before a frame is decoded. `rate` is in frames a second; `frame_count` is None where it is not
    said."""

    height: int
    width: int
    rate: float
    frame_count: int | None


@functools.cache
def suffixes() -> frozenset[str]:
    """Endings of the video files that this installation reads, lower case; animations are among the images."""
    return VIDEOS if importlib.util.find_spec("av") is not None else frozenset()


def is_animation(path: Path) -> bool:
    """Whether an image file has several frames; False as well where it cannot be read."""
    try:
        with image.open_regular(path) as file:
            return image.open_image(file).more_frames
    except Broken:
        return False


def header(file: BinaryIO, name: str) -> VideoHead:
    """Of a video or an animation. Raises Broken, also where it holds no moving images."""
    if Path(name).suffix.lower() not in VIDEOS:
        return _animation_header(file)
    with _container(file) as container:
        stream = _stream(container)
        height, width = int(stream.height or 0), int(stream.width or 0)
        _check_size(height, width)
        rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_FRAME_RATE)
        if not RATE_RANGE[0] <= rate <= RATE_RANGE[1]:
            rate = DEFAULT_FRAME_RATE
        count = int(stream.frames) or None
        if count is None and stream.duration is not None and stream.time_base is not None:
            count = max(1, round(float(stream.duration * stream.time_base) * rate))
        turned = _rotation(container) % 180 != 0
        return VideoHead(width, height, rate, count) if turned else VideoHead(height, width, rate, count)


def frames(file: BinaryIO, name: str) -> Iterator[np.ndarray]:
    """Every frame in turn, (H, W, 3) uint8 (or (H, W, 4) of animations with transparency), upright. Raises Broken where it is
    damaged, after the frames before that."""
    if Path(name).suffix.lower() not in VIDEOS:
        yield from _animation_frames(file)
        return
    try:
        with _container(file) as container:
            stream = _stream(container)
            for frame in container.decode(stream):
                _check_size(frame.height, frame.width)
                pixels = frame.to_ndarray(format="rgb24")
                turns = round(int(getattr(frame, "rotation", 0) or 0) / 90) % 4
                yield np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
    except Broken:
        raise
    except Exception as error:  # of FFmpeg, in many kinds
        raise Broken(_short(error)) from error


def _container(file: BinaryIO) -> Any:
    """The opened container. Raises Broken."""
    try:
        import av  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Broken('it is a video, which pip install "ganvas[video]" reads') from None
    file.seek(0)
    try:
        return av.open(file, options={"format_whitelist": CONTAINERS})
    except Exception as error:  # of FFmpeg, in many kinds
        raise Broken(f"it is no video of a kind that is read here, or damaged ({_short(error)})") from error


def _stream(container: Any) -> Any:
    """The first stream of images that is not the cover of a sound file."""
    for stream in container.streams.video:
        if not stream.disposition & type(stream.disposition).attached_pic:
            stream.thread_count = 1
            return stream
    raise Broken("it holds sound only, and no images")


def _rotation(container: Any) -> int:
    """Degrees by which the frames are turned, from the first of them; the file stands at its start then."""
    for frame in container.decode(_stream(container)):
        return int(getattr(frame, "rotation", 0) or 0)
    raise Broken("it holds no frame")


def _animation_header(file: BinaryIO) -> VideoHead:
    opened = image.open_image(file)
    count = int(getattr(opened.image, "n_frames", 1))
    if count < 2:
        raise Broken("it is one image, not an animation")
    height, width, _ = opened.shape
    milliseconds = opened.image.info.get("duration") or 0
    rate = 1000 / milliseconds if milliseconds > 0 else DEFAULT_FRAME_RATE
    return VideoHead(height, width, min(max(rate, RATE_RANGE[0]), RATE_RANGE[1]), count)


def _animation_frames(file: BinaryIO) -> Iterator[np.ndarray]:
    opened = image.open_image(file)
    for number in range(int(getattr(opened.image, "n_frames", 1))):
        try:
            opened.image.seek(number)
            array = image.as_bytes(opened.image)
        except Broken:
            raise
        except Exception as error:  # a decoder meets damaged bytes in many ways; each is this file's fault
            raise Broken(reason(error)) from error
        yield np.ascontiguousarray(image.upright(np.atleast_3d(array), opened))


def _check_size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise Broken(f"its header says {width} x {height} pixels")
    if height * width > MAX_PIXELS:
        raise Broken(f"its header says {width} x {height} pixels; {MAX_PIXELS:,} in all are the limit")


def _short(error: Exception) -> str:
    """What FFmpeg says, without the place that it cannot name."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
