"""How files become a training set: the settings of `open_data`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

from ganvas.data.spec import ALPHA
from ganvas.errors import UsageError
from ganvas.settings import as_dict, setting

MAX_SIDE = 8192


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """They apply to folders, zip files, arrays and named sets alike, where their help does not say otherwise."""

    size: int | str = setting(
        "auto",
        "height and width: 64, or HxW such as 48x64. auto: the size the images have, where no side is longer than max_size, "
        "else reduced to that; where sizes differ, a square with the median of their short sides, likewise, and a multiple of 8",
        unit="pixels",
    )
    max_size: int = setting(
        256,
        "size=auto makes no side longer than this. A training on a CPU chooses less, by its method and budget, where it is not "
        "set",
        minimum=8,
        maximum=8192,
        unit="pixels",
    )
    fit: str = setting(
        "crop",
        "how an image meets a size of another shape: cut the long side, pad with the background, stretch, or (folders and "
        "zips) tile: cut out as many patches of that size as lie in it side by side, for large photos",
        choices=("crop", "pad", "stretch", "tile"),
    )
    channels: int | str = setting(
        "auto",
        "1 grey, 3 colour, 4 colour with alpha. auto: 1 where every image is grey, else 3; arrays keep what they have",
        choices=("auto", 1, 3, 4),
    )
    alpha: str = setting(
        "white",
        "what shows through transparent pixels; keep: alpha is a fourth channel. Also the colour that fit=pad "
        "adds (keep: transparent)",
        choices=ALPHA,
    )
    holdout: float = setting(
        0.1,
        "share of the images held out as test split, where the source has none of its own; 0: no test split",
        minimum=0.0,
        maximum=0.9,
    )
    skip_broken: bool = setting(False, "leave unreadable images out instead of stopping with a list of them")
    frames: int = setting(
        0,
        "video: frames of a clip, such as 16; a folder of images whose names count is a video too. 0: videos are images, a "
        "frame each. A method that learns from video takes 16",
        minimum=0,
        maximum=1024,
    )
    every: int | None = setting(
        None,
        "video: every n-th frame is taken. auto: of files whose frames become images about two a second, else each. Frames "
        "nearly equal to the last one that was taken become no image. Given, it takes the frames of animations in a folder too",
        minimum=1,
        maximum=100_000,
    )
    rate: int | None = setting(
        None,
        "audio: samples a second; clips of other rates are converted. auto: the commonest among the files",
        minimum=1000,
        maximum=192_000,
        unit="Hz",
    )
    seconds: float | None = setting(
        None,
        "audio: length of every clip; shorter ones get silence at their end, longer ones are cut. auto: so that 19 of 20 "
        "are whole, at most 4",
        minimum=0.001,
        maximum=600,
        unit="s",
    )
    voxels: int | None = setting(
        None,
        "volumes: voxels a side. Meshes are voxelised in such a grid (auto: 32); grids are reduced to it (auto: as they are)",
        minimum=4,
        maximum=256,
    )
    mirror: bool = setting(False, "flip images left to right at random while training (never with digits or text)")
    tokens: str = setting(
        "characters",
        "text: what is predicted one by one, characters or pairs merged by how often they occur",
        choices=("characters", "bytepairs"),
    )
    vocabulary: int = setting(
        512,
        "tokens=bytepairs, and parallel text: number of tokens, characters included. A method of parallel text takes 2000",
        minimum=2,
        maximum=32768,
    )
    longest: int = setting(
        100,
        "parallel text: pairs with more tokens on a side are omitted",
        minimum=1,
        maximum=4096,
        unit="tokens",
    )
    direction: str = setting(
        "ab",
        "parallel text: what is translated into what. ab: the first side into the second; ba: the second into the first",
        choices=("ab", "ba"),
    )
    partner: str | None = setting(
        None,
        "what images are to be turned into: a second folder or zip with the same file names; with "
        "unpaired=true any data at all. Of a text its translation, a file of as many lines",
    )
    pairs: str = setting(
        "auto",
        "where pairs come from. auto: data.partner, or what the source has itself; left_right, right_left: each "
        "image holds both, the input in the half named first; edges: the input is a drawing of the image's "
        "edges; columns: sentences and translations stand side by side in a .tsv, .csv or .jsonl, or in a folder of these and of "
        ".po and .mo files (a method of parallel text takes them so)",
        choices=("auto", "left_right", "right_left", "edges", "columns"),
    )
    unpaired: bool = setting(
        False,
        "draw partners in an order of their own, so that training sees no pairs; where there are some, they serve "
        "for measuring only",
    )


def chosen(settings: DataSettings) -> dict[str, object]:
    """The settings that are not at their defaults: a setting that a later version adds changes nothing known. Not where
    partners lie, since their images are compared."""
    defaults = as_dict(DataSettings())
    changed: dict[str, object] = {}
    for name, value in as_dict(settings).items():
        if value != defaults[name] and name != "partner":
            changed[name] = value
    return changed


def make_fingerprint(digest: str, settings: DataSettings) -> str:
    """Hexadecimal; equal where a training would see the same bytes in the same way."""
    return hashlib.sha256(json.dumps([digest, chosen(settings)], sort_keys=True).encode()).hexdigest()


def parse_size(size: int | str) -> tuple[int, int] | None:
    """(H, W), or None for auto. UsageError for anything else."""
    if isinstance(size, int):
        pair = (size, size)
    elif size.strip().lower() == "auto":
        return None
    else:
        match = re.fullmatch(r"(\d{1,6})\s*[xX]\s*(\d{1,6})", size.strip())
        pair = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in pair):
        raise UsageError(
            f"data.size must be auto, a number of pixels such as 64, or HxW such as 48x64, "
            f"each from 1 to {MAX_SIDE} (got {size!r})"
        )
    return pair
