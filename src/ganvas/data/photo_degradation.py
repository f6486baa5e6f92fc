"""How photos of phones and old cameras come to be as they are: blurred or sharpened, reduced, noisy, and saved as JPEG.

Idea: one chain whose every strength is drawn for each image, so that a super-resolution trained on it meets what it will get:

    small = JPEG((whole * k) reduced + n)

which is eq. 1 of Real-ESRGAN (Wang 2021, arXiv:2107.10833, sec. 3.1) and, with random kernels and interpolations, the blur,
reduction, noise and JPEG of BSRGAN (Zhang 2021, arXiv:2103.14006, sec. 3.1 to 3.4).

Departs from the papers: one order and one pass (BSRGAN shuffles them, sec. 3.6; Real-ESRGAN repeats them, eq. 4); an unsharp mask
in place of sinc filters (Real-ESRGAN, sec. 3.3) for the halos of cameras; no simulated raw sensor; weaker by default, since most
photos are better than what those papers restore. The grid of JPEG's blocks starts anywhere, as in a patch of a photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.batch import Batch
from ganvas.data.degrade import downscaled, gaussian_noise, jpeg, poisson_noise, quantised

NARROWEST = 0.1  # standard deviation of a Gaussian that leaves an image as it is, pixels
PEAK_MAX = 10_000.0  # photons of a white pixel: a standard deviation of 2.5 levels
SHARPEST = 1.0  # the part of what a blur removes that an unsharp mask adds, at most
GRID = 16  # pixels between the corners of JPEG's blocks of colour at half the size


@dataclass(frozen=True)
class PhotoDegradation:
    """What can be drawn. Shares are of the images."""

    blur_max: float
    """Greatest standard deviation of the Gaussian, pixels of the whole image."""
    anisotropic_share: float
    """Blurred more in one direction than across it."""
    sharpened_share: float
    """Sharpened in place of blurred."""
    noise_max: float
    """Greatest standard deviation of Gaussian noise, levels of 255."""
    poisson_share: float
    """With shot noise in place of Gaussian noise."""
    peak_min: float
    """Fewest photons of a white pixel in shot noise."""
    grey_share: float
    """With the same noise in all channels."""
    quality_min: float
    quality_max: float
    """Of JPEG, on libjpeg's scale."""

    def __call__(self, whole: Tensor, scale: int, batch: Batch) -> Tensor:
        """`whole` (N, C, H, W) in [-1, 1] as a photo (N, C, H // scale, W // scale), H and W multiples of `scale`."""
        draws = batch.uniform(11)
        corners, which = batch.integers(GRID, 2), batch.integers(3)
        with torch.autocast(whole.device.type, enabled=False):
            small = reduced(filtered(whole.float(), self.kernels(draws[:, :6])), scale, which)
            small = self.noisy(small, batch.normal(*small.shape[1:]), draws[:, 6:10])
            quality = self.quality_min + (self.quality_max - self.quality_min) * draws[:, 10]
            return jpeg_from(quantised(small), quality, corners)

    def kernels(self, draws: Tensor) -> Tensor:
        """(N, K, K) that sum to 1. `draws` (N, 6) in [0, 1): the two widths, the direction, whether it has one, whether it
        sharpens, how much."""
        widths = NARROWEST + (max(self.blur_max, NARROWEST) - NARROWEST) * draws[:, :2]
        across = torch.where(draws[:, 3] < self.anisotropic_share, widths[:, 1], widths[:, 0])
        side = 2 * math.ceil(3 * self.blur_max) + 1
        blur = gaussian_kernels(widths[:, 0], across, draws[:, 2] * math.pi, side)
        same = torch.zeros_like(blur)
        same[:, side // 2, side // 2] = 1
        sharper = same + SHARPEST * draws[:, 5, None, None] * (same - blur)
        return torch.where(draws[:, 4, None, None] < self.sharpened_share, sharper, blur)

    def noisy(self, x: Tensor, normal: Tensor, draws: Tensor) -> Tensor:
        """`x` with noise. `draws` (N, 4) in [0, 1): strength of Gaussian noise, photons, which of the two, whether it is grey."""
        grey = draws[:, 3, None, None, None] < self.grey_share
        normal = torch.where(grey, normal[:, :1], normal)
        gaussian = gaussian_noise(x, normal, draws[:, 0] * self.noise_max)
        # Few photons matter more than many: the logarithm of their number is uniform.
        peak = self.peak_min * (max(PEAK_MAX, self.peak_min) / self.peak_min) ** draws[:, 1]
        shot = poisson_noise(x.clamp(-1, 1), normal, peak)
        return torch.where(draws[:, 2, None, None, None] < self.poisson_share, shot, gaussian)


def gaussian_kernels(along: Tensor, across: Tensor, angle: Tensor, side: int) -> Tensor:
    """(N, side, side) Gaussians that sum to 1 (Real-ESRGAN, eq. 2 and 3): standard deviations (N,) along `angle` (radians from
    a row) and across it, in pixels; `side` is odd."""
    places = torch.arange(side, device=along.device, dtype=along.dtype) - side // 2
    rows, columns = places[None, :, None], places[None, None, :]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    far_along = (columns * cosine + rows * sine) / along[:, None, None]
    far_across = (rows * cosine - columns * sine) / across[:, None, None]
    weights = torch.exp(-(far_along.square() + far_across.square()) / 2)
    return weights / weights.sum((1, 2), keepdim=True)


def filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """Each image (N, C, H, W) by its own kernel (N, K, K), K odd; the edge continues."""
    n, channels, height, width = x.shape
    margin = kernels.shape[-1] // 2
    padded = F.pad(x, (margin,) * 4, mode="replicate").flatten(0, 1)[None]
    weight = kernels.repeat_interleave(channels, 0)[:, None]
    return F.conv2d(padded, weight, groups=n * channels).view(n, channels, height, width)


def reduced(x: Tensor, scale: int, which: Tensor) -> Tensor:
    """(N, C, H // scale, W // scale) by the interpolation `which` (N,): 0 the area's mean, 1 bilinear, 2 bicubic (BSRGAN, sec.
    3.2, without its nearest neighbour)."""
    size = (x.shape[2] // scale, x.shape[3] // scale)
    bilinear = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    ways = torch.stack([F.avg_pool2d(x, scale), bilinear, downscaled(x, scale)])
    return ways[which, torch.arange(len(x), device=x.device)]


def jpeg_from(x: Tensor, quality: Tensor, corners: Tensor) -> Tensor:
    """`jpeg` whose blocks start at `corners` (N, 2) of each image, rows and columns before its first, below GRID."""
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) + corners[:, :1]
    columns = torch.arange(width, device=x.device) + corners[:, 1:]
    larger_rows = torch.arange(height + GRID - 1, device=x.device) - corners[:, :1]
    larger_columns = torch.arange(width + GRID - 1, device=x.device) - corners[:, 1:]
    larger = _taken(x, larger_rows.clamp(0, height - 1), larger_columns.clamp(0, width - 1))
    return _taken(jpeg(larger, quality), rows, columns)


def _taken(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, h, w): the pixels of each image (N, C, H, W) in its own `rows` (N, h) and `columns` (N, w)."""
    images = torch.arange(len(x), device=x.device)[:, None, None, None]
    channels = torch.arange(x.shape[1], device=x.device)[:, None, None]
    return x[images, channels, rows[:, None, :, None], columns[:, None, None, :]]
