"""Errors of translated images. Images are (N, C, H, W); values (N,), one per image.

Means over the values of an image, where the papers write sums; weights are given for means.
"""

from __future__ import annotations

from torch import Tensor

from ganvas.losses.restoration import absolute_error


def cycle_consistency(a: Tensor, again_a: Tensor, b: Tensor, again_b: Tensor) -> Tensor:
    """|F(G(a)) - a| + |G(F(b)) - b|: an image translated and back should be unchanged (Zhu 2017, eq. 2)."""
    return absolute_error(again_a, a) + absolute_error(again_b, b)


def identity_mapping(a: Tensor, same_a: Tensor, b: Tensor, same_b: Tensor) -> Tensor:
    """|F(a) - a| + |G(b) - b|: an image of the target domain should be unchanged (Zhu 2017, sec. 5.2)."""
    return absolute_error(same_a, a) + absolute_error(same_b, b)
