"""How the latent of a seed is drawn, in words: so that who has no torch, such as an exported model, can draw the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS_OF_DRAWS", "Draw", "label_seed"]

KINDS_OF_DRAWS = ("normal", "uniform", "one_hot")


@dataclass(frozen=True)
class Draw:
    """Some numbers of a latent, one after the other from one generator per seed."""

    kind: str
    """ "normal": of variance 1; "uniform": from `low` to below `high`; "one_hot": 1 at a random place, 0 elsewhere."""
    size: int
    """How many numbers."""
    low: float = 0.0
    high: float = 1.0


def label_seed(seed: int) -> int:
    """The seed of the class of an image, far from its neighbours' (a multiplication modulo 2^63 by an odd number).

    With the random numbers of the latent itself the class would follow from z.
    """
    return (seed + 1) * 0x9E3779B97F4A7C15 % 2**63
