"""What every source of images is turned into before it is packed: parts that give their images block by block.

A source is listed first (cheap: names, sizes, times) and read only when the cache has no pack of that identity.
Within a part the images stand in a fixed shuffled order, so that any prefix is a fair sample, however the source
was sorted.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ganvas.data.image import fit, to_channels, without_hidden_colours
from ganvas.data.labels import choose_labels
from ganvas.data.pairs import PAIR_LAYOUTS, halved
from ganvas.data.scan import Files
from ganvas.data.settings import DataSettings, parse_size
from ganvas.data.spec import UNIT_OF_KIND, Facts
from ganvas.errors import DataError, UsageError

BLOCK, BLOCK_BYTES = 64, 2**24  # images and bytes that pass through at a time

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """A Progress that tells nobody."""


class Block(NamedTuple):
    """Some images of a part, as they pass by: (n, H, W, C) uint8, n may be 0; with their labels (n,) where there are any.

    `names` (n,) say where each image is from: its file, or the number of its row. `problems` (name, reason) are the files that
    could not be read since the last block. `counted` are counts for the data card: {"converted": {"8000 a second": 20}} adds 20
    there.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    problems: Sequence[tuple[str, str]] = ()
    counted: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    names: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """One split. `blocks` gives images of `shape` (H, W, C) in the final order; `partner_blocks` likewise, or None."""

    shape: tuple[int, int, int]
    blocks: Callable[[], Iterator[Block]]
    partner_blocks: Callable[[], Iterator[Block]] | None = None


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A source about to be packed. `problems` (name, reason) are those known before the blocks are drawn; `strict`: any problem
    ends the packing. `facts` are JSON values for the data card. `matched`: an image and its partner stand at the same place; else
    partners are a set of their own."""

    where: str
    parts: dict[str, Part]
    classes: tuple[str, ...] = ()
    strict: bool = True
    problems: Sequence[tuple[str, str]] = ()
    facts: Facts = dataclasses.field(default_factory=dict)
    matched: bool = True

    @property
    def kind(self) -> str:
        """See DataSpec.kind; the facts name it where they are not of images."""
        return self.facts.get("kind", "images")

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNIT_OF_KIND[self.kind]


@dataclasses.dataclass
class Listing:
    """A source by name. `identity` changes whenever its content may have changed; None: it is small, and never
    cached. `load` may be called again with other settings, and then reads nothing twice. `files` are its image files, None for
    other sources. `kind` is that of DataSpec."""

    name: str
    source: str
    identity: str | None
    load: Callable[[DataSettings, Progress], Loaded]
    files: Files | None = None
    kind: str = "images"


@dataclasses.dataclass
class Arrays:
    """One split as arrays in memory or mapped: `images` uint8 (N, H, W, C), `labels` integers (N,), `partners`
    like images."""

    images: np.ndarray
    labels: np.ndarray | None = None
    partners: np.ndarray | None = None


def from_arrays(
    where: str,
    splits: dict[str, Arrays],
    settings: DataSettings,
    progress: Progress,
    *,
    classes: Sequence[str] | None = None,
    shuffled: bool = False,
) -> Loaded:
    """Arrays as a source: size and channels brought to the settings, a test split held out where there is only
    "train".

    `shuffled`: the arrays stand in a fair order already and keep it.
    """
    if settings.fit == "tile":
        raise UsageError(
            f"data.fit=tile cuts photos in a folder or zip into patches; {where} is none: use crop, pad or stretch"
        )
    splits = dict(splits)
    if settings.pairs in PAIR_LAYOUTS:
        for name, part in splits.items():
            splits[name] = _halved(part, settings.pairs, where)

    # Labels as numbers that mean the same in both splits.
    labels = choose_labels(
        {name: part.labels for name, part in splits.items()},
        {name: len(part.images) for name, part in splits.items()},
        classes,
    )
    used: dict[str, Arrays] = {}
    for name in labels.rows:
        used[name] = dataclasses.replace(splits[name], labels=labels.numbers[name])
    splits = used

    # Rows of each split in their order.
    rows: dict[str, np.ndarray] = {}
    for name, chosen in labels.rows.items():
        rows[name] = chosen if shuffled else chosen[np.argsort(mix(chosen), kind="stable")]
    if "test" not in splits:
        whole, chosen = splits["train"], labels.rows["train"]
        chosen_labels = None if whole.labels is None else whole.labels[chosen]
        train, test = hold_out(mix(chosen), chosen_labels, settings.holdout)
        rows = {"train": chosen[train], "test": chosen[test]}
        splits = {"train": whole, "test": whole}

    counter = Counter(progress, sum(len(row) for row in rows.values()))
    parts: dict[str, Part] = {}
    for name, split_rows in rows.items():
        if len(split_rows):
            parts[name] = _array_part(splits[name], split_rows, settings, counter)
    sizes = np.array([splits["train"].images.shape[1:3]])
    notes = list(labels.notes)
    if parts:
        every = np.repeat(sizes, sum(len(row) for row in rows.values()), axis=0)
        notes += resize_notes(every, next(iter(parts.values())).shape, settings)
    facts = {"original_sizes": size_facts(sizes), "size_rule": size_rule(sizes, settings), "notes": notes}
    return Loaded(where, parts, labels.classes, facts=facts)


SIZE_BINS = 10  # of the histogram of short sides, at most


def size_facts(sizes: np.ndarray) -> dict[str, list[int] | list[list[int]]]:
    """The least, median and greatest of `sizes` (N, 2), height and width each for itself; and the short sides counted, as rows of
    least, greatest and how many."""
    short = np.min(sizes, axis=1).astype(int)
    width = max(1, -(-(int(short.max()) - int(short.min()) + 1) // SIZE_BINS))  # pixels of a bin
    counted: list[list[int]] = []
    for least in range(int(short.min()), int(short.max()) + 1, width):
        most = min(least + width - 1, int(short.max()))
        counted.append([least, most, int(((short >= least) & (short <= most)).sum())])
    return {
        "min": np.min(sizes, axis=0).astype(int).tolist(),
        "median": np.median(sizes, axis=0).astype(int).tolist(),
        "max": np.max(sizes, axis=0).astype(int).tolist(),
        "short_sides": counted,
    }


def size_rule(sizes: np.ndarray, settings: DataSettings) -> str:
    """In words, why the images got the size they have."""
    size = parse_size(settings.size)
    if size is None and bool((sizes == sizes[0]).all()):
        stored = int(sizes[0][0]), int(sizes[0][1])
        if reduced(stored, settings.max_size) == stored:
            return "as stored"
        return f"all are {stored[0]}x{stored[1]}: reduced to {settings.max_size} at most; {settings.fit}"
    if size is not None and bool((sizes == size).all()):
        return "as stored"
    rule = "set"
    if not size:
        rule = (
            f"sizes differ: a square with the median of the short sides, at most {settings.max_size}, a multiple of 8"
        )
    return f"{rule}; {settings.fit}"


def resize_notes(
    sizes: np.ndarray, shape: tuple[int, int, int], settings: DataSettings, unit: str = "images"
) -> list[str]:
    """How many images of `sizes` (N, 2) are not of the size of the set, and what is lost of them; nothing where all are."""
    if settings.fit == "tile":
        used = (sizes // shape[:2]).prod(axis=1) * shape[0] * shape[1] / sizes.prod(axis=1)
        lost = 1 - float(used.mean())
        return [f"data.fit=tile: {lost:.0%} of the pixels lie beside the patches"] if lost >= 0.01 else []
    other = (sizes != shape[:2]).any(axis=1)
    if not other.any():
        return []
    text = f"{int(other.sum())} of {len(sizes)} {unit} have another size than {shape[0]}x{shape[1]} and are resized"
    aspect = sizes[:, 0] / sizes[:, 1] * shape[1] / shape[0]  # of height to width, relative to that of the set
    kept = np.minimum(aspect, 1 / aspect)
    if settings.fit == "crop" and kept.min() < 0.99:
        text += f" and cropped: {1 - float(np.median(kept)):.0%} of each is cut off (median), {1 - float(kept.min()):.0%} at most"
    elif settings.fit == "stretch" and kept.min() < 0.99:
        text += f" and stretched, by {1 / float(kept.min()):.1f} at most"
    elif settings.fit == "pad" and kept.min() < 0.99:
        text += " and padded"
    return [f"{text} (data.size, data.fit)"]


def block_rows(shape: tuple[int, int, int]) -> int:
    """How many images of (H, W, C) pass through at a time."""
    return int(np.clip(BLOCK_BYTES // max(1, math.prod(shape)), 1, BLOCK))


def broken_message(where: str, problems: list[tuple[str, str]], good: int, unit: str = "images") -> str:
    """All unreadable files in one message; a long list is cut."""
    lines = [f"  {name}: {reason}" for name, reason in problems[:20]]
    if len(problems) > 20:
        lines.append(f"  ... and {len(problems) - 20} more")
    head = f"{len(problems)} of {len(problems) + good} {unit} in {where} cannot be read:"
    advice = "Too few others are left to train on."
    if good >= 2:
        advice = "Repair or remove them; data.skip_broken=true leaves them out."
    return "\n".join([head, *lines, advice])


def shuffle(count: int) -> np.ndarray:
    """A fixed order of `count` rows: those of the first n rows do not depend on a random generator's version."""
    return np.argsort(mix(np.arange(count)), kind="stable")


