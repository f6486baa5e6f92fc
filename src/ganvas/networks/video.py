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

from ganvas.networks.layers import BiasedActivation, init_fan_in_, norm2d
from ganvas.networks.resample import cut, fitted, pyramid
from ganvas.networks.strided import StridedGenerator

Shape = tuple[int, int, int]
ClipSize = tuple[int, int, int]  # frames, height, width
KEPT = 1.0  # added to the bias of the GRU's update gate: at the start a state lasts about four frames, otherwise two
TURNED = 0.1  # of an affine map at the start: how much its matrix varies, beside its shift
SLOPE, GAIN = BiasedActivation.slope, BiasedActivation.gain


def clip_pyramid(frames: int, height: int, width: int) -> list[ClipSize]:
    """Sizes from the full one down, each half of the one before rounded up, as long as the frames' shorter side exceeds 4."""
    sizes: list[ClipSize] = []
    for h, w in pyramid(height, width):
        sizes.append((frames, h, w))
        frames = (frames + 1) // 2
    return sizes


class MotionContentGenerator(nn.Module):
    """z (N, D) to clips (N, C, T, H, W): each frame from content and a code of motion (Tulyakov 2018, fig. 2).

    z is `content` numbers that all frames share, then `motion`, the first state of a GRU, then `noise` numbers for each of the
    T frames, the GRU's inputs; what follows, such as a vector of the class (`classes` numbers), is content again. The frames
    are `SeparateFrames`, or with `moved` `MovedFrames` with so many channels. With `norm` "batch" the frames' generator has
    batch norm and ends in tanh.
    """

    def __init__(
        self, content: int, motion: int, noise: int, frames: int, shape: Shape, widths: Sequence[int], classes: int = 0,
        norm: str = "none", moved: int = 0, pieces: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.parts = (content, motion, frames * noise, classes)
        self.frames = frames
        self.cell = nn.GRUCell(noise, motion)
        with torch.no_grad():
            self.cell.bias_ih[motion : 2 * motion] += KEPT
        if moved:
            self.frame = MovedFrames(content + classes, motion, shape, widths, moved, pieces, norm)
        else:
            self.frame = SeparateFrames(content + classes + motion, shape, widths, norm)
        self.last = last_activation(norm)

    def forward(self, z: Tensor) -> Tensor:
        content, state, noise, more = z.split(self.parts, 1)
        codes: list[Tensor] = []
        for step in noise.unflatten(1, (self.frames, -1)).unbind(1):
            state = self.cell(step, state)
            codes.append(state)
        motion = torch.stack(codes, 1)
        return self.last(self.frame(torch.cat([content, more], 1), motion))


class SeparateFrames(StridedGenerator):
    """Content (N, D) and codes of motion (N, T, M) to frames (N, C, T, H, W): each made of the content and its own code, by a
    `StridedGenerator` of D + M numbers."""

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        frames = motion.shape[1]
        shared = content[:, None].expand(-1, frames, -1).to(motion.dtype)
        made = super().forward(torch.cat([shared, motion], 2).flatten(0, 1))
        return made.unflatten(0, (-1, frames)).transpose(1, 2)


class MovedFrames(nn.Module):
    """Content (N, D) and codes of motion (N, T, M) to frames (N, C, T, H, W): features of the content, made once, are moved in
    each frame.

    A `StridedGenerator` makes `channels` features of half the frames' size from the content. The code of a frame gives the
    affine maps by which they are sampled (Jaderberg 2015, arXiv:1506.02025; beyond the border the edge repeats), one for each of
    `pieces` groups of channels, and scales of the channels; two convolutions, the same for all frames, make the frame of them.
    """

    def __init__(
        self, content: int, motion: int, shape: Shape, widths: Sequence[int], channels: int, pieces: int = 1,
        norm: str = "none",
    ) -> None:  # fmt: skip
        super().__init__()
        image_channels, height, width = shape
        self.size = height, width
        half = channels, (height + 1) // 2, (width + 1) // 2
        self.features = StridedGenerator(content, half, widths[:-1] or widths, norm)
        self.pieces = pieces
        self.affine = nn.Linear(motion, 6 * pieces)
        with torch.no_grad():
            weight = self.affine.weight.normal_(0.0, 1 / math.sqrt(motion)).view(pieces, 2, 3, motion)
            weight[:, :, :2] *= TURNED
            self.affine.bias.copy_(torch.eye(2, 3).flatten().repeat(pieces))
        self.scale = nn.Linear(motion, channels)
        nn.init.zeros_(self.scale.weight)
        nn.init.ones_(self.scale.bias)
        mixed = widths[-1]
        self.norms = nn.ModuleList([norm2d(norm, channels), norm2d(norm, mixed)])
        self.mix = nn.Conv2d(channels, mixed, 3, padding=1, bias=norm == "none")
        init_fan_in_(self.mix, GAIN)
        self.last = nn.ConvTranspose2d(mixed, image_channels, 4, stride=2, padding=1)
        nn.init.normal_(self.last.weight, 0.0, 0.5 / math.sqrt(4 * mixed))  # four weights of a kernel meet at a pixel
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        features = self.features(content).float()
        n, channels, height, width = features.shape
        frames = motion.shape[1]
        # All frames of a piece in one image, one above the other: its features need no copies.
        maps = self.affine(motion).float().unflatten(2, (self.pieces, 2, 3)).transpose(1, 2).flatten(0, 2)
        places = F.affine_grid(maps, [len(maps), 1, height, width], align_corners=False)
        places = places.reshape(n * self.pieces, frames * height, width, 2)
        pieces = features.reshape(n * self.pieces, -1, height, width)
        moved = F.grid_sample(pieces, places, padding_mode="border", align_corners=False)
        x = moved.reshape(n, channels, frames, height, width).transpose(1, 2).flatten(0, 1)
        x = self.norms[0](x) * self.scale(motion).flatten(0, 1)[:, :, None, None]
        x = self.norms[1](self.mix(F.leaky_relu(x, SLOPE)))
        x = cut(self.last(F.leaky_relu(x, SLOPE)), self.size)
        return x.unflatten(0, (n, frames)).transpose(1, 2)


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
