"""Labels that come with the examples, as numbers from 0: which examples have one, and what becomes of the others.

-1 and None say that there is no label (so Hugging Face marks test splits). A few examples without one (MAX_STRAY_SHARE of a split
at most) are passed over; where more of the training split have none, labels are not used; a test split of which more have none is
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ganvas.errors import DataError

MAX_STRAY_SHARE = 0.1  # share of a set that may lack what the others have
UNLABELLED = -1
NO_LABELS = "no labels: "  # how a note begins that says why there are none
BINARY_LABELS = (-1, 1)  # where these two values are all there are, -1 is a class


class Labels(NamedTuple):
    """`rows` (n,) of each split that is used; `numbers` (N,) int64 of all its examples, -1 where one has none, or None where
    labels are not used; what the `notes` say of both."""

    rows: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray | None]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def choose_labels(
    labels: Mapping[str, np.ndarray | Sequence[int | str | None] | None],
    counts: Mapping[str, int],
    names: Sequence[str] | None = None,
    unit: str = "images",
) -> Labels:
    """Those of the splits "train" and perhaps "test", which have `counts` examples. Without the `names` of classes, the values
    that occur are the names. DataError for labels that are neither integers nor text."""
    values: dict[str, np.ndarray] = {}
    missing: dict[str, np.ndarray] = {}
    for split, count in counts.items():
        given = labels.get(split)
        values[split], missing[split] = _read(given, count)
    if names is not None or not _are_binary(values, missing):
        for split, one in values.items():
            if one.dtype.kind == "i":
                missing[split] |= one == UNLABELLED

    # Whether the training split has labels.
    rows = {split: np.arange(count) for split, count in counts.items()}
    nothing = Labels(rows, dict.fromkeys(counts), (), ())
    without = int(missing["train"].sum())
    if without > MAX_STRAY_SHARE * counts["train"]:
        some_are_there = not all(one.all() for one in missing.values())
        if some_are_there:
            note = (
                f"{NO_LABELS}{without} of {counts['train']} {unit} to train on have none (-1 or nothing in its place)"
            )
            return nothing._replace(notes=(note,))
        return nothing

    # A test split without labels is of no use to a method that learns by class.
    notes: list[str] = []
    for split, absent in missing.items():
        count = int(absent.sum())
        if split != "train" and count > MAX_STRAY_SHARE * len(absent):
            notes.append(
                f"the {split} split is not used: {count} of {len(absent)} {unit} in it have no label (-1 or nothing)"
            )
            del rows[split]
        elif count:
            notes.append(
                f"passed over: {count} of {len(absent)} {unit} of the {split} split, which have no label (-1 or nothing)"
            )
            rows[split] = np.flatnonzero(~absent)

    # As numbers that mean the same in both splits.
    classes, numbers = _numbers([values[split][~missing[split]] for split in rows], names)
    whole: dict[str, np.ndarray | None] = {}
    for split, present in zip(rows, numbers, strict=True):
        row = np.full(counts[split], UNLABELLED, dtype=np.int64)
        row[~missing[split]] = present
        whole[split] = row
    return Labels(rows, whole, classes, tuple(notes))


def class_name(value: object) -> str:
    """A class name of an array's element; bytes are UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _read(labels: np.ndarray | Sequence[int | str | None] | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels as integers or text, whether each is missing), both (count,)."""
    if labels is None:
        return np.full(count, UNLABELLED), np.ones(count, dtype=bool)
    values = np.asarray(labels, dtype=object) if isinstance(labels, list | tuple) else np.asarray(labels)
    missing = np.zeros(len(values), dtype=bool)
    if values.dtype.kind == "O":
        for row, value in enumerate(values):
            missing[row] = value is None or (isinstance(value, float) and np.isnan(value))
        present = np.array(values[~missing].tolist())
        values = np.full(len(values), UNLABELLED).astype(present.dtype if present.size else np.int64)
        values[~missing] = present
    if values.dtype.kind == "f":  # how a table with gaps stores integers
        missing |= np.isnan(values)
        whole = np.where(missing, UNLABELLED, values)
        if np.isfinite(whole).all() and (whole == np.rint(whole)).all():
            values = whole.astype(np.int64)
    if values.dtype.kind not in "iubUS":
        raise DataError(f"labels must be integers or text, got {values.dtype}")
    return values, missing


def _are_binary(values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray]) -> bool:
    """Whether the labels are -1 and 1 only: then both are classes."""
    occurring: set[object] = set()
    for split, one in values.items():
        occurring.update(np.unique(one[~missing[split]]).tolist())
    return occurring == set(BINARY_LABELS)


def _numbers(labels: Sequence[np.ndarray], names: Sequence[str] | None) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Class names and int64 labels that count them from 0."""
    values = np.concatenate(labels)
    if names is not None:
        inside = len(values) == 0 or (
            values.dtype.kind in "iu" and int(values.min()) >= 0 and int(values.max()) < len(names)
        )
        if not inside:
            raise DataError(
                f"labels must be integers from 0 to {len(names) - 1}, one for each of the {len(names)} class names"
            )
        return tuple(map(str, names)), [part.astype(np.int64) for part in labels]
    occurring = np.unique(values)
    numbers = [np.searchsorted(occurring, part).astype(np.int64) for part in labels]
    return tuple(map(class_name, occurring.tolist())), numbers
