"""Where partners come from: a listing of images joined with a second one, or with drawings of its own edges."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence

from ganvas.data import folder
from ganvas.data.pairs import scribbles
from ganvas.data.settings import DataSettings
from ganvas.data.source import Block, Listing, Loaded, Part, Progress, silent
from ganvas.errors import DataError, UsageError


def joined(listing: Listing, settings: DataSettings, find: Callable[[str], Listing]) -> tuple[Listing, DataSettings]:
    """The listing with the partners that the settings ask for, and the settings with data.partner as a whole path or name.

    `find` opens what data.partner names.
    """
    if settings.partner is None and settings.pairs == "edges":
        return _edged(listing), settings
    if settings.partner is None:
        return listing, settings
    if settings.pairs != "auto":
        raise UsageError(
            f"data.partner and data.pairs={settings.pairs} both say where partners come from: omit one of them"
        )
    other = find(settings.partner)
    settings = dataclasses.replace(settings, partner=other.source)
    if settings.unpaired:
        return _apart(listing, other), settings
    if listing.files is None or other.files is None:
        raise DataError(
            f"partners by file name need two folders or zips of images, and {listing.name} with {other.name} are not:"
            " put `partners` into the .npz, or draw them apart with data.unpaired=true"
        )
    return folder.paired(listing, listing.files, other, other.files), settings


def _identity(listing: Listing, *more: Listing | str) -> str | None:
    """None only where nothing of it needs a cache."""
    known = False
    parts: list[object] = []
    for one in (listing, *more):
        if isinstance(one, Listing):
            known = known or one.identity is not None
            parts.append([one.name, one.identity])
        else:
            parts.append(one)
    return json.dumps(parts) if known else None


def _edged(listing: Listing) -> Listing:
    """Each image becomes the partner of the drawing of its edges."""

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        loaded = listing.load(settings, progress)
        parts = {name: _with_edges(part) for name, part in loaded.parts.items()}
        return dataclasses.replace(loaded, parts=parts)

    return dataclasses.replace(listing, load=load, files=None)


def _with_edges(part: Part) -> Part:
    def drawings() -> Iterator[Block]:
        for block in part.blocks():
            if len(block.images):
                block = block._replace(images=scribbles(block.images))
            yield block

    return dataclasses.replace(part, blocks=drawings, partner_blocks=part.blocks)


def _apart(listing: Listing, other: Listing) -> Listing:
    """Two sets side by side, as many images as each has."""

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        mine = listing.load(settings, progress)
        height, width, channels = next(iter(mine.parts.values())).shape
        other_settings = dataclasses.replace(settings, size=f"{height}x{width}")
        if channels in (1, 3, 4):
            other_settings = dataclasses.replace(other_settings, channels=channels)
        theirs = other.load(other_settings, silent)
        parts = {}
        for name, part in mine.parts.items():
            partners = theirs.parts.get(name)
            if partners is None and name == "train":
                raise DataError(f"{other.source} has no images to train on")
            if partners is not None and partners.shape != part.shape:
                raise DataError(
                    f"images of {listing.name} have {channels} channels, those of {other.name} have"
                    f" {partners.shape[2]}: set data.channels"
                )
            blocks = None
            if partners is not None:
                blocks = _as_partners(partners, theirs.where)
            parts[name] = dataclasses.replace(part, partner_blocks=blocks)
        problems = [*mine.problems, *_placed(theirs.problems, theirs.where)]
        return dataclasses.replace(mine, parts=parts, problems=problems, matched=False)

    return dataclasses.replace(listing, identity=_identity(listing, other, "apart"), load=load, files=None)


def _as_partners(part: Part, where: str) -> Callable[[], Iterator[Block]]:
    """The part's blocks without labels; problems say where its files lie."""

    def blocks() -> Iterator[Block]:
        for block in part.blocks():
            yield Block(block.images, problems=_placed(block.problems, where))

    return blocks


def _placed(problems: Sequence[tuple[str, str]], where: str) -> list[tuple[str, str]]:
    return [(f"{where}/{name}", reason) for name, reason in problems]
