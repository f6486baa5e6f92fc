"""What the machine can do at best with a method's own layers: convolutions and matrix products alone, nothing between them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

COUNTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
Layer = tuple[nn.Module, tuple[int, ...]]


def synchronize(device: torch.device) -> None:
    """Waits for a GPU, so that a clock read next is right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Counter(TorchDispatchMode):
    """Adds up PyTorch's own formulas. FlopCounterMode does too, but its hooks on modules cannot live with a gradient penalty."""

    total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def flops(work: Callable[[], object]) -> float:
    """Floating point operations of the convolutions and matrix products in `work`, backward passes included."""
    with Counter() as counter:
        work()
    return counter.total


@torch.no_grad()
def layers(networks: Iterable[tuple[nn.Module, Tensor]]) -> list[Layer]:
    """Each convolution and linear layer with the shape it gets when its network sees the given input."""
    found: list[Layer] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, _: found.append((module, tuple(inputs[0].shape))))
        for network, _ in networks
        for module in network.modules()
        if isinstance(module, COUNTED)
    ]
    for network, images in networks:
        network(images)
    for hook in hooks:
        hook.remove()
    return found


def ceiling(found: list[Layer], dtype: torch.dtype, device: torch.device, seconds: float) -> float:
    """FLOP/s over forward and backward of all layers, each at its best of several tries, within about `seconds` in all."""
    total_flops = total_seconds = 0.0
    for module, shape in found:
        work = _work(module, shape, dtype, device)
        total_flops += flops(work)
        total_seconds += _best(work, device, seconds / len(found))
    return total_flops / total_seconds


def _work(module: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Callable[[], None]:
    layer = copy.deepcopy(module).to(device, dtype).requires_grad_()
    x = torch.randn(shape, device=device, dtype=dtype)
    if x.ndim == 4:
        layer = layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    with torch.no_grad():
        gradient = torch.randn_like(layer(x))

    def work() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(gradient)

    return work


def _best(work: Callable[[], None], device: torch.device, seconds: float) -> float:
    best, spent, tries = float("inf"), 0.0, 0
    while tries < 3 or spent < seconds:
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        took = time.perf_counter() - start
        best, spent, tries = min(best, took), spent + took, tries + 1
    return best
