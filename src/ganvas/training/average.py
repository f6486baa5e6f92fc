"""Exponential moving average of a method's networks, for sampling."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganvas.method import Method


class Average:
    """Averaged copies of the networks that `method.averaged` names. `method` is the trained method with those in place."""

    def __init__(self, method: Method) -> None:
        self.networks = nn.ModuleDict({name: copy.deepcopy(method.get_submodule(name)) for name in method.averaged})
        self.networks.requires_grad_(False).eval()
        self._pairs: list[tuple[Tensor, Tensor]] = []
        for name in method.averaged:
            self._pairs += self._tensors(name, method)
        self.method = with_networks(method, self.networks)

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """average = decay * average + (1 - decay) * network, all tensors in one call. Counters are copied."""
        averages, sources = [], []
        for average, source in self._pairs:
            if average.is_floating_point():
                averages.append(average)
                sources.append(source)
            else:
                average.copy_(source)
        if averages:  # a method may average nothing
            torch._foreach_lerp_(averages, sources, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    def _tensors(self, name: str, method: Method) -> list[tuple[Tensor, Tensor]]:
        source = method.get_submodule(name)
        averaged = self.networks[name]
        pairs = list(zip(averaged.parameters(), source.parameters(), strict=True))
        return pairs + list(zip(averaged.buffers(), source.buffers(), strict=True))


def with_networks(method: Method, networks: nn.ModuleDict) -> Method:
    """The same method, sharing all but the given networks: they stand in for its own of the same name."""
    twin = copy.copy(method)
    twin.__dict__["_modules"] = {**method._modules, **dict(networks.items())}
    return twin
