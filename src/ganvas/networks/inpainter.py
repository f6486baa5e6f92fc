"""An encoder and decoder of gated convolutions, for pictures with holes of any form (Yu 2019, arXiv:1806.03589)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.resample import cut, grown_to

DILATIONS = (1, 2, 4, 8)  # at the smallest size; together they see the whole of a patch from its middle


class GatedConv(nn.Module):
    """phi(features) * sigmoid(gate), both linear in the same 3 x 3 window (eq. 3): it learns where there is no picture."""

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
    """Pictures (N, C, H, W) and `mask` (N, 1, H, W), 1 where they are missing, to whole pictures (N, C, H, W).

    What stands in the hole is never looked at: it is filled by `smoothly_filled`, where the network starts. `fold` 2 puts each
    2 x 2 pixels into channels first: a quarter of the work.
    """

    def __init__(self, channels: int, *, width: int = 32, blocks: int = 1, fold: int = 2) -> None:
        super().__init__()
        self.fold, self.multiple = fold, 4 * fold
        self.first = GatedConv((channels + 2) * fold**2, width)
        self.down = nn.Sequential(GatedConv(width, 2 * width, stride=2), GatedConv(2 * width, 2 * width))
        self.down_again = GatedConv(2 * width, 4 * width, stride=2)
        self.middle = nn.ModuleList(
            [GatedConv(4 * width, 4 * width, dilation=step) for _ in range(blocks) for step in DILATIONS]
        )
        self.to_half = GatedConv(6 * width, 2 * width)
        self.to_whole = GatedConv(3 * width, width)
        self.last = nn.Conv2d(width, channels * fold**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        size = x.shape[2], x.shape[3]
        # The ones end where the convolutions' own padding begins: that is how the border of the picture can be told from black.
        start = smoothly_filled(x, mask)
        inputs = grown_to(torch.cat([start, mask, torch.ones_like(mask)], 1), self.multiple)
        first = self.first(F.pixel_unshuffle(inputs, self.fold))
        half = self.down(first)
        x = self.down_again(half)
        for block in self.middle:
            x = x + block(x)
        x = self.to_half(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), half], 1))
        x = self.to_whole(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), first], 1))
        return start + cut(F.pixel_shuffle(self.last(x), self.fold), size).float()


def smoothly_filled(x: Tensor, mask: Tensor) -> Tensor:
    """x (N, C, H, W), float32, its holes filled by means of what is around them: near the rim over few pixels, in the middle over
    many (pull and push, Gortler 1996, doi:10.1145/237170.237200, sec. 3.4). Grey where nothing is left."""
    weight = 1 - (mask > 0).float()
    value = torch.where(mask > 0, 0.0, x.float())
    levels = [(value, weight)]
    while max(weight.shape[2:]) > 1:
        square = (min(2, weight.shape[2]), min(2, weight.shape[3]))
        value, weight = (F.avg_pool2d(one, square, ceil_mode=True) for one in levels[-1])
        levels.append((value, weight))
    value, weight = levels.pop()
    filled = value / weight.clamp_min(1e-6)
    for value, weight in reversed(levels):
        coarse = F.interpolate(filled, value.shape[2:], mode="bilinear", align_corners=False)
        filled = value + (1 - weight) * coarse
    return filled
