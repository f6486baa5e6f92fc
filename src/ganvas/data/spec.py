"""What a method may know about the data. Apart from Batch, so that a data sheet needs no torch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Shape and facts of a data set; never the pictures themselves.

    `spread` is the mean squared distance of a training picture from the mean picture, pixels in [-1, 1], summed over all
    C*H*W values: the data's own scale for gradient penalties. `class_counts` are the training pictures of each of `classes`.
    `kind` is "pictures" here; a method says in `takes` which kinds it learns from.
    """

    name: str
    channels: int
    height: int
    width: int
    count: int
    classes: tuple[str, ...] = ()
    paired: bool = False
    spread: float = 0.0
    class_counts: tuple[int, ...] = ()
    kind: str = "pictures"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.channels, self.height, self.width
