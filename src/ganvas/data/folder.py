"""Images in a folder or a zip as a source: shape, splits, labels and partners are known before a pixel is read."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np

from ganvas.data import passed_over
from ganvas.data.decode import Reader, decoded_part, read_headers
from ganvas.data.image import MAX_PIXELS
from ganvas.data.labels import UNLABELLED, choose_labels
from ganvas.data.layout import Layout, arrange, ordered, shortened
from ganvas.data.pairing import by_name, in_halves
from ganvas.data.pairs import PAIR_LAYOUTS
from ganvas.data.scan import Files, Headers
from ganvas.data.settings import DataSettings, parse_size
from ganvas.data.source import (
    Counter,
    Listing,
    Loaded,
    Progress,
    broken_message,
    resize_notes,
    size_facts,
    size_rule,
    target_shape,
)
from ganvas.errors import DataError, UsageError


def list_images(files: Files, name: str, where: str) -> Listing:
    """The images that `scan_folder` or `scan_zip` found; DataError where there are none."""
    if not files.names:
        raise DataError(_nothing_message(files, where))
    load = functools.partial(load_files, files)
    return Listing(name, str(files.root), files.identity(), load, files)


def paired(listing: Listing, files: Files, other: Listing, others: Files) -> Listing:
    """The images of one listing with those of the other of the same names, endings aside, as partners."""
    identity = json.dumps([listing.identity, other.identity, "by name"])
    return Listing(
        listing.name,
        listing.source,
        identity,
        lambda settings, progress: load_files(files, settings, progress, others),
    )


def _nothing_message(files: Files, where: str) -> str:
    if files.problems:
        return broken_message(where, files.problems, 0)
    if not files.ignored:
        return f"{where} is empty; put images or .wav files into it (sub-folders are labels)"
    suffixes = " ".join(sorted(files.suffixes))
    passed = passed_over.sentence(passed_over.groups(files.ignored, files.suffixes))
    return f"no images in {where}; {passed}. Images end in {suffixes}, sound in .wav"


def load_files(files: Files, settings: DataSettings, progress: Progress, others: Files | None = None) -> Loaded:
    """Reads every header, decides shape, splits and labels, and leaves the decoding to the blocks."""
    where = str(files.root)

    # Which images can be used, and how large they are.
    if files.headers is None:
        files.headers = read_headers(files.names, files.open)
    headers = files.headers._replace(problems=[*files.problems, *files.headers.problems])
    reader = Reader(files, settings)
    if others is not None and headers.names:
        headers, partners = by_name(headers, files, others, settings)
        reader = Reader(files, settings, others, partners)
    elif settings.pairs in PAIR_LAYOUTS:
        headers = in_halves(headers)
    if settings.fit == "tile" and headers.names:
        headers = _with_patches(headers, settings)
    if not headers.names:
        raise DataError(broken_message(where, headers.problems, 0))
    sizes = headers.shapes[:, :2]
    shape = target_shape(sizes, _common_channels(headers.shapes[:, 2], settings), settings)

    # Splits and labels.
    layout = _layout(headers.names, files)
    rows = ordered(headers.names, layout, settings)
    counter = Counter(progress, sum(len(split_rows) for split_rows in rows.values()))
    parts = {}
    for split, split_rows in rows.items():
        if len(split_rows):
            parts[split] = decoded_part(headers, split_rows, layout.labels, shape, reader, counter)
    moving = sorted(set(headers.moving) & set(headers.names))
    facts = {
        "ignored_files": len(files.ignored),
        "passed_over": passed_over.groups(files.ignored, files.suffixes),
        "unused_folders": layout.unused,
        "original_sizes": size_facts(sizes),
        "size_rule": size_rule(sizes, settings),
        "animations": len(moving),
        "notes": [
            *passed_over.mixed(len(headers.names), "images", files.ignored),
            *layout.notes,
            *_first_frames(moving, len(headers.names)),
            *_reduced(headers),
            *resize_notes(sizes, shape, settings),
        ],
    }
    return Loaded(where, parts, layout.classes, not settings.skip_broken, headers.problems, facts)


def _layout(names: list[str], files: Files) -> Layout:
    """Splits and labels: of folders, or labels that come with the files."""
    if not files.labels:
        return arrange(names)
    layout = arrange(names, splits_only=True)
    given = {split: [files.labels.get(names[row]) for row in rows] for split, rows in layout.rows.items()}
    counts = {split: len(rows) for split, rows in layout.rows.items()}
    chosen = choose_labels(given, counts, files.classes or None)
    labels = None
    rows: dict[str, np.ndarray] = {}
    for split, numbers in chosen.numbers.items():
        rows[split] = layout.rows[split][chosen.rows[split]]
        if numbers is not None:
            labels = np.full(len(names), UNLABELLED, dtype=np.int64) if labels is None else labels
            labels[layout.rows[split]] = numbers
    unused = {**layout.unused, **{split: count for split, count in counts.items() if split not in rows}}
    notes = (*layout.notes, *chosen.notes)
    return dataclasses.replace(layout, rows=rows, labels=labels, classes=chosen.classes, unused=unused, notes=notes)


def _first_frames(moving: list[str], count: int) -> list[str]:
    if not moving:
        return []
    verb = "has" if len(moving) == 1 else "have"
    return [
        f"{len(moving)} of {count} images {verb} several frames or pages ({shortened(moving)}): the first of each is taken"
        " (data.frames=16 reads them as clips)"
    ]


def _reduced(headers: Headers) -> list[str]:
    reduced = sorted(set(headers.reduced) & set(headers.names))
    if not reduced:
        return []
    return [
        f"{len(reduced)} of {len(headers.names)} images have more than {MAX_PIXELS:,} pixels ({shortened(reduced)}): they are"
        " decoded at a half, a quarter or an eighth of their sides"
    ]


def _with_patches(headers: Headers, settings: DataSettings) -> Headers:
    """Without the images that are too small for data.fit=tile, which become problems."""
    size = parse_size(settings.size)
    if size is None:
        raise UsageError("data.fit=tile cuts images into patches and must be told their size, such as data.size=96")
    fits = np.asarray((headers.shapes[:, :2] >= size).all(1))
    names: list[str] = []
    problems = list(headers.problems)
    for name, shape, large in zip(headers.names, headers.shapes, fits, strict=True):
        if large:
            names.append(name)
        else:
            problems.append((name, f"{shape[0]} x {shape[1]} pixels hold no patch of {size[0]} x {size[1]}"))
    return headers._replace(names=names, shapes=headers.shapes[fits], problems=problems)


def _common_channels(channels: np.ndarray, settings: DataSettings) -> int:
    if settings.channels != "auto":
        return int(settings.channels)
    if settings.alpha == "keep" and bool(np.isin(channels, (2, 4)).any()):
        return 4
    if bool((channels <= 2).all()):
        return 1
    return 3
