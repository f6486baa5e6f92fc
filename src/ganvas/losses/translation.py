"""How far a translated image is from the one that was wanted. Images are (N, C, H, W); values (N,), one an image.

Means over an image's values, where the papers write sums: their weights are told for means.
"""

from __future__ import annotations

from torch import Tensor

from ganvas.losses.restoration import absolute_error


def cycle_consistency(a: Tensor, again_a: Tensor, b: Tensor, again_b: Tensor) -> Tensor:
    """|F(G(a)) - a| + |G(F(b)) - b|: who goes there and back should be where he was (Zhu 2017, eq. 2)."""
    return absolute_error(again_a, a) + absolute_error(again_b, b)


def identity_mapping(a: Tensor, same_a: Tensor, b: Tensor, same_b: Tensor) -> Tensor:
    """|F(a) - a| + |G(b) - b|: what is of the wanted kind already should stay (Zhu 2017, sec. 5.2)."""
    return absolute_error(same_a, a) + absolute_error(same_b, b)
