"""How pictures become a training set: the settings of `open_data`."""

from __future__ import annotations

import dataclasses
import re

from ganvas.errors import UsageError
from ganvas.settings import setting

LARGEST_SIDE = 8192


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """They apply to folders, zip files, arrays and named sets alike, where their help does not say otherwise."""

    size: int | str = setting(
        "auto",
        "height and width: 64, or HxW such as 48x64. auto: the size the pictures have; where they differ, a "
        "square with the median of their short sides, at most 256 and a multiple of 8",
        unit="pixels",
    )
    fit: str = setting(
        "crop",
        "how a picture meets a size of another shape: cut the long side, pad with the background, stretch, or (folders and "
        "zips) tile: cut out as many patches of that size as lie in it side by side, for large photos",
        choices=("crop", "pad", "stretch", "tile"),
    )
    channels: int | str = setting(
        "auto",
        "1 grey, 3 colour, 4 colour with alpha. auto: 1 where every picture is grey, else 3; arrays keep what "
        "they have",
        choices=("auto", 1, 3, 4),
    )
    alpha: str = setting(
        "white",
        "what shows through transparent pixels; keep: alpha is a fourth channel. Also the colour that fit=pad "
        "adds (keep: transparent)",
        choices=("white", "black", "keep"),
    )
    holdout: float = setting(
        0.1,
        "share of the pictures held out as test split, where the source has none of its own; 0: no test split",
        minimum=0.0,
        maximum=0.9,
    )
    skip_broken: bool = setting(False, "leave unreadable pictures out instead of stopping with a list of them")
    mirror: bool = setting(False, "flip pictures left to right at random while training (never with digits or text)")


def parse_size(size: int | str) -> tuple[int, int] | None:
    """(H, W), or None for auto. UsageError for anything else."""
    if isinstance(size, int):
        pair = (size, size)
    elif size.strip().lower() == "auto":
        return None
    else:
        found = re.fullmatch(r"(\d{1,6})\s*[xX]\s*(\d{1,6})", size.strip())
        pair = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in pair):
        raise UsageError(
            f"data.size must be auto, a number of pixels such as 64, or HxW such as 48x64, "
            f"each from 1 to {LARGEST_SIDE} (got {size!r})"
        )
    return pair
