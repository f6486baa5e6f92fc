"""What a method may know about the data. Apart from Batch, so that a data sheet needs no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

UNITS = {"images": "images", "audio": "clips", "text": "tokens"}  # what is counted, by kind (see KINDS)


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Shape and facts of a data set; never the images themselves.

    `total_variance` is the mean squared distance of a training image from the mean image, pixels in [-1, 1], summed over all
    C*H*W values: the data's own scale for gradient penalties. `class_counts` are the training images of each of `classes`.
    `paired`: a training batch has the partner of each image; `unpaired`: it has partners, drawn in an order of their own.
    `kind` is what an example is; a method says in `takes` which kinds it learns from.

    images   (C, H, W) in [-1, 1]
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
    total_variance: float = 0.0
    class_counts: tuple[int, ...] = ()
    kind: str = "images"
    rate: int = 0
    tokens: tuple[str, ...] = ()
    merges: tuple[tuple[int, int], ...] = ()
    unpaired: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """A spec from settings.json, also of earlier versions; TypeError or ValueError where that does not describe data."""
        known = dict(values)
        if known.get("kind", "images") not in UNITS:
            raise ValueError(f"kind must be one of {', '.join(UNITS)} (got {known['kind']!r})")
        for name in ("classes", "class_counts", "tokens"):
            known[name] = tuple(known.get(name, ()))
        known["merges"] = tuple((int(a), int(b)) for a, b in known.get("merges", ()))
        return cls(**known)

    @property
    def unit(self) -> str:
        """What is counted: "images", "clips" or "tokens"."""
        return UNITS[self.kind]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.channels, self.height, self.width
