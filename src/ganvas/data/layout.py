"""What folders say of the files in them.

cats/1.jpg dogs/2.jpg                       sub-folders are labels
train/cats/1.jpg test/cats/2.jpg            folders named train and test (or val, valid) are splits
a folder that holds one single folder       is that folder
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.data.source import hold_out, name_keys

T = TypeVar("T")

TRAIN_NAMES = frozenset({"train", "training"})
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first that is there is the test split


@dataclasses.dataclass
class Layout:
    """`rows` of the names by split, `labels` (N,) of all names or None, `unused` (folder, count)."""

    rows: dict[str, np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    unused: dict[str, int]


def arrange(names: Sequence[str]) -> Layout:
    """Splits and labels of relative names. A folder around everything does not count; labels need two folders at least, and no
    image beside them."""
    paths = without_common_folders(names)

    # Which of the outermost folders are splits.
    by_lower_name: dict[str, str] = {}
    if _all_in_folders(paths):
        for path in paths:
            by_lower_name[path[0].lower()] = path[0]
    train = first_value(by_lower_name, TRAIN_NAMES)
    test = first_value(by_lower_name, TEST_NAMES)
    unused: dict[str, int] = {}
    if train is None or test is None:
        rows = {"train": np.arange(len(paths))}
        inner = paths
    else:
        rows_by_folder: dict[str, list[int]] = {}
        for row, path in enumerate(paths):
            rows_by_folder.setdefault(path[0], []).append(row)
        rows = {"train": np.array(rows_by_folder[train]), "test": np.array(rows_by_folder[test])}
        inner = [path[1:] for path in paths]
        for folder, folder_rows in rows_by_folder.items():
            if folder not in (train, test):
                unused[folder] = len(folder_rows)

    # Which folders inside of the splits are labels.
    used = [inner[row] for row in np.concatenate(list(rows.values()))]
    if not _all_in_folders(used):
        return Layout(rows, None, (), unused)
    classes = tuple(sorted(_outermost(used)))
    if len(classes) < 2:
        return Layout(rows, None, (), unused)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers.get(path[0], -1) for path in inner], dtype=np.int64)
    return Layout(rows, labels, classes, unused)


def ordered(names: Sequence[str], layout: Layout, settings: DataSettings) -> dict[str, np.ndarray]:
    """Rows by split in the shuffled order, with a test split held out where there is none."""
    keys = name_keys(names)
    if "test" in layout.rows:
        in_order: dict[str, np.ndarray] = {}
        for split, rows in layout.rows.items():
            in_order[split] = rows[np.argsort(keys[rows], kind="stable")]
        return in_order
    train, test = hold_out(keys, layout.labels, settings.holdout)
    return {"train": train, "test": test}


def without_common_folders(names: Sequence[str]) -> list[list[str]]:
    """The pieces of each relative name, without the folders around everything."""
    paths = [name.split("/") for name in names]
    while paths and len(_outermost(paths)) == 1 and _all_in_folders(paths):
        paths = [path[1:] for path in paths]
    return paths


def _all_in_folders(paths: list[list[str]]) -> bool:
    return all(len(path) > 1 for path in paths)


def _outermost(paths: list[list[str]]) -> set[str]:
    """The first piece of each path."""
    return {path[0] for path in paths}


def first_value(values: Mapping[str, T], names: Iterable[str]) -> T | None:
    """The value of the first of `names` that there is, or None."""
    for name in names:
        if name in values:
            return values[name]
    return None
