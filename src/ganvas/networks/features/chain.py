"""A chain of frozen layers, and a pass through it that stores little: only the gradient with respect to its input is computed.

Autograd stores what any gradient could need. Here the weights have none, so a convolution needs nothing of its input, ReLU only
its output, and a ReLU in front of max-pooling nothing: the pool stores its own output and indices, a quarter as many numbers. The
output of a first layer of full size, which has few input channels, is recomputed instead of stored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

NUMBERS_PER_BAND = 2**20  # numbers that pooling processes at a time


class Layer(nn.Module):
    """A frozen convolution with its activation: "relu", "relu6" or "" (none).

    A residual block: the layer that `opens` it stores its input, which the next layer that `adds` adds to its output.
    `same`: padding as TensorFlow's "same", which puts the odd pixel at the end.
    """

    def __init__(
        self, conv: nn.Conv2d, activation: str = "relu", *, opens: bool = False, adds: bool = False, same: bool = False
    ) -> None:
        super().__init__()
        self.conv, self.activation, self.opens, self.adds, self.same = conv, activation, opens, adds, same

    @property
    def stride(self) -> int:
        return self.conv.stride[0]

    @property
    def radius(self) -> int:
        """Of the receptive field: pixels of the input to each side that a pixel of the output depends on."""
        return self.conv.kernel_size[0] // 2

    def forward(self, x: Tensor) -> Tensor:
        return self.activated(self._convolved(self._padded(x)))

    def activated(self, y: Tensor) -> Tensor:
        """The activation, in place."""
        if self.activation == "relu":
            return y.relu_()
        if self.activation == "relu6":
            return F.relu6(y, inplace=True)
        return y

    def without_graph(self, x: Tensor) -> Tensor:
        """`forward` for no_grad."""
        x = self._padded(x)
        if self.activation == "" or x.device.type != "cpu" or not fuses(x.dtype):
            return self.activated(self.conv(x))
        return _fused(x, self.conv, self.activation)

    def back(self, gradient: Tensor, y: Tensor | None, size: Sequence[int]) -> Tensor:
        """The gradient of the input, (N, C, *size). y is the output, None where its activation is already in `gradient`, which is
        overwritten: new memory would cost more time than the computation."""
        if y is not None and self.activation == "relu":
            torch.ops.aten.threshold_backward(gradient, y, 0, grad_input=gradient)
        elif y is not None and self.activation:
            torch.ops.aten.hardtanh_backward(gradient, y, 0, 6, grad_input=gradient)
        if not self.same:
            return input_gradient(self.conv, gradient, size)
        left, right, top, bottom = self._pads(size)
        padded = input_gradient(self.conv, gradient, (size[0] + top + bottom, size[1] + left + right))
        return padded[:, :, top : top + size[0], left : left + size[1]]

    def _padded(self, x: Tensor) -> Tensor:
        if not self.same:
            return x
        return F.pad(x, self._pads(x.shape[2:]))

    def _pads(self, size: Sequence[int]) -> list[int]:
        kernel, pads = self.conv.kernel_size[0], []
        for length in reversed(size):
            whole = max(0, ((length + self.stride - 1) // self.stride - 1) * self.stride + kernel - length)
            pads += [whole // 2, whole - whole // 2]
        return pads

    def _convolved(self, x: Tensor) -> Tensor:
        conv = self.conv
        if self.stride > 1 and conv.groups > 1 and x.dtype == torch.bfloat16 and x.device.type == "cpu":
            # oneDNN's bf16 gradient of a strided depthwise convolution takes 10 times as long as the one without a stride.
            y = F.conv2d(x, conv.weight, conv.bias, 1, conv.padding, groups=conv.groups)  # pyright: ignore[reportArgumentType]
            return y[:, :, :: self.stride, :: self.stride]
        return conv(x)


def _fused(x: Tensor, conv: nn.Conv2d, activation: str) -> Tensor:
    """The convolution and its activation in one pass over the result, which takes half the time of two."""
    kind: str = "hardtanh"
    bounds: list[float] = [0.0, 6.0]
    if activation == "relu":
        kind, bounds = "relu", []
    return torch.ops.mkldnn._convolution_pointwise(
        x, conv.weight, conv.bias, list(conv.padding), list(conv.stride), [1, 1], conv.groups, kind, bounds, ""
    )


@functools.cache
def fuses(dtype: torch.dtype) -> bool:
    """Whether this torch has `_fused` for a CPU and numbers of `dtype`: no public function does it, so it is tried once."""
    if not torch.backends.mkldnn.is_available() or dtype not in (torch.float32, torch.bfloat16):
        return False
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        conv = nn.Conv2d(4, 8, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        x = torch.randn(1, 4, 8, 8).to(dtype, memory_format=torch.channels_last)
        try:
            return torch.allclose(_fused(x, conv, "relu6"), F.relu6(conv(x)), atol=0.02)
        except (AttributeError, RuntimeError, TypeError):
            return False


class Pool(nn.Module):
    """2 x 2 pooling, where the last row or column of an odd size is omitted; images of a single row or column stay as they
    are."""

    opens = adds = False
    stride, radius = 2, 1

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[kind]

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < 2:
            return x
        return self.pool(x, 2)

    def without_graph(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The output, and of max-pooling for `back` the index of each output in x, relative to the upper left of its four."""
        if self.kind != "max" or min(x.shape[2:]) < 2:
            return self(x), None
        y = _empty((*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2), x)
        offsets = torch.empty_like(y, dtype=torch.int16)
        for rows, pooled_rows in _bands(x):
            y[:, :, pooled_rows], indices = F.max_pool2d(x[:, :, rows], 2, return_indices=True)
            offsets[:, :, pooled_rows] = indices.sub_(_upper_left(indices.shape[2:], x.shape[3], x.device))
        return y, offsets

    def back(self, gradient: Tensor, y: Tensor | None, offsets: Tensor | None, size: Sequence[int]) -> Tensor:
        """The gradient of the input, (N, C, *size); of max-pooling, whose output is y, that of the input of the ReLU in front of
        it. `gradient` is overwritten."""
        if min(size) < 2:
            return gradient
        if offsets is None:
            unread = _empty((*gradient.shape[:2], *size), gradient)
            return torch.ops.aten.avg_pool2d_backward(gradient, unread, [2, 2], [2, 2], [0, 0], False, True, None)
        assert y is not None
        torch.ops.aten.threshold_backward(gradient, y, 0, grad_input=gradient)
        whole = _empty((*gradient.shape[:2], *size), gradient)
        for rows, pooled_rows in _bands(whole):
            indices = offsets[:, :, pooled_rows].long()
            indices.add_(_upper_left(indices.shape[2:], size[1], indices.device))
            output = [rows.stop - rows.start, size[1]]
            whole[:, :, rows] = F.max_unpool2d(gradient[:, :, pooled_rows], indices, [2, 2], output_size=output)
        return whole


