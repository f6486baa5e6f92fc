"""Networks of clips (N, C, T, H, W): a recurrent network before a generator of frames, and convolutions in three dimensions.

Stages double or halve time, height and width together with 4 x 4 x 4 convolutions of stride 2; an odd number is halved by
rounding up. Initial weights preserve the variance of the activations (He 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import BiasedActivation
from ganvas.networks.resample import fitted, pyramid
from ganvas.networks.strided import StridedGenerator

Shape = tuple[int, int, int]
ClipSize = tuple[int, int, int]  # frames, height, width
KEPT = 1.0  # added to the bias of the GRU's update gate: at the start a state lasts about four frames, otherwise two
SLOPE, GAIN = BiasedActivation.slope, BiasedActivation.gain


def clip_pyramid(frames: int, height: int, width: int) -> list[ClipSize]:
    """Sizes from the full one down, each half of the one before rounded up, as long as the frames' shorter side exceeds 4."""
    sizes: list[ClipSize] = []
    for h, w in pyramid(height, width):
        sizes.append((frames, h, w))
        frames = (frames + 1) // 2
    return sizes


class MotionContentGenerator(nn.Module):
    """z (N, D) to clips (N, C, T, H, W): each frame by the same `StridedGenerator` from content and a code of motion (Tulyakov
    2018, fig. 2).

    z is `content` numbers that all frames share, then `motion`, the first state of a GRU, then `noise` numbers for each of the
    T frames, the GRU's inputs; what follows, such as a vector of the class (`classes` numbers), is content again. With `norm`
    "batch" the frames' generator has batch norm and ends in tanh.
    """

    def __init__(
        self, content: int, motion: int, noise: int, frames: int, shape: Shape, widths: Sequence[int], classes: int = 0,
        norm: str = "none",
    ) -> None:  # fmt: skip
        super().__init__()
        self.parts = (content, motion, frames * noise, classes)
        self.frames = frames
        self.cell = nn.GRUCell(noise, motion)
        with torch.no_grad():
            self.cell.bias_ih[motion : 2 * motion] += KEPT
        self.frame = StridedGenerator(content + classes + motion, shape, widths, norm)
        self.last = last_activation(norm)

    def forward(self, z: Tensor) -> Tensor:
        content, state, noise, more = z.split(self.parts, 1)
        codes: list[Tensor] = []
        for step in noise.unflatten(1, (self.frames, -1)).unbind(1):
            state = self.cell(step, state)
            codes.append(state)
        motion = torch.stack(codes, 1)
        shared = torch.cat([content, more], 1)[:, None].expand(-1, self.frames, -1)
        frames = self.last(self.frame(torch.cat([shared.to(motion.dtype), motion], 2).flatten(0, 1)))
        return frames.unflatten(0, (-1, self.frames)).transpose(1, 2)


class ClipGenerator(nn.Module):
    """z (N, z_dim) to clips (N, channels, T, H, W). `widths` are the channels from the smallest size up, full size excepted.
    With `norm` "batch" it has batch norm and ends in tanh; "none" has neither."""

    def __init__(self, z_dim: int, channels: int, size: ClipSize, widths: Sequence[int], norm: str = "none") -> None:
        super().__init__()
        sizes = clip_pyramid(*size)[::-1]
        if len(sizes) == 1:  # nothing to upsample: frames of a few pixels
            sizes = sizes * 2
        widths = fitted(widths, len(sizes) - 1)
        self.sizes = sizes
        bias = norm == "none"  # batch norm takes away what a bias adds
        self.project = nn.Linear(z_dim, widths[0] * math.prod(sizes[0]), bias=bias)
        nn.init.normal_(self.project.weight, 0.0, GAIN / math.sqrt(z_dim))
        if bias:
            nn.init.zeros_(self.project.bias)
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for a, b in pairwise([*widths, channels]):
            self.norms.append(norm3d(norm, a))
            is_last = len(self.norms) == len(widths)
            conv = nn.ConvTranspose3d(a, b, 4, stride=2, padding=1, bias=bias or is_last)
            # Each place of the doubled size uses an eighth of the kernel.
            nn.init.normal_(conv.weight, 0.0, (0.5 if is_last else GAIN) / math.sqrt(8 * a))
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
            self.convs.append(conv)
        self.last = last_activation(norm)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).unflatten(1, (-1, *self.sizes[0]))
        for norm, conv, (frames, height, width) in zip(self.norms, self.convs, self.sizes[1:], strict=True):
            x = conv(F.leaky_relu(norm(x), SLOPE))[:, :, :frames, :height, :width]
        return self.last(x)


