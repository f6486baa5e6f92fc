"""What folders say of the files in them.

cats/1.jpg dogs/2.jpg                       sub-folders are labels
train/cats/1.jpg test/cats/2.jpg            folders named train and test (or val, valid) are splits
a folder that holds one single folder       is that folder

A few files beside such folders (MAX_STRAY_SHARE of all at most) do not take the meaning from them: they are omitted and listed.
Names that differ in their Unicode form only (macOS writes é as two characters) are one name.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ganvas.data.labels import MAX_STRAY_SHARE, NO_LABELS
from ganvas.data.settings import DataSettings
from ganvas.data.source import hold_out, name_keys

T = TypeVar("T")

TRAIN_NAMES = frozenset({"train", "training"})
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first that is there is the test split
NOTE_NAMES = 3  # names in a note

Path = list[str]  # the pieces of a relative name


@dataclasses.dataclass
class Layout:
    """`rows` of the names by split, `labels` (N,) of all names (-1: none) or None, `unused` (folder, count).

    `strays` are rows that are passed over. `notes` say in sentences where folders do not mean what one may have expected.
    """

    rows: dict[str, np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    unused: dict[str, int]
    strays: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def arrange(names: Sequence[str], *, splits_only: bool = False) -> Layout:
    """Splits and labels of relative names. A folder around everything does not count; labels need two folders at least, and few
    files beside them. `splits_only`: something else says the labels."""
    strict = _arranged(names, lenient=False, splits_only=splits_only)
    lenient = _arranged(names, lenient=True, splits_only=splits_only)
    gains_labels = lenient.labels is not None and strict.labels is None
    gains_split = "test" in lenient.rows and "test" not in strict.rows
    if lenient.strays and (gains_labels or gains_split):
        return lenient
    return strict


def _arranged(names: Sequence[str], *, lenient: bool, splits_only: bool) -> Layout:
    paths = [normal(name).split("/") for name in names]
    depth = 0
    rows = list(range(len(paths)))
    strays: list[int] = []
    notes: list[str] = []

    def without_strays(some: list[int]) -> tuple[list[int], list[int]]:
        """Rows that lie in folders at this depth, and the others; the others are never more than may be passed over."""
        inside = [row for row in some if len(paths[row]) > depth + 1]
        beside = [row for row in some if len(paths[row]) == depth + 1]
        if beside and (not lenient or len(beside) > MAX_STRAY_SHARE * len(some)):
            return some, beside
        return inside, []

    # A folder around everything does not count.
    while rows:
        inside, beside = without_strays(rows)
        if beside or len({paths[row][depth] for row in inside}) != 1:
            break
        strays += sorted(set(rows) - set(inside))
        rows = inside
        depth += 1

    # Which of the outermost folders are splits.
    splits = {"train": rows}
    unused: dict[str, int] = {}
    inside, beside = without_strays(rows)
    if not beside:
        by_folder: dict[str, list[int]] = {}
        for row in inside:
            by_folder.setdefault(paths[row][depth], []).append(row)
        by_lower_name = {folder.lower(): folder for folder in by_folder}
        train, test = first_value(by_lower_name, TRAIN_NAMES), first_value(by_lower_name, TEST_NAMES)
        if train is not None and test is not None:
            strays += sorted(set(rows) - set(inside))
            splits = {"train": by_folder[train], "test": by_folder[test]}
            depth += 1
            for folder, folder_rows in by_folder.items():
                if folder not in (train, test):
                    unused[folder] = len(folder_rows)

    # Which folders inside of the splits are labels.
    classes: set[str] = set()
    in_classes: dict[str, list[int]] = {}
    beside_classes: dict[str, list[int]] = {}
    for split, split_rows in splits.items():
        if splits_only:
            continue
        inside, beside = without_strays(split_rows)
        if beside:
            beside_classes[split] = beside
        else:
            in_classes[split] = inside
            classes |= {paths[row][depth] for row in inside}
    labels = None
    if len(classes) >= 2 and "train" in in_classes:
        # A test split without labels is of no use to a method that learns by class.
        if "test" in beside_classes:
            rows_beside = beside_classes["test"]
            notes.append(
                f"the test folder is not used: {_listed(rows_beside, names)} in no folder of a class, as in train"
            )
            unused["test"] = len(splits.pop("test"))
        numbers = {name: number for number, name in enumerate(sorted(classes))}
        labels = np.full(len(paths), -1, dtype=np.int64)
        for split, split_rows in in_classes.items():
            strays += sorted(set(splits[split]) - set(split_rows))
            splits[split] = split_rows
            for row in split_rows:
                labels[row] = numbers[paths[row][depth]]
    else:
        for split, beside in beside_classes.items():
            folders = sorted({paths[row][depth] for row in splits[split] if len(paths[row]) > depth + 1})
            if len(folders) >= 2:
                notes.append(
                    f"{NO_LABELS}{_listed(beside, names)} beside the folders {shortened(folders)}. Move what belongs to a class"
                    " into its folder, and the rest elsewhere"
                )
            elif split == "train" and len(classes) >= 2:
                notes.append(f"{NO_LABELS}the images of train lie in no folders of classes, as those of test do")
        classes = set()
    if strays:
        notes.insert(0, f"passed over: {_listed(sorted(strays), names)} beside the folders of classes or splits")
    if unused:
        others = [f"{folder} ({count})" for folder, count in unused.items() if folder != "test"]
        if others:
            notes.append(f"not used, since there are folders for training and testing: {shortened(others)}")
    return Layout(
        {split: np.array(split_rows, dtype=np.int64) for split, split_rows in splits.items()},
        labels,
        tuple(sorted(classes)) if labels is not None else (),
        unused,
        tuple(sorted(strays)),
        tuple(notes),
    )


def ordered(names: Sequence[str], layout: Layout, settings: DataSettings) -> dict[str, np.ndarray]:
    """Rows by split in the shuffled order, with a test split held out where there is none."""
    keys = name_keys(names)
    if "test" in layout.rows:
        in_order: dict[str, np.ndarray] = {}
        for split, rows in layout.rows.items():
            in_order[split] = rows[np.argsort(keys[rows], kind="stable")]
        return in_order
    rows = layout.rows["train"]
    labels = None if layout.labels is None else layout.labels[rows]
    train, test = hold_out(keys[rows], labels, settings.holdout)
    return {"train": rows[train], "test": rows[test]}


def without_common_folders(names: Sequence[str]) -> list[Path]:
    """The pieces of each relative name, without the folders around everything; in one Unicode form (NFC)."""
    paths = [normal(name).split("/") for name in names]
    while paths and len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths):
        paths = [path[1:] for path in paths]
    return paths


def normal(name: str) -> str:
    """A name in the form in which names are compared: Unicode's NFC."""
    return unicodedata.normalize("NFC", name)


def first_value(values: Mapping[str, T], names: Iterable[str]) -> T | None:
    """The value of the first of `names` that there is, or None."""
    for name in names:
        if name in values:
            return values[name]
    return None


def shortened(names: Sequence[str]) -> str:
    """The first few, with dots where there are more."""
    more = ", ..." if len(names) > NOTE_NAMES else ""
    return ", ".join(names[:NOTE_NAMES]) + more


def _listed(rows: Sequence[int], names: Sequence[str]) -> str:
    """ "a.png lies", or "4 files (a.png, b.png, c.png, ...) lie" """
    if len(rows) == 1:
        return f"{names[rows[0]]} lies"
    return f"{len(rows)} files ({shortened([names[row] for row in rows])}) lie"
