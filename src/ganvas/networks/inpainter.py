"""An encoder and decoder of gated convolutions, for images with holes of any form (Yu 2019, arXiv:1806.03589)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.resample import cut, grown_to

DILATIONS = (1, 2, 4, 8)  # at the smallest size; together their receptive field covers a whole training patch
STIFFNESS, SWEEPS, FLATTEST = 4.0, 16, 0.02  # of the smooth filling
EDGE = 0.01  # of the diffusion along edges: see `diffusion_weights`
SIZES, ROUNDS, STEPS, TIME_STEP = 3, 3, 8, 0.2  # of that diffusion


class GatedConv(nn.Module):
    """phi(features) * sigmoid(gate), both linear in the same 3 x 3 window (eq. 3): it learns where pixels are missing."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * outputs, 3, stride, padding=dilation, dilation=dilation)
        nn.init.kaiming_normal_(self.conv.weight)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        features, gate = self.conv(x).chunk(2, 1)
        return F.elu(features) * gate.sigmoid()


class GatedInpainter(nn.Module):
    """Images (N, C, H, W) and `mask` (N, 1, H, W), 1 where they are missing, to whole images (N, C, H, W).

    Values in the hole are ignored: `initially_filled` fills it, and the network's output is added to that. `fold` 2 puts each
    2 x 2 pixels into channels first: a quarter of the MACs.
    """

    def __init__(self, channels: int, *, width: int = 32, blocks: int = 1, fold: int = 2) -> None:
        super().__init__()
        self.fold, self.multiple = fold, 4 * fold
        self.first = GatedConv((channels + 2) * fold**2, width)
        self.down = nn.Sequential(GatedConv(width, 2 * width, stride=2), GatedConv(2 * width, 2 * width))
        self.down_again = GatedConv(2 * width, 4 * width, stride=2)
        middle = [GatedConv(4 * width, 4 * width, dilation=dilation) for dilation in DILATIONS * blocks]
        self.middle = nn.ModuleList(middle)
        self.to_half = GatedConv(6 * width, 2 * width)
        self.to_whole = GatedConv(3 * width, width)
        self.last = nn.Conv2d(width, channels * fold**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        size = x.shape[2], x.shape[3]
        # A plane of ones, zero in the padding: the network can distinguish the border of the image from black.
        start = initially_filled(x, mask)
        inputs = grown_to(torch.cat([start, mask, torch.ones_like(mask)], 1), self.multiple)
        first = self.first(F.pixel_unshuffle(inputs, self.fold))
        half = self.down(first)
        x = self.down_again(half)
        for block in self.middle:
            x = x + block(x)
        x = self.to_half(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), half], 1))
        x = self.to_whole(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), first], 1))
        return start + cut(F.pixel_shuffle(self.last(x), self.fold), size).float()


def initially_filled(x: Tensor, mask: Tensor) -> Tensor:
    """x (N, C, H, W), float32, its holes filled smoothly, then along the edges around them. Needs no training."""
    return diffused_along_edges(smoothly_filled(x, mask), mask)


def smoothly_filled(x: Tensor, mask: Tensor) -> Tensor:
    """x (N, C, H, W), float32, its holes filled by a spline under tension (Smith 1990, doi:10.1190/1.1442837), nearly.

    The filling v satisfies B v + STIFFNESS * B B v = 0 in the hole, with B = I - `neighbours`. Stiffness continues slopes into
    the hole, tension keeps the values bounded in large holes. Grey if the whole image is missing.

    Computed from the coarsest size up (pull and push, Gortler 1996, doi:10.1145/237170.237200, sec. 3.4), with a few sweeps at
    each size: what comes from far borders enters at the coarse sizes.
    """
    weight = 1 - (mask > 0).float()
    value = torch.where(mask > 0, 0.0, x.float())
    levels = [(value, weight)]
    while max(weight.shape[2:]) > 1:
        square = (min(2, weight.shape[2]), min(2, weight.shape[3]))
        value, weight = F.avg_pool2d(value, square, ceil_mode=True), F.avg_pool2d(weight, square, ceil_mode=True)
        levels.append((value, weight))
    filled = torch.zeros_like(value)
    for number, (value, weight) in reversed(list(enumerate(levels))):
        coarse = F.interpolate(filled, value.shape[2:], mode="bilinear", align_corners=False)
        intact = weight > 0
        value = value / weight.clamp_min(1e-6)
        filled = torch.where(intact, value, coarse)
        hole = (~intact).to(value.dtype).expand_as(value).contiguous()
        stiffness = STIFFNESS / 4**number  # a pixel is as wide as two of the size before
        for length in sweeps(stiffness):
            bend = filled - neighbours(filled)
            bend = bend + stiffness * (bend - neighbours(bend))
            # Values that are there stay: a product with 0 is quicker than `where` with a mask for all channels.
            filled = torch.addcmul(filled, bend, hole, value=-length)
    return filled


