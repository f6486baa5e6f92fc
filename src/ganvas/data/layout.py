"""What folders say of the files in them.

cats/1.jpg dogs/2.jpg                       sub-folders are labels
train/cats/1.jpg test/cats/2.jpg            folders named train and test (or val, valid) are splits
a folder that holds one single folder       is that folder
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.data.source import hold_out, name_keys

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
    in_folders = all(len(path) > 1 for path in paths)
    by_lower_name = {path[0].lower(): path[0] for path in paths} if in_folders else {}
    train = next((by_lower_name[name] for name in TRAIN_NAMES if name in by_lower_name), None)
    test = next((by_lower_name[name] for name in TEST_NAMES if name in by_lower_name), None)
    if train is None or test is None:
        rows = {"train": np.arange(len(paths))}
        inner, unused = paths, {}
    else:
        rows = {
            split: np.array([row for row, path in enumerate(paths) if path[0] == folder])
            for split, folder in (("train", train), ("test", test))
        }
        inner = [path[1:] for path in paths]
        counts = collections.Counter(path[0] for path in paths)
        unused = {folder: count for folder, count in counts.items() if folder not in (train, test)}

    # Which folders inside of the splits are labels.
    used = [inner[row] for row in np.concatenate(list(rows.values()))]
    if not all(len(path) > 1 for path in used):
        return Layout(rows, None, (), unused)
    classes = tuple(sorted({path[0] for path in used}))
    if len(classes) < 2:
        return Layout(rows, None, (), unused)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers.get(path[0], -1) for path in inner], dtype=np.int64)
    return Layout(rows, labels, classes, unused)


def ordered(names: Sequence[str], layout: Layout, settings: DataSettings) -> dict[str, np.ndarray]:
    """Rows by split in the shuffled order, with a test split held out where there is none."""
    keys = name_keys(names)
    if "test" in layout.rows:
        return {split: rows[np.argsort(keys[rows], kind="stable")] for split, rows in layout.rows.items()}
    train, test = hold_out(keys, layout.labels, settings.holdout)
    return {"train": train, "test": test}


def without_common_folders(names: Sequence[str]) -> list[list[str]]:
    """The pieces of each relative name, without the folders around everything."""
    paths = [name.split("/") for name in names]
    while paths and len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths):
        paths = [path[1:] for path in paths]
    return paths
