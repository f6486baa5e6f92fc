"""The pair of StyleGAN2 (Karras 2020, arXiv:1912.04958) in plain torch.

Modulation without a kernel per image: (s W) * x = W * (s x), and demodulation is one factor per output channel. So activations
are scaled, convolved with weights that all images share, and scaled again: one dense convolution, since a grouped one with N *
C channels is slow on a CPU.

Departs from the paper: any height and width. Each stage upsamples (cropping) or downsamples (rounding up).
"""

# N images, C channels, H W pixels, L style inputs of G, E numbers in w

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import BiasedActivation
from ganvas.networks.resample import Size, Upsample, cut, even, fitted, pyramid

Shape = tuple[int, int, int]
SLOPE, GAIN = BiasedActivation.slope, math.sqrt(2)


# --- layers whose weights are all about 1, and are scaled at run time (Karras 2018, arXiv:1710.10196, sec. 4.1) -----------------


class EqualLinear(nn.Linear):
    """Linear layer with weights N(0, 1) times gain / sqrt(fan_in). `lr_multiplier` p: initial weights are divided by p, and
    weights and bias multiplied by it, so that Adam has p times the learning rate."""

    def __init__(
        self, inputs: int, outputs: int, lr_multiplier: float = 1.0, gain: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__(inputs, outputs)
        self.lr_multiplier, self.scale = lr_multiplier, gain * lr_multiplier / math.sqrt(inputs)
        nn.init.normal_(self.weight, 0.0, 1 / lr_multiplier)
        nn.init.constant_(self.bias, bias / lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualConv(nn.Conv2d):
    """Convolution with weights N(0, 1) times gain / sqrt(fan_in), zero bias. `down`: a low-pass filter first, then stride 2."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, down: bool = False, bias: bool = False, gain: float = 1.0
    ) -> None:
        stride, padding = (2, 0) if down else (1, kernel // 2)
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.gain = gain
        self.blur: Blur | None = None
        if down:
            self.blur = Blur(inputs, padding=kernel // 2 + 1)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.blur is not None:
            x = self.blur(even(x))
        weight, bias = self.weight * self.scale, self.bias
        if bias is not None:
            bias = bias * self.gain
        if self.kernel_size == (1, 1):
            # A convolution of grey images would leave the channels_last layout, and all layers after it are slower then.
            return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
        return F.conv2d(x, weight, bias, self.stride, self.padding)

    def squared(self) -> Tensor:
        """Sum of squared weights between each pair of channels, (outputs, inputs)."""
        return (self.weight * self.scale).square().sum((2, 3))


class EqualUpConv(nn.ConvTranspose2d):
    """Upsampling by a transposed 3 x 3 convolution and a low-pass filter, cropped to `size`. Weights as in EqualConv, no bias."""

    def __init__(self, inputs: int, outputs: int, size: Size) -> None:
        super().__init__(inputs, outputs, 3, stride=2, bias=False)
        self.size, self.scale = size, 1 / math.sqrt(inputs * 9)
        self.blur = Blur(outputs, padding=1, gain=4.0)  # three of four values are zeros between pixels
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cut(self.blur(F.conv_transpose2d(x, self.weight * self.scale, stride=2)), self.size)

    def squared(self) -> Tensor:
        """Sum of squared weights between each pair of channels, (outputs, inputs)."""
        return (self.weight * self.scale).square().sum((2, 3)).t()


class Blur(nn.Module):
    """The filter [1, 3, 3, 1] / 8 in each direction, zero padding. `stride` 2 downsamples."""

    kernel: Tensor

    def __init__(self, channels: int, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.channels, self.padding, self.stride = channels, padding, stride
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        kernel = (gain * line[:, None] * line).expand(channels, 1, 4, 4).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, None, self.stride, self.padding, groups=self.channels)


# --- G -----------------------------------------------------------------------------------------------------------------------


def normalised(z: Tensor) -> Tensor:
    """z (N, E) scaled to a mean square of 1 for each row."""
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """z (N, z_dim), and label (N,) where there are classes, to w (N, w_dim). `average`: w's moving mean, for truncation."""

    average: Tensor

    def __init__(self, z_dim: int, w_dim: int, layers: int = 8, lr_multiplier: float = 0.01, classes: int = 0) -> None:
        super().__init__()
        self.embed: nn.Embedding | None = None
        inputs = z_dim
        if classes:
            self.embed = nn.Embedding(classes, w_dim)
            inputs += w_dim
        widths = [inputs] + [w_dim] * layers
        self.layers = nn.ModuleList(EqualLinear(a, b, lr_multiplier, GAIN) for a, b in pairwise(widths))
        self.register_buffer("average", torch.zeros(w_dim))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x = normalised(z)
        if self.embed is not None:
            assert label is not None, "this mapping network was built for classes: it needs labels"
            x = torch.cat([x, normalised(self.embed(label))], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return x


def modulated(conv: EqualConv | EqualUpConv, x: Tensor, style: Tensor) -> Tensor:
    """`conv` with the input channels of its weights scaled for each image (eq. 1). x (N, C, H, W), style (N, C)."""
    return conv(x * style.to(x.dtype)[:, :, None, None])


def demodulation(conv: EqualConv | EqualUpConv, style: Tensor) -> Tensor:
    """The factor on each output channel that gives it the variance of the input (eq. 3), (N, outputs). style (N, inputs)."""
    return (F.linear(style.square(), conv.squared()) + 1e-8).rsqrt()


class StyleLayer(nn.Module):
    """One layer of figure 2 d: modulated 3 x 3 convolution (of the upsampled x where `up`), demodulation, noise, bias, leaky
    ReLU.

    `noise` is the fixed image of noise that is used where none is given.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: Size, up: bool, gain: float = 1.0) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        if up:
            self.conv = EqualUpConv(inputs, outputs, size)
        else:
            self.conv = EqualConv(inputs, outputs, 3)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = GAIN * gain
        self.register_buffer("noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """x (N, C, H, W), w (N, E), noise (N, 1, H, W)."""
        style = self.style(w)
        y = modulated(self.conv, x, style)
        # Leaky ReLU of g y is g times that of y: its gain is put into the three factors, which are smaller than the image.
        factor = (demodulation(self.conv, style) * self.gain).to(y.dtype)
        bias = (self.bias * self.gain).to(y.dtype)
        if noise is None:
            noise = self.noise
        noise = noise * (self.strength * self.gain)
        y = torch.addcmul(bias[:, None, None], y, factor[:, :, None, None])
        return F.leaky_relu(y + noise.to(y.dtype), SLOPE)


class ToImage(nn.Module):
    """tRGB: a modulated 1 x 1 convolution without demodulation, to the channels of the image."""

    def __init__(self, inputs: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.conv = EqualConv(inputs, channels, 1, bias=True)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return modulated(self.conv, x, self.style(w))


class StyleStage(nn.Module):
    """All layers of one size. The first stage does not upsample; "residual" adds the upsampled input (figure 7 c of the
    paper)."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: Size, kind: str, first: bool) -> None:
        super().__init__()
        self.shortcut: nn.Module | None = None
        gain = 1.0
        if kind == "residual" and not first:
            gain = math.sqrt(0.5)  # the sum of two has twice the variance
            self.shortcut = nn.Sequential(EqualConv(inputs, outputs, 1, gain=gain), Upsample(size))
        layers: list[nn.Module] = []
        if not first:
            layers.append(StyleLayer(inputs, outputs, w_dim, size, up=True))
        layers.append(StyleLayer(outputs, outputs, w_dim, size, up=False, gain=gain))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, styles: Sequence[Tensor], noise: Sequence[Tensor | None]) -> Tensor:
        y = x
        for layer, w, layer_noise in zip(self.layers, styles, noise, strict=True):
            y = layer(y, w, layer_noise)
        if self.shortcut is None:
            return y
        return y + self.shortcut(x)


class Synthesis(nn.Module):
    """w of each style input (N, L, E) to images (N, C, H, W). `widths` from the smallest size to full size.

    kind "skip" sums the tRGB of all sizes (figure 7 b), "residual" has one tRGB at full size (figure 7 c).
    """

    def __init__(self, shape: Shape, widths: Sequence[int], w_dim: int, kind: str = "skip") -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)[::-1]
        widths = fitted(widths, len(sizes))
        self.basis = nn.Parameter(torch.randn(1, widths[0], *sizes[0]))
        last = len(sizes) - 1
        stages: list[nn.Module] = []
        inputs = widths[0]
        for number, (outputs, size) in enumerate(zip(widths, sizes, strict=True)):
            stages.append(StyleStage(inputs, outputs, w_dim, size, kind, first=number == 0))
            inputs = outputs
        self.stages = nn.ModuleList(stages)
        self.to_image_layers = nn.ModuleDict()
        for number, outputs in enumerate(widths):
            if kind == "skip" or number == last:
                self.to_image_layers[str(number)] = ToImage(outputs, channels, w_dim)
        self.doublers = nn.ModuleList(Upsample(size) for size in sizes)
        self.inputs = 2 * len(sizes)  # L: one per layer, and the last tRGB's
        self.noise_sizes = sizes[:1]  # of each layer: one at the smallest size, two at each other
        for size in sizes[1:]:
            self.noise_sizes += [size, size]

    def forward(self, styles: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Images (N, C, H, W) of styles (N, L, E). `noise`: one (N, 1, H, W) per layer, of `noise_sizes`; without it the layers'
        own fixed images."""
        w = styles.unbind(1)
        layer_noise: list[Tensor | None] = [None] * len(self.noise_sizes)
        if noise is not None:
            layer_noise = list(noise)
        x, image, used = self.basis, None, 0
        for number, stage in enumerate(self.stages):
            count = 1 if number == 0 else 2  # layers of the stage
            x = stage(x, w[used : used + count], layer_noise[used : used + count])
            used += count
            if str(number) in self.to_image_layers:
                # As in the authors' code, tRGB shares its style input with the next size's first layer.
                rgb = self.to_image_layers[str(number)](x, w[used])
                if image is not None:
                    rgb = rgb + self.doublers[number](image)
                image = rgb
        assert image is not None
        return image


class StyleGenerator(nn.Module):
    """z (N, z_dim), and label (N,) where there are classes, to images (N, C, H, W), unbounded but mostly in [-1, 1].

    `forward` is for sampling: noise is the layers' own fixed images, the same for all z, and w is interpolated with its mean by
    `truncation` (1: w itself, 0: the mean image). Training calls `mapping` and `synthesis` with its own noise.
    """

    def __init__(
        self, z_dim: int, shape: Shape, widths: Sequence[int], w_dim: int, *, kind: str = "skip", mapping_layers: int = 8,
        mapping_lr_multiplier: float = 0.01, classes: int = 0, truncation: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, mapping_lr_multiplier, classes)
        self.synthesis = Synthesis(shape, widths, w_dim, kind)
        self.truncation = truncation

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.synthesis(self.to_layers(self.style(z, label)))

    def style(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """w (N, E) of z, truncated."""
        w = self.mapping(z, label)
        if self.truncation != 1:
            w = torch.lerp(self.mapping.average.to(w.dtype), w, self.truncation)
        return w

    def to_layers(self, w: Tensor) -> Tensor:
        """The same w (N, E) for each style input, (N, L, E)."""
        return w[:, None].expand(-1, self.synthesis.inputs, -1)


def style_inputs(synthesis: Synthesis) -> tuple[nn.Module, ...]:
    """The linear layers that turn w into the scales of each convolution, in the order of the images' sizes."""
    layers: list[nn.Module] = []
    for module in synthesis.modules():
        if isinstance(module, StyleLayer | ToImage):
            layers.append(module.style)
    return tuple(layers)


# --- D -----------------------------------------------------------------------------------------------------------------------


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """Mean standard deviation within a group of images (Karras 2018, arXiv:1710.10196, sec. 3). x (N, C, H, W) to (N, 1, 1, 1).

    Groups are neighbours in the batch, so that each process has the same groups as one process with the whole batch, if `group`
    divides its share. Where `group` does not divide N, it is the next smaller divisor.
    """
    count = len(x)
    group = min(group, count)
    while count % group:
        group -= 1
    grouped = x.float().view(count // group, group, *x.shape[1:])
    variance = (grouped - grouped.mean(1, keepdim=True)).square().mean(1)  # var() over such an axis is slow on a CPU
    deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat_interleave(group)[:, None, None, None].to(x.dtype)


class StyleBlock(nn.Module):
    """Two 3 x 3 convolutions, of which the second downsamples. `residual` adds the downsampled input."""

    def __init__(self, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        half = math.sqrt(0.5) if residual else 1.0  # the sum of two has twice the variance
        self.residual = residual
        self.first = EqualConv(inputs, inputs, 3, bias=True, gain=GAIN)
        self.second = EqualConv(inputs, outputs, 3, down=True, bias=True, gain=GAIN * half)
        if residual:
            self.halve = Blur(inputs, padding=1, stride=2)
            self.shortcut = EqualConv(inputs, outputs, 1, gain=half)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.first(x), SLOPE)
        y = F.leaky_relu(self.second(y), SLOPE)
        if not self.residual:
            return y
        return y + self.shortcut(self.halve(even(x)))


class StyleDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, outputs). `widths` from the smallest size to full size, as in G.

    kind "residual" (figure 7 c), "skip" (each size also sees the downsampled image, figure 7 b) or "plain". `group` images
    share their minibatch deviation; 1: none.
    """

    def __init__(
        self, shape: Shape, widths: Sequence[int], kind: str = "residual", group: int = 4, outputs: int = 1
    ) -> None:
        super().__init__()
        channels, height, wide = shape
        sizes = pyramid(height, wide)
        widths = fitted(widths, len(sizes))[::-1]
        self.group = group
        from_image = widths if kind == "skip" else widths[:1]
        self.readers = nn.ModuleList(EqualConv(channels, here, 1, bias=True, gain=GAIN) for here in from_image)
        self.halve = Blur(channels, padding=1, stride=2)
        self.blocks = nn.ModuleList(StyleBlock(a, b, kind == "residual") for a, b in pairwise(widths))
        top = widths[-1]
        self.last = EqualConv(top + (group > 1), top, 3, bias=True, gain=GAIN)
        self.gather = EqualLinear(top * math.prod(sizes[-1]), top, gain=GAIN)
        self.head = EqualLinear(top, outputs)

    def forward(self, x: Tensor) -> Tensor:
        image, y = x, F.leaky_relu(self.readers[0](x), SLOPE)
        for number, block in enumerate(self.blocks, start=1):
            y = block(y)
            if number < len(self.readers):
                image = self.halve(even(image))
                y = y + F.leaky_relu(self.readers[number](image), SLOPE)
        if self.group > 1:
            y = torch.cat([y, minibatch_deviation(y, self.group).expand(-1, 1, *y.shape[2:])], 1)
        y = F.leaky_relu(self.last(y), SLOPE)
        return self.head(F.leaky_relu(self.gather(y.flatten(1)), SLOPE))
