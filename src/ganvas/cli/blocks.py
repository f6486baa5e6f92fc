"""Images in a terminal: two pixels per character, an upper half block in one colour on a background of the other."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from ganvas.data.image_grid import GRID_GAP

MIN_SHOWN_SIDE = 16  # pixels; fewer images are shown rather than images smaller than this


class Image:
    """Lines of coloured half blocks, for rich."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self.lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            yield from line
            yield Segment.line()


def can_show(console: Console) -> bool:
    """Whether the terminal has enough colours and writes UTF-8."""
    return console.color_system in ("truecolor", "256", "windows") and console.encoding.lower().startswith("utf")


def crop(grid: np.ndarray, height: int, width: int, columns: int, rows: int) -> np.ndarray:
    """The upper left part of a grid of images (height, width each) that is legible in `columns` x `rows` pixels."""
    scale = min(1.0, MIN_SHOWN_SIDE / max(height, width))
    across = max(1, int((columns / scale + GRID_GAP) // (width + GRID_GAP)))
    down = max(1, int((rows / scale + GRID_GAP) // (height + GRID_GAP)))
    return grid[: down * (height + GRID_GAP) - GRID_GAP, : across * (width + GRID_GAP) - GRID_GAP]


def half_blocks(image: np.ndarray, columns: int, rows: int) -> Image:
    """An (H, W, C) uint8 image, scaled down to at most `columns` x `rows` pixels; never up."""
    small = shrink(colours(image), columns, rows)
    if len(small) % 2:
        small = np.concatenate([small, np.full_like(small[:1], 255)])
    small = small & 0xF8  # 32 levels: longer runs of one colour, a third of the bytes on a remote terminal
    return Image([_line(upper, lower) for upper, lower in zip(small[0::2], small[1::2], strict=True)])


def colours(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) of a grid: grey becomes three equal channels, alpha is shown on white."""
    if image.shape[-1] == 1:
        return image.repeat(3, axis=-1)
    if image.shape[-1] == 4:
        alpha = image[..., 3:].astype(np.uint16)
        return ((image[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    return image


def shrink(image: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """The image scaled down by area to fit, with its aspect ratio; unchanged if it fits already."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(1.0, columns / width, rows / height)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) if scale < 1 else image


def _line(upper: np.ndarray, lower: np.ndarray) -> list[Segment]:
    pairs = np.concatenate([upper, lower], axis=1)
    return [Segment("▀" * count, _style(*pairs[start].tolist())) for start, count in _runs(pairs)]


def _runs(pairs: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, length) of each run of equal rows."""
    starts = [0, *(np.flatnonzero((pairs[1:] != pairs[:-1]).any(axis=1)) + 1).tolist(), len(pairs)]
    return ((start, end - start) for start, end in itertools.pairwise(starts))


@functools.lru_cache(maxsize=65536)
def _style(red: int, green: int, blue: int, red_below: int, green_below: int, blue_below: int) -> Style:
    return Style(color=Color.from_rgb(red, green, blue), bgcolor=Color.from_rgb(red_below, green_below, blue_below))