def _bands(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Rows of images (N, C, H, W) and the pooled rows of those, part by part, since torch's indices take 8 bytes each. On a GPU
    all at once: there many small steps cost more than memory."""
    shape, height = x.shape, x.shape[2] // 2
    step = height
    if x.device.type == "cpu":
        step = max(1, NUMBERS_PER_BAND // (2 * shape[0] * shape[1] * shape[3]))
    for top in range(0, height, step):
        bottom = top + step
        if bottom < height:
            yield slice(2 * top, 2 * bottom), slice(top, bottom)
        else:  # an odd height: with the row that is omitted
            yield slice(2 * top, shape[2]), slice(top, height)


def _upper_left(size: Sequence[int], width: int, device: torch.device) -> Tensor:
    """The index, in an image of `width`, of the upper left pixel of each 2 x 2 that `size` (h, w) pooled pixels come from."""
    height_, width_ = size
    rows = torch.arange(0, 2 * height_, 2, device=device)
    columns = torch.arange(0, 2 * width_, 2, device=device)
    return rows[:, None] * width + columns


def input_gradient(conv: nn.Conv2d, gradient: Tensor, size: Sequence[int]) -> Tensor:
    """The gradient of a convolution with respect to its input (N, C, *size), whose values it does not need."""
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    if conv.groups > 1 and stride > 1:
        # See Layer._convolved: as the one without a stride, with zero gradients of its other outputs.
        whole = [length + 2 * padding - kernel + 1 for length in size]
        spread = _empty((*gradient.shape[:2], *whole), gradient).zero_()
        spread[:, :, ::stride, ::stride] = gradient
        gradient, stride = spread, 1
    if stride == 1 and (conv.groups > 1 or kernel == 1):
        # The gradient of these is a convolution with flipped weights, which is faster in oneDNN.
        return F.conv2d(gradient, _flipped(conv), None, 1, kernel - 1 - padding, groups=conv.groups)
    shape = (len(gradient), conv.in_channels, *size)
    unread = gradient
    if gradient.shape != shape:
        unread = _empty(shape, gradient)
    return torch.ops.aten.convolution_backward(
        gradient, unread, conv.weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], conv.groups,
        [True, False, False],
    )[0]  # fmt: skip


def _flipped(conv: nn.Conv2d) -> Tensor:
    """The weights of the transposed convolution, cached: they are small, and frozen."""
    weight, stored = conv.weight.detach(), conv.__dict__.get("flipped")
    key = weight.data_ptr(), weight.dtype, weight.device, conv.weight._version
    if stored is None or stored[0] != key:
        flipped = weight.transpose(0, 1)  # of a 1 x 1 kernel
        if conv.groups > 1:
            flipped = weight.flip(2, 3)
        stored = conv.__dict__["flipped"] = key, flipped.contiguous(memory_format=torch.channels_last)
    return stored[1]


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(tuple(shape), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


@dataclass
class _Stored:
    """What the backward pass needs of one layer."""

    name: str
    layer: nn.Module
    size: Sequence[int]
    """(H, W) of the input."""
    y: Tensor | None
    """The output: for the activation, and where the layer is wanted."""
    offsets: Tensor | None = None
    """Of a pool."""


OnFeatures = Callable[[str, Tensor], None]
AddGradient = Callable[[str, Tensor, Tensor], None]


class Walk:
    """One pass through `layers` (names and modules in their order) up to the last of `wanted`, and the backward pass.

    `on_features(name, features)` is called for each wanted layer as soon as it is computed, and must store what it needs.
    """

    def __init__(self, layers: Iterable[tuple[str, nn.Module]], wanted: Iterable[str]) -> None:
        self.wanted = set(wanted)
        every = list(layers)
        last = max(index for index, (name, _) in enumerate(every) if name in self.wanted)
        self.layers = every[: last + 1]
        self.stored: list[_Stored] = []
        self.start: Tensor | None = None

    @torch.no_grad()
    def forward(self, x: Tensor, on_features: OnFeatures, *, back: bool = True) -> None:
        """x (N, C, H, W). Without `back` nothing is stored."""
        self.stored, self.start = [], None
        if back:
            self.start = x
        y = shortcut = x
        for index, (name, layer) in enumerate(self.layers):
            before, offsets = y, None
            if not isinstance(layer, Pool):
                y = layer.without_graph(y)  # pyright: ignore[reportCallIssue]
            elif back:
                y, offsets = layer.without_graph(y)
            else:
                y = layer(y)
            if layer.opens:
                shortcut = before
            if layer.adds:
                y = y.add_(shortcut)
            if back:
                needed = offsets is not None or self._needed(index, y)
                self.stored.append(_Stored(name, layer, before.shape[2:], y if needed else None, offsets))
            if name in self.wanted:
                on_features(name, y)

    def _needed(self, index: int, y: Tensor) -> bool:
        """Whether y, the output of this layer, is stored."""
        name, layer = self.layers[index]
        if index == 0 and layer.stride == 1:
            return False
        if name in self.wanted:
            return True
        return isinstance(layer, Layer) and layer.activation != "" and not self._pooled_next(index, y)

    def _pooled_next(self, index: int, y: Tensor) -> bool:
        """Whether max-pooling comes next, whose output tells the gradient of this layer's ReLU."""
        after = self.layers[index + 1][1]
        relu = getattr(self.layers[index][1], "activation", "") == "relu"
        return relu and isinstance(after, Pool) and after.kind == "max" and min(y.shape[2:]) > 1

    @torch.no_grad()
    def back(self, add_gradient: AddGradient) -> Tensor:
        """The gradient of x, (N, C, H, W). `add_gradient(name, features, gradient)` adds, in place, a wanted layer's own gradient
        to the `gradient` from the layers after it. What was stored is overwritten: call this once."""
        gradient, added = torch.empty(0), torch.empty(0)
        assert self.start is not None and self.stored, "there is one backward pass"
        for index in reversed(range(len(self.stored))):
            stored = self.stored.pop()
            layer, y = stored.layer, stored.y
            if index == 0 and y is None:
                y = layer.without_graph(self.start)  # pyright: ignore[reportCallIssue]
            if not gradient.numel():
                assert y is not None
                gradient = torch.zeros_like(y)
            if stored.name in self.wanted:
                add_gradient(stored.name, y, gradient)  # pyright: ignore[reportArgumentType]
            if isinstance(layer, Pool):
                gradient = layer.back(gradient, y, stored.offsets, stored.size)
                continue
            if not isinstance(layer, Layer):
                raise TypeError(f"{stored.name} is neither a Layer nor a Pool, so it has no backward pass here")
            if layer.adds:
                added = gradient
            gradient = layer.back(gradient, y, stored.size)
            if layer.opens:
                gradient = gradient.add_(added)
        return gradient


class Walked(torch.autograd.Function):
    """A Walk as a function of autograd: `Walked.apply(x, walk)` gives the features of its wanted layers, in the chain's order.

    Faster than the layers one by one, and stores less. Differentiable once, by one backward pass, with respect to x; the features
    must not be changed in place.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, walk: Walk) -> tuple[Tensor, ...]:
        features: dict[str, Tensor] = {}
        walk.forward(x, features.__setitem__, back=ctx.needs_input_grad[0])
        ctx.walk, ctx.names = walk, list(features)
        # Other tensors than those that the walk stores, which would refer to the graph, and the graph to the walk: a memory leak.
        return tuple(y.detach() for y in features.values())

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None]:
        given = dict(zip(ctx.names, gradients, strict=True))
        return ctx.walk.back(lambda name, _, gradient: gradient.add_(given[name])), None


# --- layers from those of a trained network -------------------------------------------------------------------------------


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that equals both in eval mode."""
    both = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups  # pyright: ignore
    )  # fmt: skip
    with torch.no_grad():
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # pyright: ignore
        both.weight.copy_(conv.weight * factor.view(-1, 1, 1, 1))
        bias: Any = 0.0 if conv.bias is None else conv.bias
        mean: Any = norm.running_mean
        both.bias.copy_((bias - mean) * factor + norm.bias)  # pyright: ignore
    return both


def inverted_residual(
    number: int, parts: list[tuple[str, nn.Conv2d, nn.BatchNorm2d]], added: bool, *, same: bool = False
) -> Iterator[tuple[str, nn.Module]]:
    """The layers of one inverted residual block (Sandler 2018, fig. 4), of which the last is linear."""
    for index, (name, conv, norm) in enumerate(parts):
        last = name == "block"
        activation = "" if last else "relu6"
        opens, adds = added and index == 0, added and last
        yield f"{name}{number}", Layer(folded(conv, norm), activation, opens=opens, adds=adds, same=same)
