"""Images inside a page: PNG as data URIs, of bounded size."""

from __future__ import annotations

import base64
import io
import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganvas.data.image import png_bytes
from ganvas.report.markup import Html, number, tag

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_FRAMES = 40
MOST_BYTES = 6 * 2**20  # of all frames of a page together, before base64 adds a third
LARGEST_FILE = 64 * 2**20  # bytes of one grid on the disk
LARGEST_GRID = 50_000_000  # pixels
THUMBNAIL = 96  # pixels of a side


@dataclass(frozen=True)
class Frame:
    """One grid: the step it was drawn at, its PNG file, and the size at which it is shown."""

    step: int
    png: bytes
    width: int
    height: int


def frames(folder: Path, most: int = MOST_FRAMES, most_bytes: int = MOST_BYTES) -> list[Frame]:
    """Grids of samples/ over time, the last always among them; made smaller where they would not fit."""
    whole: list[Frame] = []
    for step, path in _spread(files_by_step(folder, ".png"), most):
        frame = read_frame(step, path)
        if frame is not None:
            whole.append(frame)
    share = most_bytes // max(1, len(whole))
    if sum(len(frame.png) for frame in whole) <= most_bytes:
        return whole
    return [_smaller(frame, share) for frame in whole]


def files_by_step(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    """(step, file) of each STEP.png (or another suffix) in a folder, in the order of the steps."""
    files: list[tuple[int, Path]] = []
    for path in folder.glob(f"*{suffix}"):
        if re.fullmatch(r"\d{1,18}", path.stem):
            files.append((int(path.stem), path))
    return sorted(files)


def data_uri(png: bytes) -> str:
    """The image itself where an address would stand."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def image(png: bytes, alt: str, width: int, height: int, **attributes: str) -> Html:
    """An img element that carries its own bytes."""
    return tag("img", src=data_uri(png), alt=alt, width=width, height=height, **attributes)


def thumbnail(pixels: np.ndarray, alt: str) -> Html:
    """A small img of one (H, W, C) uint8 image."""
    height, width = pixels.shape[:2]
    png = png_bytes(pixels)
    if max(height, width) > THUMBNAIL:
        scale = THUMBNAIL / max(height, width)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        png = _resized(png, width, height)
    return image(png, alt, width, height)


def film(shown: list[Frame], what: str) -> Html:
    """All grids with a slider; a strip to scroll where scripts are off."""
    figures = [_frame(frame, what) for frame in shown]
    strip = tag("div", figures, class_="film", tabindex=0, role="group", aria_label=f"{what}, step by step")
    if len(shown) < 2:
        return strip
    slider = tag(
        "input",
        type="range",
        min=0,
        max=len(shown) - 1,
        step=1,
        value=len(shown) - 1,
        aria_label="Step of the training",
    )
    controls = tag(
        "div",
        tag("button", "Play", type="button"),
        slider,
        tag("output", f"step {number(shown[-1].step)}"),
        class_="controls",
        hidden=True,
    )
    return Html(strip + controls)


def enlarged(frame: Frame, least: int = 480) -> tuple[int, int]:
    """(width, height) in whole multiples of the grid's own, so that its pixels stay square."""
    factor = max(1, min(4, round(least / max(1, frame.width))))
    return frame.width * factor, frame.height * factor


def _frame(frame: Frame, what: str) -> Html:
    label = f"step {number(frame.step)}"
    shown = image(frame.png, f"{what} at {label}", *enlarged(frame), decoding="async")
    return tag("figure", shown, tag("figcaption", label), data_label=label)


def _spread(files: list[tuple[int, Path]], most: int) -> list[tuple[int, Path]]:
    if len(files) <= most:
        return files
    chosen = np.linspace(len(files) - 1, 0, most).round().astype(int)  # from the end: of one, the last
    return [files[i] for i in np.unique(chosen)]


def read_frame(step: int, path: Path) -> Frame | None:
    """None for a file that is not a PNG of bounded size: a report must not fail for one grid."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return None
        png = path.read_bytes()
    except OSError:
        return None
    if not png.startswith(SIGNATURE) or len(png) < 33:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return Frame(step, png, width, height) if 0 < width * height <= LARGEST_GRID else None


def _smaller(frame: Frame, most: int) -> Frame:
    """Halved until it fits."""
    png, width, height = frame.png, frame.width, frame.height
    while len(png) > most and max(width, height) > 64:
        width, height = max(1, width * 3 // 4), max(1, height * 3 // 4)
        png = _resized(frame.png, width, height)
    return Frame(frame.step, png, width, height)


def _resized(png: bytes, width: int, height: int) -> bytes:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # LARGEST_GRID has been asked already
        image = Image.open(io.BytesIO(png), formats=["PNG"]).resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
