"""A chain of frozen layers, and a pass through it that keeps little: the gradient with respect to its input and nothing else.

Autograd keeps what any gradient could need. Here no weight has one, so a convolution needs nothing of its input, ReLU no more
than what came out, and a ReLU in front of max-pooling nothing at all: that keeps what it gives and where it took it, a quarter as
many numbers. A first layer of full size, which has few channels to read, is computed again in place of being kept.
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

BAND = 2**20  # numbers that pooling looks at in one go


class Layer(nn.Module):
    """A frozen convolution with its activation: "relu", "relu6" or "" (none).

    `opens`: what comes in is kept, for the next layer that `adds` it to what it gives (a residual block).
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
    def reach(self) -> int:
        """How many pixels of its input, to each side, a pixel of its output sees."""
        return self.conv.kernel_size[0] // 2

    def forward(self, x: Tensor) -> Tensor:
        return self.activated(self._convolved(F.pad(x, self._pads(x.shape[2:])) if self.same else x))

    def activated(self, y: Tensor) -> Tensor:
        """In place."""
        if self.activation == "relu":
            return y.relu_()
        return F.relu6(y, inplace=True) if self.activation else y

    def without(self, x: Tensor) -> Tensor:
        """`forward` where no gradient is asked of autograd."""
        x, conv = F.pad(x, self._pads(x.shape[2:])) if self.same else x, self.conv
        if self.activation == "" or x.device.type != "cpu" or not fuses(x.dtype):
            return self.activated(conv(x))
        return _fused(x, conv, self.activation)

    def back(self, gradient: Tensor, y: Tensor | None, size: Sequence[int]) -> Tensor:
        """The gradient at what came in, (N, C, *size); y is what came out, None where its activation is already in `gradient`,
        which is written over: fresh memory costs more than the sums done in it."""
        if y is not None and self.activation == "relu":
            torch.ops.aten.threshold_backward(gradient, y, 0, grad_input=gradient)
        elif y is not None and self.activation:
            torch.ops.aten.hardtanh_backward(gradient, y, 0, 6, grad_input=gradient)
        if not self.same:
            return input_gradient(self.conv, gradient, size)
        left, right, top, bottom = self._pads(size)
        padded = input_gradient(self.conv, gradient, (size[0] + top + bottom, size[1] + left + right))
        return padded[:, :, top : top + size[0], left : left + size[1]]

    def _pads(self, size: Sequence[int]) -> list[int]:
        kernel, pads = self.conv.kernel_size[0], []
        for length in reversed(size):
            whole = max(0, (-(-length // self.stride) - 1) * self.stride + kernel - length)
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
    kind, bounds = ("relu", []) if activation == "relu" else ("hardtanh", [0.0, 6.0])
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
    """Halves an image, the last row or column of an odd one omitted; one of a single row or column stays as it is."""

    opens = adds = False
    stride, reach = 2, 1

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[kind]

    def forward(self, x: Tensor) -> Tensor:
        return x if min(x.shape[2:]) < 2 else self.pool(x, 2)

    def without(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What `forward` gives, and for `back` where in x each output is from: how far behind the upper left of its four."""
        if self.kind != "max" or min(x.shape[2:]) < 2:
            return self(x), None
        y = _empty((*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2), x)
        behind = torch.empty_like(y, dtype=torch.int16)
        for seen, made in _bands(x):
            y[:, :, made], places = F.max_pool2d(x[:, :, seen], 2, return_indices=True)
            behind[:, :, made] = places.sub_(_upper_left(places.shape[2:], x.shape[3], x.device))
        return y, behind

    def back(self, gradient: Tensor, y: Tensor | None, behind: Tensor | None, size: Sequence[int]) -> Tensor:
        """The gradient at what came in, (N, C, *size); of max-pooling, which gave y, at what came into the ReLU in front of it.
        `gradient` is written over."""
        if min(size) < 2:
            return gradient
        if behind is None:
            unread = _empty((*gradient.shape[:2], *size), gradient)
            return torch.ops.aten.avg_pool2d_backward(gradient, unread, [2, 2], [2, 2], [0, 0], False, True, None)
        assert y is not None
        torch.ops.aten.threshold_backward(gradient, y, 0, grad_input=gradient)
        whole = _empty((*gradient.shape[:2], *size), gradient)
        for seen, made in _bands(whole):
            places = behind[:, :, made].long()
            places.add_(_upper_left(places.shape[2:], size[1], places.device))
            output = [len(range(*seen.indices(size[0]))), size[1]]
            whole[:, :, seen] = F.max_unpool2d(gradient[:, :, made], places, [2, 2], output_size=output)
        return whole


def _bands(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Rows of images (N, C, H, W), and of them halved, part by part, since torch tells places in 8 bytes each. On a GPU in one
    go: there many small steps cost more than memory."""
    shape, height = x.shape, x.shape[2] // 2
    step = max(1, BAND // (2 * shape[0] * shape[1] * shape[3])) if x.device.type == "cpu" else height
    for top in range(0, height, step):
        last = top + step >= height
        yield slice(2 * top, shape[2] if last else 2 * (top + step)), slice(top, height if last else top + step)


def _upper_left(size: Sequence[int], width: int, device: torch.device) -> Tensor:
    """Number of the first place of each two by two that `size` (h, w) of them come from, row by row of an image of `width`."""
    rows, columns = (torch.arange(0, 2 * length, 2, device=device) for length in size)
    return rows[:, None] * width + columns


def input_gradient(conv: nn.Conv2d, gradient: Tensor, size: Sequence[int]) -> Tensor:
    """The gradient of a convolution with respect to its input (N, C, *size) alone, of which it needs the shape only."""
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    if (
        conv.groups > 1 and stride > 1
    ):  # see Layer._convolved: as the one without a stride, whose other outputs count nothing
        whole = [length + 2 * padding - kernel + 1 for length in size]
        spread = _empty((*gradient.shape[:2], *whole), gradient).zero_()
        spread[:, :, ::stride, ::stride] = gradient
        gradient, stride = spread, 1
    if stride == 1 and (conv.groups > 1 or kernel == 1):
        # The gradient of these is a convolution with the weights turned around, and oneDNN does those faster.
        return F.conv2d(gradient, _turned(conv), None, 1, kernel - 1 - padding, groups=conv.groups)
    shape = (len(gradient), conv.in_channels, *size)
    unread = gradient if gradient.shape == shape else _empty(shape, gradient)
    return torch.ops.aten.convolution_backward(
        gradient, unread, conv.weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], conv.groups,
        [True, False, False],
    )[0]  # fmt: skip


def _turned(conv: nn.Conv2d) -> Tensor:
    """Its weights turned around, kept for the next time: they are small, and frozen."""
    weight, stored = conv.weight, conv.__dict__.get("turned")
    key = weight.data_ptr(), weight.dtype, weight.device, weight._version
    if stored is None or stored[0] != key:
        turned = weight.detach().flip(2, 3) if conv.groups > 1 else weight.detach().transpose(0, 1)
        stored = conv.__dict__["turned"] = key, turned.contiguous(memory_format=torch.channels_last)
    return stored[1]


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(tuple(shape), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


@dataclass
class _Kept:
    """What the way back needs of one layer."""

    name: str
    layer: nn.Module
    size: Sequence[int]
    """(H, W) of what came in."""
    y: Tensor | None
    """What came out: for the activation, and for those who asked for it."""
    behind: Tensor | None = None
    """Of a pool."""


See = Callable[[str, Tensor], None]
Slope = Callable[[str, Tensor, Tensor], None]


class Walk:
    """One pass through `layers` (names and modules in their order) up to the last of `wanted`, and the way back.

    `see(name, features)` is called for each of the wanted as soon as it is computed; who keeps them pays for them.
    """

    def __init__(self, layers: Iterable[tuple[str, nn.Module]], wanted: Iterable[str]) -> None:
        self.wanted = set(wanted)
        every = list(layers)
        last = max(index for index, (name, _) in enumerate(every) if name in self.wanted)
        self.layers = every[: last + 1]
        self.kept: list[_Kept] = []
        self.start: Tensor | None = None

    @torch.no_grad()
    def forward(self, x: Tensor, see: See, *, back: bool = True) -> None:
        """x (N, C, H, W). Without `back` nothing is kept."""
        self.kept, self.start, opened = [], x if back else None, x
        y = x
        for index, (name, layer) in enumerate(self.layers):
            before, behind = y, None
            if isinstance(layer, Pool):
                y, behind = layer.without(y) if back else (layer(y), None)
            else:
                y = layer.without(y)  # pyright: ignore[reportCallIssue]
            opened = before if layer.opens else opened
            y = y.add_(opened) if layer.adds else y
            if back:
                kept = y if behind is not None or self._needed(index, y) else None
                self.kept.append(_Kept(name, layer, before.shape[2:], kept, behind))
            if name in self.wanted:
                see(name, y)

    def _needed(self, index: int, y: Tensor) -> bool:
        """Whether y, which this layer gives, is kept."""
        name, layer = self.layers[index]
        if index == 0 and layer.stride == 1:
            return False
        if name in self.wanted:
            return True
        return isinstance(layer, Layer) and layer.activation != "" and not self._told_by_pool(index, y)

    def _told_by_pool(self, index: int, y: Tensor) -> bool:
        """Whether max-pooling comes next, which notes what this layer's ReLU let pass."""
        after = self.layers[index + 1][1]
        relu = getattr(self.layers[index][1], "activation", "") == "relu"
        return relu and isinstance(after, Pool) and after.kind == "max" and min(y.shape[2:]) > 1

    @torch.no_grad()
    def back(self, slope: Slope) -> Tensor:
        """The gradient at x, (N, C, H, W). `slope(name, features, gradient)` adds, in place, a wanted layer's own gradient to
        the `gradient` that comes from behind it. What was kept continues the way: this can be called once."""
        gradient, added = torch.empty(0), torch.empty(0)
        assert self.start is not None and self.kept, "there is one way back"
        for index in reversed(range(len(self.kept))):
            kept = self.kept.pop()
            layer, y = kept.layer, kept.y
            if index == 0 and y is None:
                y = layer.without(self.start)  # pyright: ignore[reportCallIssue]
            if not gradient.numel():
                assert y is not None
                gradient = torch.zeros_like(y)
            if kept.name in self.wanted:
                slope(kept.name, y, gradient)  # pyright: ignore[reportArgumentType]
            if isinstance(layer, Pool):
                gradient = layer.back(gradient, y, kept.behind, kept.size)
                continue
            if not isinstance(layer, Layer):
                raise TypeError(f"{kept.name} is neither a Layer nor a Pool, so there is no way back through it")
            added = gradient if layer.adds else added
            gradient = layer.back(gradient, y, kept.size)
            gradient = gradient.add_(added) if layer.opens else gradient
        return gradient


class Walked(torch.autograd.Function):
    """A Walk as a step of autograd's: `Walked.apply(x, walk)` gives the features of its wanted layers, in the chain's order.

    Faster than the layers one by one, and keeps less. Differentiable once, by one backward pass, with respect to x; what it gives
    must not be changed in place.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, walk: Walk) -> tuple[Tensor, ...]:
        found: dict[str, Tensor] = {}
        walk.forward(x, found.__setitem__, back=ctx.needs_input_grad[0])
        ctx.walk, ctx.names = walk, list(found)
        # Other tensors than those that the walk keeps, which would hold the graph, which holds the walk: nothing would ever go.
        return tuple(y.detach() for y in found.values())

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None]:
        given = dict(zip(ctx.names, gradients, strict=True))
        return ctx.walk.back(lambda name, _, gradient: gradient.add_(given[name])), None


# --- making layers of a trained network's ---------------------------------------------------------------------------------


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what both do in evaluation mode."""
    made = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups  # pyright: ignore
    )  # fmt: skip
    with torch.no_grad():
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # pyright: ignore
        made.weight.copy_(conv.weight * factor.view(-1, 1, 1, 1))
        before: Any = 0.0 if conv.bias is None else conv.bias
        mean: Any = norm.running_mean
        made.bias.copy_((before - mean) * factor + norm.bias)  # pyright: ignore
    return made


def inverted_residual(
    number: int, parts: list[tuple[str, nn.Conv2d, nn.BatchNorm2d]], added: bool, *, same: bool = False
) -> Iterator[tuple[str, nn.Module]]:
    """The layers of one inverted residual block (Sandler 2018, fig. 4); its last one is linear."""
    for index, (name, conv, norm) in enumerate(parts):
        last = name == "block"
        layer = Layer(
            folded(conv, norm), "" if last else "relu6", opens=added and index == 0, adds=added and last, same=same
        )
        yield f"{name}{number}", layer