def mix(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele 2014): 64 well-mixed bits of each number."""
    with np.errstate(over="ignore"):
        x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def name_keys(names: Sequence[str]) -> np.ndarray:
    """64 bits of each name, which put a file at its place whatever files stand beside it."""
    keys: list[int] = []
    for name in names:
        digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
        keys.append(int.from_bytes(digest, "big"))
    return np.array(keys, dtype=np.uint64)


def hold_out(keys: np.ndarray, labels: np.ndarray | None, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the training and of the test split, each in the order of `keys`; `share` of each class goes to the
    test split.

    Every (1 / share)-th row is taken from the list of all rows sorted by class: small classes are held out in
    turn. A class of which nothing would be left to train on keeps one row.
    """
    count = len(keys)
    classes = np.zeros(count, dtype=np.int64) if labels is None else labels
    sorted_rows = np.lexsort((keys, classes))
    steps = np.floor(np.round(np.arange(count + 1) * share, 9))
    chosen = np.zeros(count, dtype=bool)
    chosen[sorted_rows[np.diff(steps) > 0]] = True
    lost = np.setdiff1d(classes, classes[~chosen])
    chosen[sorted_rows[np.searchsorted(classes[sorted_rows], lost)]] = False
    order = np.argsort(keys, kind="stable")
    return order[~chosen[order]], order[chosen[order]]