def sweeps(stiffness: float) -> list[float]:
    """Step lengths: 1 / the roots of a Chebyshev polynomial over the operator's spectrum (Golub 1961, doi:10.1007/BF01386013),
    without the smoothest errors, which coarser sizes have removed. Short and long steps alternate, so that no error grows."""
    steepest = 2 + 4 * stiffness
    middle, half = (steepest + FLATTEST) / 2, (steepest - FLATTEST) / 2
    lengths = []
    for k in range(SWEEPS):
        root = math.cos(math.pi * (2 * k + 1) / (2 * SWEEPS))
        lengths.append(1 / (middle + half * root))
    alternating = []
    for short, long in zip(lengths[: SWEEPS // 2], reversed(lengths), strict=False):
        alternating += [short, long]
    return alternating


def diffused_along_edges(x: Tensor, mask: Tensor, sizes: int = SIZES) -> Tensor:
    """Images x (N, C, H, W), in the hole diffused along edges, not across (edge-enhancing diffusion, Weickert 1998; for holes
    Galic 2008, J. Math. Imaging Vision 31, 255): du/dt = div(D grad u), where D follows the image.

    The spline weighs all directions alike, so that an edge which enters a hole is spread out in it; this continues the edge. At
    half of the size first, `sizes` in all: edges go on further there.
    """
    return from_coarse_to_fine(x, mask > 0, sizes, diffused_at_one_size)


def from_coarse_to_fine(x: Tensor, hole: Tensor, sizes: int, fill: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """`fill` of x (N, C, H, W) and its hole (N, 1, H, W), after its change at half of the size has been added, `sizes` in all."""
    if sizes > 1:
        square = (min(2, x.shape[2]), min(2, x.shape[3]))
        half = F.avg_pool2d(x, square, ceil_mode=True)
        half_hole = F.max_pool2d(hole.float(), square, ceil_mode=True) > 0
        change = from_coarse_to_fine(half, half_hole, sizes - 1, fill) - half
        x = torch.where(hole, x + F.interpolate(change, x.shape[2:], mode="bilinear", align_corners=False), x)
    return fill(x, hole)


def diffused_at_one_size(x: Tensor, hole: Tensor) -> Tensor:
    """ROUNDS cycles of `diffused_along_edges`."""
    for _ in range(ROUNDS):
        weights = diffusion_weights(x)
        for length in explicit_steps():
            change = torch.zeros_like(x)
            for weight, shifted in zip(weights, windows(x), strict=True):
                change = change + weight * (shifted - x)
            x = torch.where(hole, x + length * change, x)
    return x


def explicit_steps() -> list[float]:
    """Time steps of a cycle of fast explicit diffusion (Grewenig 2010, LNCS 6376, 533).

    The longest would be unstable alone, all together are stable: (STEPS + 1) / 3 times as far as equal steps of TIME_STEP.
    """
    return [TIME_STEP / (2 * math.cos(math.pi * (2 * i + 1) / (4 * STEPS + 2)) ** 2) for i in range(STEPS)]


def diffusion_weights(x: Tensor) -> list[Tensor]:
    """Nine weights (N, 1, H, W) of the differences to the pixels of `windows`, whose sum is div(D grad x).

    D has the eigenvectors of the structure tensor of all channels: 1 along edges, across them 1 / sqrt(1 + gap / EDGE^2), gap
    being the difference of the tensor's eigenvalues.
    """
    window = windows(x)
    dx, dy = (window[5] - window[3]) / 2, (window[7] - window[1]) / 2
    tensor = torch.cat([part.sum(1, keepdim=True) for part in (dx * dx, dx * dy, dy * dy)], 1)
    for _ in range(2):
        tensor = F.avg_pool2d(tensor, 5, 1, padding=2, count_include_pad=False)
    xx, xy, yy = tensor.split(1, 1)
    gap = ((xx - yy).square() + 4 * xy.square() + 1e-16).sqrt()
    smaller = (xx + yy - gap) / 2
    less = (1 - (1 + gap / EDGE**2).rsqrt()) / gap  # times (tensor - smaller * I): what D lacks of I
    D = torch.cat([1 - less * (xx - smaller), -less * xy, 1 - less * (yy - smaller)], 1)
    xx, xy, yy = zip(*(one.split(1, 1) for one in windows(D)), strict=True)
    up, left, right, down = 1, 3, 5, 7
    here = xx[4], yy[4]
    return [
        (xy[left] + xy[up]) / 4, (yy[up] + here[1]) / 2, -(xy[right] + xy[up]) / 4,
        (xx[left] + here[0]) / 2, torch.zeros_like(here[0]), (xx[right] + here[0]) / 2,
        -(xy[left] + xy[down]) / 4, (yy[down] + here[1]) / 2, (xy[right] + xy[down]) / 4,
    ]  # fmt: skip


def windows(x: Tensor) -> list[Tensor]:
    """The nine pixels of each 3 x 3 window as images, row by row; at the border its own value replaces missing ones."""
    # By `cat`, as in `neighbours`.
    padded = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    padded = torch.cat([padded[..., :1], padded, padded[..., -1:]], 3)
    shifted = []
    for rows in (padded[:, :, :-2], padded[:, :, 1:-1], padded[:, :, 2:]):
        shifted += [rows[..., :-2], rows[..., 1:-1], rows[..., 2:]]
    return shifted


def neighbours(x: Tensor) -> Tensor:
    """The mean of the four neighbours of each pixel; at the border its own value replaces missing ones."""
    # By `cat`: F.pad with repeated borders takes five times as long in the layout channels_last.
    rows = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    columns = torch.cat([x[:, :, :, :1], x, x[:, :, :, -1:]], 3)
    return (rows[:, :, :-2] + rows[:, :, 2:]).add_(columns[:, :, :, :-2]).add_(columns[:, :, :, 2:]).mul_(1 / 4)
