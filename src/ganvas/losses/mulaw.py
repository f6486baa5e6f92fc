"""mu-law: sound on a scale on which quiet differences count as much as loud ones (van den Oord 2016, arXiv:1609.03499, sec. 2.2).

256 levels of it sound like 16 bits of speech, so a softmax over them is affordable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MU = 255.0


def compress(x: Tensor) -> Tensor:
    """sign(x) ln(1 + mu |x|) / ln(1 + mu): [-1, 1] onto [-1, 1], float32."""
    x = x.float()
    return x.sign() * torch.log1p(MU * x.abs()) / math.log1p(MU)


def expand(y: Tensor) -> Tensor:
    """The inverse of `compress`."""
    y = y.float()
    return y.sign() * torch.expm1(y.abs() * math.log1p(MU)) / MU


def heard(values: Tensor, levels: int) -> Tensor:
    """What evenly spread levels of `compress`ed sound, `values` in [-1, 1], sound like, in [-1, 1].

    An even number of levels has none at 0, which rounds to the upper one of the two in the middle: that one is silence.
    """
    step = 2 / (levels - 1)
    return torch.where((values > 0) & (values < 0.75 * step), torch.zeros_like(values), expand(values))