def target_shape(sizes: np.ndarray, channels: int, settings: DataSettings) -> tuple[int, int, int]:
    """(H, W, C) that the settings make of images of `sizes` (N, 2) in pixels."""
    size = parse_size(settings.size)
    if size is not None:
        return size[0], size[1], channels
    if bool((sizes == sizes[0]).all()):
        height, width = reduced((int(sizes[0][0]), int(sizes[0][1])), settings.max_size)
        return height, width, channels
    side = _square(sizes, settings.max_size)
    return side, side, channels


def reduced(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(H, W) as it is where no side is longer than `longest`; else in nearly the same proportion, in multiples of 8."""
    if max(size) <= longest:
        return size
    scale = longest / max(size)
    height, width = (max(8, 8 * round(side * scale / 8)) for side in size)
    return min(height, size[0]), min(width, size[1])


def background(settings: DataSettings) -> int:
    return 0 if settings.alpha == "black" else 255


class Counter:
    """Tells `progress` how many of `total` images are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def add(self, count: int) -> None:
        self.done = min(self.total, self.done + count)  # partners are a second round
        self.progress(self.done, self.total)


def _square(sizes: np.ndarray, longest: int) -> int:
    side = min(int(np.median(sizes.min(axis=1))), longest)
    return side - side % 8 if side >= 8 else side


def _halved(part: Arrays, how: str, where: str) -> Arrays:
    images, partners = halved(part.images, how, where)
    return dataclasses.replace(part, images=images, partners=partners)


def _array_part(part: Arrays, rows: np.ndarray, settings: DataSettings, counter: Counter) -> Part:
    height, width, stored = part.images.shape[1:]
    channels = stored if settings.channels == "auto" else int(settings.channels)
    if channels != stored and stored not in (1, 3, 4):
        raise DataError(f"data.channels={channels} cannot be made of arrays with {stored} channels; leave it at auto")
    shape = target_shape(np.array([[height, width]]), channels, settings)

    def blocks(images: np.ndarray, labels: np.ndarray | None, count: bool) -> Iterator[Block]:
        step = block_rows((height, width, stored))
        for start in range(0, len(rows), step):
            chosen = rows[start : start + step]
            block = to_channels(images[chosen], channels, background(settings))
            if channels == 4 and settings.alpha == "keep":
                block = without_hidden_colours(block)
            if shape[:2] != (height, width):
                block = np.stack([fit(one, shape[:2], settings.fit, background(settings)) for one in block])
            yield Block(block, None if labels is None else labels[chosen], names=[f"number {row}" for row in chosen])
            if count:
                counter.add(len(block))

    partner_blocks = None
    if part.partners is not None:
        partner_blocks = functools.partial(blocks, part.partners, None, False)
    return Part(shape, functools.partial(blocks, part.images, part.labels, True), partner_blocks)
