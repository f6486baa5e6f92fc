"""Which methods can be exported, and each of them with weights that an export can be compared on."""

from __future__ import annotations

import torch

from ganvas.abilities import Samples
from ganvas.method import Method
from ganvas.registry import find, method_names
from parts import data_for, small


def perturbed(name: str) -> Method:
    """The method in its preset `tiny`, with weights away from the zeros with which some networks begin."""
    method = small(name)
    torch.manual_seed(0)
    method.setup(data_for(name).spec)
    with torch.no_grad():
        for weight in method.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.02)
    return method.eval().requires_grad_(False)


def can_be_exported(name: str) -> bool:
    """Whether it is of images, and generates them in a fixed number of passes."""
    cls = find(name)
    return "images" in cls.takes and not (issubclass(cls, Samples) and cls.value_by_value)


EXPORTED = [name for name in method_names() if can_be_exported(name)]
REFUSED = [name for name in method_names() if not can_be_exported(name)]