class TwoStreamGenerator(nn.Module):
    """z to clips as `ClipGenerator`, of what moves before a static background (Vondrick 2016, sec. 3.2): m f + (1 - m) b, where
    the mask m (N, 1, T, H, W) is a sigmoid and b (N, channels, 1, H, W) one image. With `norm` "batch" f and b end in tanh."""

    def __init__(self, z_dim: int, channels: int, size: ClipSize, widths: Sequence[int], norm: str = "none") -> None:
        super().__init__()
        self.moving = ClipGenerator(z_dim, channels + 1, size, widths, norm)
        self.moving.last = nn.Identity()  # one of its channels is the mask
        self.still = StridedGenerator(z_dim, (channels, *size[1:]), widths, norm)
        self.last = last_activation(norm)

    def forward(self, z: Tensor) -> Tensor:
        outputs = self.moving(z)
        mask = outputs[:, :1].sigmoid()
        return mask * self.last(outputs[:, 1:]) + (1 - mask) * self.last(self.still(z))[:, :, None]


class ClipDiscriminator(nn.Module):
    """Clips (N, C, T, H, W) to (N, outputs). `widths` are the channels from the smallest size up, as the generator's. `norm`,
    "batch" or "none", is after each convolution but the first."""

    def __init__(
        self, channels: int, size: ClipSize, widths: Sequence[int], outputs: int = 1, norm: str = "none"
    ) -> None:
        super().__init__()
        sizes = clip_pyramid(*size)
        if len(sizes) == 1:
            frames, height, width = size
            sizes.append(((frames + 1) // 2, (height + 1) // 2, (width + 1) // 2))
        widths = fitted(widths, len(sizes) - 1)[::-1]
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for a, b in pairwise([channels, *widths]):
            if len(self.convs):
                conv = nn.Conv3d(a, b, 4, stride=2, padding=1, bias=norm == "none")
                self.norms.append(norm3d(norm, b))
            else:
                conv = nn.Conv3d(8 * a, b, 2)
                self.norms.append(nn.Identity())
            nn.init.normal_(conv.weight, 0.0, GAIN / math.sqrt(64 * a))
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
            self.convs.append(conv)
        # No bias: in a difference of two logits it cancels, and Adam would move it by rounding errors alone.
        self.head = nn.Linear(widths[-1] * math.prod(sizes[-1]), outputs, bias=False)
        nn.init.normal_(self.head.weight, 0.0, 1 / math.sqrt(self.head.in_features))

    def forward(self, x: Tensor) -> Tensor:
        # The first convolution as one of cells of 2 x 2 x 2 values: the same sums, and half the time on a CPU with few channels.
        x = cells(F.pad(_even(x), (1, 1, 1, 1, 1, 1)))
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = F.leaky_relu(norm(conv(_even(x) if number else x)), SLOPE)
        return self.head(x.flatten(1))


def norm3d(kind: str, channels: int) -> nn.Module:
    """Normalisation of (N, C, T, H, W): "batch" or "none"."""
    return nn.BatchNorm3d(channels) if kind == "batch" else nn.Identity()


def last_activation(norm: str) -> nn.Module:
    """After a generator's last convolution: tanh beside batch norm, as in DCGAN; otherwise nothing."""
    return nn.Tanh() if norm == "batch" else nn.Identity()


def cells(x: Tensor) -> Tensor:
    """x (N, C, T, H, W) of even sides as (N, 8 C, T / 2, H / 2, W / 2): the values of each cell of 2 x 2 x 2 as channels."""
    n, channels, frames, height, width = x.shape
    split = x.reshape(n, channels, frames // 2, 2, height // 2, 2, width // 2, 2)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def from_cells(x: Tensor) -> Tensor:
    """The inverse of `cells`: x (N, 8 C, T, H, W) as (N, C, 2 T, 2 H, 2 W)."""
    n, channels, frames, height, width = x.shape
    split = x.reshape(n, channels // 8, 2, 2, 2, frames, height, width)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, channels // 8, 2 * frames, 2 * height, 2 * width)


def _even(x: Tensor) -> Tensor:
    """x (N, C, T, H, W) with its last frame, row and column repeated where their number is odd."""
    frames, height, width = (side % 2 for side in x.shape[2:])
    if not (frames or height or width):
        return x
    return F.pad(x, (0, width, 0, height, 0, frames), mode="replicate")
