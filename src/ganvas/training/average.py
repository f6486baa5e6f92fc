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
        self._pairs = [(mine, theirs) for name in method.averaged for mine, theirs in self._tensors(name, method)]
        self.method = with_networks(method, self.networks)

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """average = decay * average + (1 - decay) * network, all tensors in one call. Counters are copied."""
        mine = [pair[0] for pair in self._pairs if pair[0].is_floating_point()]
        theirs = [pair[1] for pair in self._pairs if pair[0].is_floating_point()]
        if mine:  # a method may average nothing
            torch._foreach_lerp_(mine, theirs, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for counter, source in self._pairs:
            if not counter.is_floating_point():
                counter.copy_(source)

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
