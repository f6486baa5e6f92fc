"""Reading image files: headers first, pixels block by block while a pack is written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np

from ganvas.data import image
from ganvas.data.image import Broken
from ganvas.data.pairs import PAIR_LAYOUTS, halved
from ganvas.data.scan import Files, Headers, Opener, Problems
from ganvas.data.settings import DataSettings
from ganvas.data.source import Block, Counter, Part, background, block_rows, shuffle
from ganvas.errors import DataError

DECODING_THREADS = 2
MAX_GROUP_BYTES = 2**28  # of whole photos in memory while their patches are shuffled


def read_headers(names: Sequence[str], opener: Opener) -> Headers:
    """The headers of image files; no pixel is read."""
    good: list[str] = []
    shapes: list[tuple[int, int, int]] = []
    problems: Problems = []
    moving: list[str] = []
    reduced: list[str] = []
    for name in names:
        try:
            with opener(name) as file:
                opened = image.open_image(file, reduce=True)
                shapes.append(opened.shape)
                if opened.divisor > 1:
                    reduced.append(name)
                if opened.more_frames:
                    moving.append(name)
            good.append(name)
        except Broken as error:
            problems.append((name, str(error)))
    return Headers(good, np.array(shapes).reshape(-1, 3), problems, moving, reduced)


@dataclasses.dataclass
class Reader:
    """Reads an image by name, or a pair: two halves of one file, or a file here and the one of `partners` in `others`."""

    files: Files
    settings: DataSettings
    others: Files | None = None
    partners: dict[str, str] = dataclasses.field(default_factory=dict)
    deep: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    """Greatest value and name of each image of more than 8 bits that is not black; see `refuse_dark`."""

    @property
    def in_pairs(self) -> bool:
        return self.others is not None or self.settings.pairs in PAIR_LAYOUTS

    def read(self, name: str, shape: tuple[int, int, int]) -> list[np.ndarray]:
        """The image, or input and target, each (n, H, W, C), `shape` without n: one, or all patches. Raises Broken."""
        settings, paper = self.settings, background(self.settings)
        with self.files.open(name) as file:
            images = [self._decoded(file, name)]
        if self.others is not None:
            try:
                with self.others.open(self.partners[name]) as file:
                    images.append(self._decoded(file, f"{self.others.root}/{self.partners[name]}"))
            except Broken as error:
                raise Broken(f"its partner {self.partners[name]}: {error}") from error
        elif settings.pairs in PAIR_LAYOUTS:
            images = list(halved(images[0], settings.pairs, name))
        images = [image.to_channels(np.ascontiguousarray(one), shape[2], paper) for one in images]
        if shape[2] == 4:
            images = [image.without_hidden_colours(one) for one in images]
        if settings.fit == "tile":
            return [image.patches(one, shape[:2]) for one in images]
        return [image.fit(one, shape[:2], settings.fit, paper)[None] for one in images]

    def _decoded(self, file: BinaryIO, name: str) -> np.ndarray:
        opened = image.open_image(file, reduce=True)
        array = image.decode_opened(opened)
        if opened.greatest:
            self.deep.append((opened.greatest, name))
        return array

    def refuse_dark(self) -> None:
        """DataError where all images of 16 bits that were read are so dark that they must hold fewer bits."""
        if not self.deep:
            return
        greatest, name = max(self.deep)
        dark = image.too_dark(greatest)
        if dark:
            count = len({name for _, name in self.deep})
            raise DataError(f"{self.files.root}: {count} images of 16 bits, such as {name}: {dark}")


def decoded_part(
    headers: Headers,
    rows: np.ndarray,
    labels: np.ndarray | None,
    shape: tuple[int, int, int],
    reader: Reader,
    counter: Counter,
) -> Part:
    """The images `rows` of one split, decoded when its blocks are drawn."""
    tiles = reader.settings.fit == "tile"
    step = block_rows(shape)
    groups = np.split(rows, range(step, len(rows), step))
    if tiles:
        groups = _groups(rows, headers.shapes)

    def decode(row: int, which: int) -> np.ndarray | str:
        """What one file gives, (n, H, W, C), or why it cannot be read."""
        try:
            return reader.read(headers.names[row], shape)[which]
        except Broken as error:
            return str(error)

    def blocks(which: int) -> Iterator[Block]:
        """Both images of a pair are decoded in either round: one that cannot be read takes its partner with it."""
        with ThreadPoolExecutor(DECODING_THREADS) as pool:
            for group in groups:
                results = pool.map(decode, group.tolist(), [which] * len(group))
                problems: Problems = []
                images: list[np.ndarray] = []
                owners: list[int] = []
                for row, result in zip(group.tolist(), results, strict=True):
                    if isinstance(result, str):
                        problems.append((headers.names[row], result))
                    else:
                        images.append(result)
                        owners += [row] * len(result)
                counter.add(len(group))
                whole = np.zeros((0, *shape), np.uint8)
                if images:
                    whole = np.concatenate(images)
                order = np.array(owners, dtype=np.int64)
                if tiles:  # neighbours in a photo are much alike, and any part of the set should be a fair sample
                    shuffled = shuffle(len(whole))
                    whole, order = whole[shuffled], order[shuffled]
                block_labels = None if labels is None else labels[order]
                yield Block(whole[:0], None if block_labels is None else block_labels[:0], problems)
                for start in range(0, len(whole), step):
                    end = start + step
                    some_labels = None if block_labels is None else block_labels[start:end]
                    names = [headers.names[row] for row in order[start:end]]
                    yield Block(whole[start:end], some_labels, names=names)
        reader.refuse_dark()

    partner_blocks = None
    if reader.in_pairs:
        partner_blocks = functools.partial(blocks, 1)
    return Part(shape, functools.partial(blocks, 0), partner_blocks)


def _groups(rows: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """`rows` in groups that are decoded together, MAX_GROUP_BYTES each, one image at least."""
    sizes = shapes[rows].prod(axis=1)
    return np.split(rows, np.flatnonzero(np.diff(np.cumsum(sizes) // MAX_GROUP_BYTES)) + 1)
