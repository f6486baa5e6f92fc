"""Small parts that several networks share: normalisation by name, activations, initial weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Draw = Callable[..., Tensor]
"""draw(*shape): uniform numbers (N, *shape) in [0, 1)."""

LEAKY_SLOPE = 0.2  # of leaky ReLU below zero, in all discriminators (Radford 2015, sec. 3)

# In one thread, oneDNN of torch 2.13 divides by zero, which ends the process, where the input of a bf16 linear layer takes
# exactly one and a half times a core's L2 cache: of 1, 1.25 or 2 MiB.
FAULTY_INPUT_BYTES = (1_572_864, 1_966_080, 3_145_728)


class WideLinear(nn.Linear):
    """nn.Linear for rows of many features, such as the pixels of an image: on a CPU in bf16, an input of a size at which oneDNN
    fails goes through in two halves."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, features) to (N, outputs)."""
        in_bf16 = input.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if in_bf16 and 2 * input.numel() in FAULTY_INPUT_BYTES and len(input) > 1:
            return torch.cat([super(WideLinear, self).forward(half) for half in input.chunk(2)])
        return super().forward(input)


def norm2d(kind: str, channels: int) -> nn.Module:
    """Normalisation of (N, C, H, W): "batch", "layer" (over C, H, W of one image), "instance" or "none"."""
    layers: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: nn.BatchNorm2d(channels),
        "layer": lambda: nn.GroupNorm(1, channels),
        "instance": lambda: nn.InstanceNorm2d(channels, affine=True),
        "none": nn.Identity,
    }
    return layers[kind]()


def dcgan_weights(module: nn.Module) -> None:
    """N(0, 0.02) for weights, N(1, 0.02) for the scale of batch norm, zero biases (Radford 2015, sec. 4). For Module.apply."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def init_fan_in_(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Conv2d | nn.Linear:
    """Draws weights from N(0, gain^2 / fan_in), zero bias: the output's variance is gain^2 times the input's. Returns `layer`."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, 1.0)
    with torch.no_grad():
        layer.weight.mul_(gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class BiasedActivation(nn.Module):
    """Leaky ReLU of x plus a bias a channel, x (N, C, H, W). `gain` undoes the loss of variance (He 2015, eq. 15)."""

    slope = LEAKY_SLOPE
    gain = math.sqrt(2 / (1 + slope**2))

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.bias.to(x.dtype).view(1, -1, 1, 1), self.slope)


class _ClampedToImage(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        return torch.where(((x <= 1) | (gradient > 0)) & ((x >= -1) | (gradient < 0)), gradient, 0)


def clamped_to_image(x: Tensor) -> Tensor:
    """x clamped to [-1, 1]. Values outside get the gradient that leads back inside and no other: they neither stay there nor
    drift."""
    return _ClampedToImage.apply(x)  # pyright: ignore[reportReturnType]


class _SharedSlope(torch.autograd.Function):
    """PReLU with one slope. PyTorch's gradient on a CPU takes four times as long: it is not vectorised (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.slope = float(slope)
        ctx.save_for_backward(x)
        return F.leaky_relu(x, ctx.slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,), (gradient,) = ctx.saved_tensors, gradients
        to_x = torch.ops.aten.leaky_relu_backward(gradient, x, ctx.slope, False)
        if not ctx.needs_input_grad[1]:
            return to_x, None
        below = x.clamp_max(0)
        if x.is_contiguous(memory_format=torch.channels_last):  # in the order of the memory
            gradient, below = gradient.movedim(1, -1), below.movedim(1, -1)
        return to_x, torch.dot(gradient.reshape(-1).float(), below.reshape(-1).float()).view(1)


class PReLU(nn.PReLU):
    """Leaky ReLU with a learned slope (He 2015, arXiv:1502.01852, eq. 1), the same for all channels."""

    def __init__(self) -> None:
        super().__init__(num_parameters=1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        if input.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(input)
        return _SharedSlope.apply(input, self.weight)  # pyright: ignore[reportReturnType]


def dropout(x: Tensor, share: float, draw: Draw | None) -> Tensor:
    """Dropout of x (N, ...) at the rate `share`; nothing is dropped where `draw` is None."""
    if draw is None or share == 0:
        return x
    return x * (draw(*x.shape[1:]) >= share) / (1 - share)
