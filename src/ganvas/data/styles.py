"""Style images for training: read once, brought to the data's channels, cut into pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.batch import Batch
from ganvas.data.image import read_image, to_channels
from ganvas.data.mosaic import mosaic
from ganvas.data.scan import scan_folder
from ganvas.errors import DataError

MIN_STYLE_SIDE = 16  # pixels a side
MAX_STYLES = 256  # images of a folder
MAX_ASPECT = 8  # times as long as wide; of longer strips the middle is taken
DRAWN_STYLES = "mosaic"


def read_styles(source: str, channels: int, side: int) -> list[Tensor]:
    """Images (channels, h, w) in [-1, 1] whose shorter side is `side`, from an image file or a folder of them.

    "mosaic" is drawn here. DataError where there is none, where one cannot be read, and below 16 pixels a side.
    """
    if source == DRAWN_STYLES:
        return [_prepared(mosaic(), channels, side)]
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"there is no style image at {path}: give the path of an image, or {DRAWN_STYLES} for one drawn here"
        )
    files = [path]
    if path.is_dir():
        files = [path / name for name in scan_folder(path).names]
    if not files:
        raise DataError(f"the folder {path} holds no images, and the styles should be there")
    if len(files) > MAX_STYLES:
        raise DataError(
            f"the folder {path} holds {len(files)} images; {MAX_STYLES} styles are the most that are held in memory"
        )
    styles: list[Tensor] = []
    for file in files:
        image = _checked(read_image(file), file)
        styles.append(_prepared(image, channels, side))
    return styles


def fingerprint(styles: list[Tensor], *more: str) -> Tensor:
    """SHA-256 of images and words, uint8 (32,)."""
    whole = hashlib.sha256("\n".join(more).encode())
    for style in styles:
        whole.update(style.numpy().tobytes())
    return torch.tensor(list(whole.digest()), dtype=torch.uint8)


class StyleBank:
    """Style images (C, h, w), each of its own size, on a device: pieces are cut there, and nothing has to be asked back."""

    def __init__(self, styles: Sequence[Tensor], device: torch.device) -> None:
        self.pixels = torch.cat([style.flatten(1) for style in styles], 1).to(device)
        sizes = torch.tensor([style.shape[1:] for style in styles])
        self.sizes = sizes.to(device)
        self.starts = (sizes.prod(1).cumsum(0) - sizes.prod(1)).to(device)

    def crops(self, batch: Batch, size: tuple[int, int]) -> Tensor:
        """A piece of `size` (H, W) of a style drawn for each example of the batch, (N, C, H, W)."""
        device = self.starts.device
        which, place = batch.integers(len(self.starts), 1)[:, 0].to(device), batch.uniform(2).to(device)
        sizes = self.sizes[which]
        room = sizes - torch.tensor(size, device=device) + 1
        # A number just below 1 may be rounded up to the room itself.
        first = torch.minimum((place * room).long(), room - 1)
        rows = first[:, 0, None] + torch.arange(size[0], device=device)
        columns = first[:, 1, None] + torch.arange(size[1], device=device)
        index = self.starts[which, None, None] + rows[:, :, None] * sizes[:, 1, None, None] + columns[:, None]
        return self.pixels[:, index].movedim(0, 1).contiguous()


def _checked(image: np.ndarray, file: Path) -> np.ndarray:
    height, width = image.shape[:2]
    if min(height, width) < MIN_STYLE_SIDE:
        raise DataError(
            f"the style image {file} has {width} x {height} pixels: a style is measured by what repeats, which takes"
            f" {MIN_STYLE_SIDE} pixels a side at least"
        )
    if image.shape[2] in (2, 4) and np.count_nonzero(image[..., -1]) < MIN_STYLE_SIDE**2:
        raise DataError(
            f"the style image {file} shows {np.count_nonzero(image[..., -1])} pixels, all others are transparent: at least"
            f" {MIN_STYLE_SIDE**2} pixels of a style image must be visible"
        )
    return image


def _prepared(image: np.ndarray, channels: int, side: int) -> Tensor:
    """Shorter side to `side`; a channel beyond three repeats red, green, blue in turn."""
    background: int | np.ndarray = 255
    if image.shape[2] in (2, 4):  # the mean colour of what is visible adds no style
        background = np.average(image[..., :-1], axis=(0, 1), weights=image[..., -1])
    pixels = to_channels(image, 1 if channels == 1 else 3, background)
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1
    planes = planes[torch.arange(channels) % len(planes)]
    planes = _shortened(planes)
    scale = side / min(planes.shape[1:])
    size = [max(side, round(length * scale)) for length in planes.shape[1:]]
    return F.interpolate(planes[None], size, mode="bicubic", antialias=True, align_corners=False)[0].clamp(-1, 1)


def _shortened(planes: Tensor) -> Tensor:
    """The middle of a strip: one more than MAX_ASPECT times as long as it is wide repeats itself, and would fill the memory."""
    for axis in (1, 2):
        length, most = planes.shape[axis], MAX_ASPECT * planes.shape[3 - axis]
        if length > most:
            planes = planes.narrow(axis, (length - most) // 2, most)
    return planes
