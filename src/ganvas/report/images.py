"""Images inside a page as data URIs, of bounded size: PNG, or JPEG where photos as PNG would be too large."""

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
from ganvas.data.png16 import SIGNATURE
from ganvas.report.markup import Html, number, tag

MAX_ANIMATION_FRAMES = 40
MAX_PAGE_BYTES = 1100 * 2**10  # of all frames of a page together, before base64 adds a third
MAX_THUMBNAIL_BYTES = 4 * 2**10  # bytes of a thumbnail as PNG
JPEG_QUALITY = 85  # of JPEG
MAX_GRID_BYTES = 64 * 2**20  # bytes of one grid on the disk
MAX_STORED_GRID_PIXELS = 50_000_000  # pixels
PAGE_THUMBNAIL_SIDE = 96  # pixels of a side


@dataclass(frozen=True)
class Frame:
    """One grid: the step it was drawn at, its file as PNG or JPEG, and its size."""

    step: int
    file: bytes
    width: int
    height: int


def frames(folder: Path, most: int = MAX_ANIMATION_FRAMES, most_bytes: int = MAX_PAGE_BYTES) -> list[Frame]:
    """Grids of samples/ over time, the last always among them; made smaller where they would not fit."""
    whole: list[Frame] = []
    for step, path in _spread(files_by_step(folder, ".png"), most):
        frame = read_frame(step, path)
        if frame is not None:
            whole.append(frame)
    share = most_bytes // max(1, len(whole))
    if sum(len(frame.file) for frame in whole) <= most_bytes:
        return whole
    return [smaller(frame, share) for frame in whole]


def files_by_step(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    """(step, file) of each STEP.png (or another suffix) in a folder, in the order of the steps."""
    files: list[tuple[int, Path]] = []
    for path in folder.glob(f"*{suffix}"):
        if re.fullmatch(r"\d{1,18}", path.stem):
            files.append((int(path.stem), path))
    return sorted(files)


def data_uri(file: bytes) -> str:
    """The image itself where an address would stand."""
    kind = "png" if file.startswith(SIGNATURE) else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(file).decode()


def image(file: bytes, alt: str, width: int, height: int, **attributes: str) -> Html:
    """An img element that carries its own bytes, PNG or JPEG."""
    return tag("img", src=data_uri(file), alt=alt, width=width, height=height, **attributes)


def thumbnail(pixels: np.ndarray, alt: str) -> Html:
    """A small img of one (H, W, C) uint8 image."""
    height, width = pixels.shape[:2]
    png = png_bytes(pixels)
    if max(height, width) > PAGE_THUMBNAIL_SIDE:
        scale = PAGE_THUMBNAIL_SIDE / max(height, width)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        png = _resized(png, width, height)
    if len(png) > MAX_THUMBNAIL_BYTES:
        return image(_resized(png, width, height, lossy=True), alt, width, height)
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
    shown = image(frame.file, f"{what} at {label}", *enlarged(frame), decoding="async")
    return tag("figure", shown, tag("figcaption", label), data_label=label)


def _spread(files: list[tuple[int, Path]], most: int) -> list[tuple[int, Path]]:
    if len(files) <= most:
        return files
    chosen = np.linspace(len(files) - 1, 0, most).round().astype(int)  # from the end: of one, the last
    return [files[i] for i in np.unique(chosen)]


def read_frame(step: int, path: Path) -> Frame | None:
    """None for a file that is not a PNG of bounded size: a report must not fail for one grid."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_GRID_BYTES:
            return None
        png = path.read_bytes()
    except OSError:
        return None
    if not png.startswith(SIGNATURE) or len(png) < 33:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return Frame(step, png, width, height) if 0 < width * height <= MAX_STORED_GRID_PIXELS else None


def smaller(frame: Frame, most: int) -> Frame:
    """As JPEG, and reduced by a quarter of its sides until it fits."""
    file, width, height = frame.file, frame.width, frame.height
    while len(file) > most:
        file = _resized(frame.file, width, height, lossy=True)
        if len(file) <= most or max(width, height) <= 64:
            break
        width, height = max(1, width * 3 // 4), max(1, height * 3 // 4)
    return Frame(frame.step, file, width, height)


def _resized(png: bytes, width: int, height: int, *, lossy: bool = False) -> bytes:
    """PNG, or JPEG where `lossy` and nothing is transparent."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_STORED_GRID_PIXELS has been asked already
        image = Image.open(io.BytesIO(png), formats=["PNG"])
        image.load()
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    if lossy and image.mode in ("L", "RGB"):
        image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    else:
        image.save(buffer, format="PNG")
    return buffer.getvalue()
