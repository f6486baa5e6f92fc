"""A limit on what building a network may take, for settings that come from somebody else's file.

A width of a billion is a valid integer. Weights say how large a network really is, so one that grows far beyond them is stopped
while it is built, before the memory is gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ganvas.errors import RunError

FREE_VALUES = 2**25  # that building may take beside the weights: 128 MiB of float32
FREE_TENSORS = 20_000
VALUES_FACTOR = 4  # times the weights' values: initial weights are drawn, and some are copied
TENSORS_FACTOR = 20
_BY_SIZES = {torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand}
_BY_SHAPE = {torch.full}
_BY_RANGE = {torch.eye, torch.arange, torch.linspace}


class BuildLimit(TorchFunctionMode):
    """Inside of it, tensors are counted as they are made; RunError where there are too many for the given weights.

    `sizes` are the numbers of values of each tensor in the file of weights; `path` names it in the message.
    """

    def __init__(self, sizes: Iterable[int], path: object) -> None:
        super().__init__()
        known = list(sizes)
        self.path = path
        self.values = VALUES_FACTOR * sum(known) + FREE_VALUES
        self.tensors = TENSORS_FACTOR * len(known) + FREE_TENSORS

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _BY_SIZES or func in _BY_SHAPE or func in _BY_RANGE:
            self.values -= _count(func, args, kwargs or {})
            self.tensors -= 1
            if self.values < 0 or self.tensors < 0:
                raise RunError(
                    f"{self.path} is damaged: its settings describe networks far larger than its weights, so nothing was built"
                )
        return func(*args, **(kwargs or {}))


def _count(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many values a call that makes a tensor asks for."""
    if func in _BY_RANGE:
        numbers = [abs(one) for one in args if isinstance(one, int | float) and math.isfinite(one)]
        return int(max(numbers, default=0)) ** (2 if func is torch.eye else 1)
    sizes: Any = kwargs.get("size", args)
    if len(args) and isinstance(args[0], tuple | list):
        sizes = args[0]
    return math.prod(abs(side) for side in sizes if isinstance(side, int))
