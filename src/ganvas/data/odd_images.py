"""Images that are probably a mistake: of one colour all over, or of another range of values than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

BLACK_LEVEL = 16  # of 255: images that stay below it look black
MIN_SHARE, MIN_COUNT = 0.01, 8  # of all images: fewer are not worth a sentence
MIN_RANGE_GAP = 64  # levels in which no image's darkest or brightest value lies, between two ranges
MIN_RANGE_SHARE = 0.05  # of all images on either side of it
NAMES_SHOWN = 3


class OddImagesFacts(TypedDict):
    """`images` of a kind, and where some of them are from."""

    images: int
    such_as: list[str]


class OddImages:
    """Looks at images (n, H, W, C) uint8 as they pass by."""

    def __init__(self) -> None:
        self.count = 0
        self._one_colour, self._one_colour_names = 0, list[str]()
        self._darkest, self._brightest = np.zeros(256, np.int64), np.zeros(256, np.int64)
        self._dark_names: dict[int, list[str]] = {}
        self._bright_names: dict[int, list[str]] = {}

    def add(self, images: np.ndarray, names: Sequence[str]) -> None:
        """`names` (n,): the file of each image, or the number of its row; may be empty."""
        low, high = images.min(axis=(1, 2)), images.max(axis=(1, 2))
        flat = (low == high).all(axis=1)
        darkest, brightest = low.min(axis=1), high.max(axis=1)
        self.count += len(images)
        self._one_colour += int(flat.sum())
        # An image of one colour has no range of values.
        self._darkest += np.bincount(darkest[~flat], minlength=256)
        self._brightest += np.bincount(brightest[~flat], minlength=256)
        if not names:
            return
        for row in map(int, np.flatnonzero(flat)[:NAMES_SHOWN]):
            _keep(self._one_colour_names, names[row])
        for kept, values in ((self._dark_names, darkest), (self._bright_names, brightest)):
            for value in np.unique(values[~flat]).tolist():
                row = int(np.flatnonzero((values == value) & ~flat)[0])
                _keep(kept.setdefault(value, []), names[row])

    @property
    def greatest(self) -> int:
        """The greatest value of all images that are not of one colour; 0 where there is none."""
        return int(np.flatnonzero(self._brightest).max(initial=0))

    def facts(self) -> dict[str, OddImagesFacts]:
        """`one_colour` and `other_range`, each where there are such images."""
        facts: dict[str, OddImagesFacts] = {}
        if max(MIN_COUNT, MIN_SHARE * self.count) <= self._one_colour < self.count:
            facts["one_colour"] = OddImagesFacts(images=self._one_colour, such_as=self._one_colour_names)
        other = self._other_range()
        if other is not None:
            facts["other_range"] = other
        return facts

    def notes(self) -> list[str]:
        """A sentence on each of the facts."""
        facts, notes = self.facts(), list[str]()
        if 0 < self.greatest <= BLACK_LEVEL:
            notes.append(
                f"the greatest value of all images is {self.greatest} of 255: they look black. Scale the values to 0 to 255"
            )
        if "one_colour" in facts:
            notes.append(f"{_counted(facts['one_colour'])} of one colour all over: leave out what is no image")
        if "other_range" in facts:
            counted = _counted(facts["other_range"])
            notes.append(f"{counted} of another range of values than the rest: scale all to 0 (black) to 255 (white)")
        return notes

    def _other_range(self) -> OddImagesFacts | None:
        """The smaller of two groups of images, where the darkest or the brightest values fall into two groups far apart."""
        for counts, names in ((self._brightest, self._bright_names), (self._darkest, self._dark_names)):
            values = np.flatnonzero(counts)
            if len(values) < 2:
                continue
            widest = int(np.argmax(np.diff(values)))
            lower = int(counts[: values[widest] + 1].sum())
            upper = int(counts.sum()) - lower
            if np.diff(values)[widest] < MIN_RANGE_GAP or min(lower, upper) < max(
                MIN_COUNT, MIN_RANGE_SHARE * self.count
            ):
                continue
            fewer = values[: widest + 1] if lower <= upper else values[widest + 1 :]
            shown: list[str] = []
            for value in fewer.tolist():
                for name in names.get(value, []):
                    _keep(shown, name)
            return OddImagesFacts(images=min(lower, upper), such_as=shown)
        return None


def neighbour_correlation(images: np.ndarray) -> float | None:
    """Correlation of neighbouring values, side by side and above each other, of images (n, H, W, C): near 1 for photos and
    drawings, 0 for noise. None where nothing varies or an image is one pixel."""
    values = images.astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    variance = float(np.square(values).mean())
    products: list[float] = []
    if images.shape[2] > 1:
        products.append(float((values[:, :, 1:] * values[:, :, :-1]).mean()))
    if images.shape[1] > 1:
        products.append(float((values[:, 1:] * values[:, :-1]).mean()))
    if not products or variance == 0:
        return None
    return sum(products) / len(products) / variance


def _keep(names: list[str], name: str) -> None:
    if len(names) < NAMES_SHOWN:
        names.append(name)


def _counted(odd: OddImagesFacts) -> str:
    """ "412 images (such as a.png, b.png) are" """
    such_as = ""
    if odd["such_as"]:
        such_as = f" (such as {', '.join(odd['such_as'])})"
    return f"{odd['images']:,} images{such_as} are"
