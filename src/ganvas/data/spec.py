"""What a method may know about the data. Apart from Batch, so that a data sheet needs no torch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Shape and facts of a data set; never the pictures themselves.

    `spread` is the mean squared distance of a training picture from the mean picture, pixels in [-1, 1], summed over all
    C*H*W values: the data's own scale for gradient penalties. `class_counts` are the training pictures of each of `classes`.
    `paired`: a training batch has the partner of each picture; `unpaired`: it has partners, drawn in an order of their own.
    `kind` is what an example is; a method says in `takes` which kinds it learns from.

    pictures   (C, H, W) in [-1, 1]
    audio      (1, L) in [-1, 1], mono, `rate` samples a second; here channels = height = 1, width = L
    text       numbers of `tokens`, one long row; `merges` are the pairs that byte-pair tokens were made of, in order.
               Here channels = height = width = 1, `count` is of tokens
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
    rate: int = 0
    tokens: tuple[str, ...] = ()
    merges: tuple[tuple[int, int], ...] = ()
    unpaired: bool = False

    @property
    def unit(self) -> str:
        """What is counted: "pictures", "clips" or "tokens"."""
        return {"audio": "clips", "text": "tokens"}.get(self.kind, "pictures")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.channels, self.height, self.width
