"""What degrades images: the degradation that a restoration learns to restore. Pure functions of images and random numbers.

Images are (N, C, H, W) in [-1, 1]. Strengths are (N,) tensors or numbers, in the units that people use: levels of 255 for
noise, photons for Poisson, libjpeg's quality for JPEG.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.image import LUMA
from ganvas.device import scalar
from ganvas.errors import DataError

BYTE_LEVEL = 2 / 255  # one level of a byte


def downscaled(x: Tensor, scale: int) -> Tensor:
    """(N, C, H // scale, W // scale): bicubic (a = -1/2) with antialiasing, as Pillow does it; H, W are multiples of `scale`."""
    size = (x.shape[2] // scale, x.shape[3] // scale)
    return F.interpolate(x.float(), size, mode="bicubic", antialias=True, align_corners=False)


def upscaled(x: Tensor, scale: int) -> Tensor:
    """(N, C, H * scale, W * scale): bicubic (a = -1/2), as Pillow does it; what a super-resolution has to beat."""
    size = (x.shape[2] * scale, x.shape[3] * scale)
    return F.interpolate(x.float(), size, mode="bicubic", antialias=True, align_corners=False)


def quantised(x: Tensor) -> Tensor:
    """Rounded to the 256 levels of a byte, clipped."""
    return ((x + 1) / BYTE_LEVEL).round().clamp(0, 255) * BYTE_LEVEL - 1


def small_and_whole(images: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """What super-resolution learns from: images (N, C, h, w) at the 256 levels of a file, and what they were made of,
    (N, C, h * scale, w * scale): `images` (N, C, H, W) without the rows and columns that lack to a multiple."""
    height, width = (side // scale * scale for side in images.shape[2:])
    whole = images[:, :, :height, :width]
    return quantised(downscaled(whole, scale)), whole


def check_shrinks(height: int, width: int, scale: int) -> None:
    """DataError for images with nothing left at the small size."""
    if min(height, width) < scale:
        raise DataError(f"images of {height} x {width} pixels cannot be made {scale} times smaller to learn from")


def gaussian_noise(x: Tensor, normal: Tensor, sigma: Tensor | float) -> Tensor:
    """x + noise of standard deviation `sigma`, in levels; `normal` like x. Not clipped, as denoisers are measured."""
    return x + normal * (_each(sigma, x) * BYTE_LEVEL)


def poisson_noise(x: Tensor, normal: Tensor, peak: Tensor | float) -> Tensor:
    """Shot noise: a pixel of brightness v in [0, 1] counts Poisson(v * peak) photons, and is shown as their number over `peak`.

    One standard normal number a value is turned into a count by the Cornish-Fisher expansion of the Poisson quantile, so that
    all ranks draw alike; from 4 photons up mean and variance are within 3 % of Poisson's.
    """
    rate = (x + 1) / 2 * _each(peak, x)
    count = (rate + rate.sqrt() * normal + (normal.square() - 1) / 6).round().clamp_min(0)
    count = torch.where(rate > 0, count, 0.0)
    return (count / _each(peak, x) * 2 - 1).clamp_max(1)


def salt_and_pepper(x: Tensor, uniform: Tensor, share: Tensor | float) -> Tensor:
    """A `share` of the pixels is white or black, one as often as the other. `uniform` (N, 1, H, W) in [0, 1)."""
    half = _each(share, x) / 2
    return torch.where(uniform < half, -1.0, torch.where(uniform >= 1 - half, 1.0, x))


# --- JPEG -------------------------------------------------------------------------------------------------------------------

# ITU-T T.81, annex K, tables K.1 (luminance) and K.2 (chrominance).
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip


def jpeg(x: Tensor, quality: Tensor | float) -> Tensor:
    """As a JPEG file of `quality` (1 to 100, libjpeg's scale) gives it back: 8 x 8 cosine transform, standard tables.

    Three channels are RGB, their colour kept at half the size (4:2:0); in other numbers each channel is luminance.
    """
    height, width = x.shape[2:]
    x = F.pad(x.float(), (0, -width % 16, 0, -height % 16), mode="replicate")
    levels = ((x + 1) / BYTE_LEVEL).round()
    if x.shape[1] != 3:
        found = _blocks_quantised(levels - 128, LUMINANCE, quality) + 128
    else:
        luma, colour = _ycc(levels)
        luma = _blocks_quantised(luma - 128, LUMINANCE, quality) + 128
        small = F.avg_pool2d(colour, 2).round()
        small = _blocks_quantised(small, CHROMINANCE, quality)
        found = _rgb(luma, F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False))
    return (found.round().clamp(0, 255) * BYTE_LEVEL - 1)[:, :, :height, :width]


def _blocks_quantised(planes: Tensor, table: tuple[int, ...], quality: Tensor | float) -> Tensor:
    """(N, K, H, W) around 0, H and W multiples of 8, after the rounding of its cosine transform (T.81, A.3.3 and A.3.4)."""
    n, k, height, width = planes.shape
    step = _quantiser(table, quality, planes).view(-1, 1, 1, 1, 8, 8)
    basis = _cosines(planes.device)
    blocks = planes.view(n, k, height // 8, 8, width // 8, 8).transpose(3, 4)
    with torch.autocast(planes.device.type, enabled=False):  # in bf16 the transform alone would be off by whole levels
        spectrum = basis @ blocks @ basis.T
        blocks = basis.T @ ((spectrum / step).round() * step) @ basis
    return blocks.transpose(3, 4).reshape(n, k, height, width)


def _quantiser(table: tuple[int, ...], quality: Tensor | float, like: Tensor) -> Tensor:
    """(1 or N, 64): libjpeg's scaling of a table."""
    q = scalar(quality, like.device).reshape(-1, 1).round().clamp(1, 100)
    percent = torch.where(q < 50, (5000 / q).floor(), 200 - 2 * q)
    return ((_table(table, like.device) * percent + 50) / 100).floor().clamp(1, 255)


@functools.cache
def _table(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """Sent to a device once."""
    return torch.tensor(numbers, device=device)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal 8 x 8 DCT-II: row u holds cos((2i + 1) u pi / 16), scaled."""
    u, i = torch.arange(8.0, device=device)[:, None], torch.arange(8.0, device=device)
    basis = torch.cos((2 * i + 1) * u * math.pi / 16) / 2
    return torch.where(u == 0, basis / math.sqrt(2), basis)


def _ycc(levels: Tensor) -> tuple[Tensor, Tensor]:
    """JFIF: Y (N, 1, H, W) in [0, 255], and Cb and Cr (N, 2, H, W) around 0."""
    r, g, b = levels.split(1, 1)
    y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    return y.round(), torch.cat([(b - y) / 1.772, (r - y) / 1.402], 1)


def _rgb(y: Tensor, colour: Tensor) -> Tensor:
    cb, cr = colour.split(1, 1)
    return torch.cat([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], 1)


# --- holes ------------------------------------------------------------------------------------------------------------------


def box_masks(draws: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, H, W), 1 in a rectangle whose sides are a quarter to a half of the image's, anywhere. `draws` (N, 4) in [0, 1)."""
    tall, wide, top, left = draws.unbind(1)
    tall, wide = ((0.25 + tall / 4) * height).round().clamp_min(1), ((0.25 + wide / 4) * width).round().clamp_min(1)
    top, left = (top * (height - tall + 1)).floor(), (left * (width - wide + 1)).floor()
    rows = torch.arange(height, device=draws.device)
    columns = torch.arange(width, device=draws.device)
    inside_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None].float()


def stroke_masks(draws: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, H, W), 1 along a broken line of K round strokes. `draws` (N, 3 * K + 2) in [0, 1): the start, then for each stroke
    direction, length (up to a half of the shorter side) and width (a thirtieth to an eighth of it, one pixel at least)."""
    n, side = len(draws), min(height, width)
    point = torch.stack([draws[:, 0] * height, draws[:, 1] * width], 1)
    rows = torch.arange(height, device=draws.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=draws.device, dtype=torch.float32)
    mask = torch.zeros(n, height, width, dtype=torch.bool, device=draws.device)
    for turn, length, thick in (stroke.unbind(1) for stroke in draws[:, 2:].reshape(n, -1, 3).unbind(1)):
        angle = turn * 2 * math.pi
        step = torch.stack([angle.sin(), angle.cos()], 1) * (length * side / 2)[:, None]
        row, column = (point + step).clamp_min(0).unbind(1)
        end = torch.stack([row.clamp_max(height - 1), column.clamp_max(width - 1)], 1)
        radius = ((1 / 30 + thick * (1 / 8 - 1 / 30)) * side / 2).clamp_min(0.5)
        mask |= _distance(rows, columns, point, end) <= radius[:, None, None]
        point = end
    return mask[:, None].float()


def _distance(rows: Tensor, columns: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """(N, H, W) distances of the pixels from segments, `start` and `end` (N, 2) as (row, column)."""
    way = end - start
    y, x = rows - start[:, 0, None, None], columns - start[:, 1, None, None]
    dy, dx = way[:, 0, None, None], way[:, 1, None, None]
    along = ((y * dy + x * dx) / (dy.square() + dx.square()).clamp_min(1e-6)).clamp(0, 1)
    return torch.hypot(y - along * dy, x - along * dx)


def turned(x: Tensor, draws: Tensor) -> Tensor:
    """Each image flipped at random, top to bottom and left to right, and squares also across the diagonal: 8 views of each.

    `draws` (N, 3) in [0, 1).
    """
    chosen = (draws < 0.5)[:, :, None, None, None]
    x = torch.where(chosen[:, 0], x.flip(2), x)
    x = torch.where(chosen[:, 1], x.flip(3), x)
    return torch.where(chosen[:, 2], x.transpose(2, 3), x) if x.shape[2] == x.shape[3] else x


def _each(strength: Tensor | float, x: Tensor) -> Tensor:
    """(N, 1, 1, 1) or (1, 1, 1, 1)."""
    return scalar(strength, x.device).reshape(-1, 1, 1, 1)
