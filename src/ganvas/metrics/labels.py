"""Are images of the class that was asked for? Read by the shipped digit network, so for digits only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.figure import Figure
from ganvas.metrics.extractors import numerals


def label_accuracy(
    images: np.ndarray, labels: np.ndarray | Tensor | Sequence[int], classes: Sequence[str] = tuple("0123456789")
) -> Figure:
    """Share of `images` uint8 (N, H, W, C) in which the digit network reads the class that `labels` (N,) names.

    The detail "by_class" has the share for each class that occurs: {name: share}. Names of classes are numerals; of two or three
    numerals, one is read in each channel. DataError where the network cannot read such data.
    """
    numbers = class_numbers(tuple(classes), images.shape[-1])
    if numbers is None:
        raise DataError(
            "label accuracy is read by the digit network, which knows classes named 0 to 9, or a numeral for each channel of a"
            f" image; these are {_named(classes)} in {images.shape[-1]} channels"
        )
    asked = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    if len(asked) != len(images) or len(images) == 0:
        raise DataError(f"label accuracy takes a label for each image (got {len(images)} images, {len(asked)} labels)")
    if int(asked.min()) < 0 or int(asked.max()) >= len(classes):
        raise DataError(f"labels must be from 0 to {len(classes) - 1} (got {int(asked.min())} to {int(asked.max())})")
    right = (numerals(images, len(numbers[0])) == torch.tensor(numbers)[asked]).all(1).double()
    by_class: dict[str, float] = {}
    for number, name in enumerate(classes):
        of_class = right[asked == number]
        if len(of_class):
            by_class[name] = float(of_class.mean())
    return Figure(float(right.mean()), "higher", len(images), details={"by_class": by_class})


def class_numbers(classes: tuple[str, ...], channels: int) -> list[list[int]] | None:
    """The numerals of each class name: one, or one for each channel. None where the names are no such numbers."""
    if not classes or not all(name.isascii() and name.isdigit() for name in classes):
        return None
    values = [int(name) for name in classes]
    per_image = 1 if max(values) < 10 else channels
    if max(values) >= 10**per_image or per_image > 3:
        return None
    numerals_of_classes: list[list[int]] = []
    for value in values:
        numerals_of_classes.append([int(numeral) for numeral in f"{value:0{per_image}d}"])
    return numerals_of_classes


def _named(classes: Sequence[str]) -> str:
    if not classes:
        return "without names"
    more = ", ..." if len(classes) > 3 else ""
    return f"named {', '.join(classes[:3])}{more}"
