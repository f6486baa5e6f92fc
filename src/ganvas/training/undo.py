"""Computing without a trace: contexts that put weights, buffers, optimisers and random states back as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.device import same_random_state


@contextlib.contextmanager
def untouched(method: nn.Module, device: torch.device) -> Iterator[None]:
    """Random states, buffers, modes, gradients and which parameters collect them: afterwards as before."""
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in method.parameters()]
    modules = [(module, module.training, module._compiled_call_impl) for module in method.modules()]
    for module, _, _ in modules:
        module._compiled_call_impl = None  # the other sizes and modes used here would compile anew
    try:
        with same_random_state(device), same_buffers(method):
            yield
    finally:
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient
        for module, training, compiled_call in modules:
            module.training = training
            module._compiled_call_impl = compiled_call


@contextlib.contextmanager
def same_buffers(method: nn.Module) -> Iterator[None]:
    """Running statistics and other buffers are put back."""
    saved = [(buffer, buffer.detach().clone()) for buffer in method.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in saved:
                buffer.copy_(value)


@contextlib.contextmanager
def same_weights(optimizer: Optimizer) -> Iterator[None]:
    """The weights that an optimiser moves, and its own state, are put back, bit for bit."""
    parameters: list[Tensor] = []
    for group in optimizer.param_groups:
        parameters += group["params"]
    values = [parameter.detach().clone() for parameter in parameters]
    states = {}
    for parameter, state in optimizer.state.items():
        copied = dict(state)
        for key, value in state.items():
            if isinstance(value, Tensor):
                copied[key] = value.clone()
        states[parameter] = copied
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, values, strict=True):
                parameter.copy_(value)
        for parameter in list(optimizer.state):
            if parameter in states:
                optimizer.state[parameter] = states[parameter]
            else:
                del optimizer.state[parameter]
