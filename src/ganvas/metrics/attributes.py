"""Attributes of images: measured numbers such as stroke thickness, slant, brightness or symmetry.

Each is a function from images uint8 (N, H, W, C) to float64 (N,), registered by name with its unit. To add one, write such a
function here, or in a file of your own:

    @attribute("redness", "", "mean of red over the mean of all channels", needs="colour")
    def redness(images): ...

A class that data have labels of is an attribute as well: see `ganvas.metrics.probe`.

Strokes are what differs from the plain background, whatever is brighter: `ink`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganvas.data.image import LUMA
from ganvas.errors import DataError, UsageError, nearest

Measure = Callable[[np.ndarray], np.ndarray]

FAINT_INK = 0.1  # ink below it is noise of the background
FULL_INK = 0.5  # ink that counts fully for width and height; an antialiased edge of half the ink counts in part
PLAIN_DEVIATION = 0.08  # largest standard deviation of the border, of 1, where a background is plain
MIN_PLAIN_SHARE = 0.8  # of the images must have such a background for strokes to be measured


@dataclass(frozen=True)
class Attribute:
    """A named measure of images."""

    name: str
    unit: str
    help: str
    measure: Measure
    """uint8 (N, H, W, C) to float64 (N,)."""
    needs: str = ""
    """"": any image; "strokes": a plain background; "colour": three channels or four."""
    period: float = 0.0
    """Of values on a circle, such as hue, how far around it is; 0 for all others."""
    table: Measure | None = None
    """uint8 (N, H, W, C) to float64 (N, K), of which `measure` is the column `column`: attributes that have the same one are
    measured in one pass, such as the classes that a probe reads."""
    column: int = 0

    def difference(self, after: np.ndarray, before: np.ndarray) -> np.ndarray:
        """after - before; on a circle the shorter way."""
        change = after - before
        if self.period:
            change = (change + self.period / 2) % self.period - self.period / 2
        return change

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Values less their mean; on a circle, how far they are from the mean direction."""
        if not self.period:
            return values - values.mean()
        angles = values * (2 * np.pi / self.period)
        mean = np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())
        return self.difference(values, np.full_like(values, mean * self.period / (2 * np.pi)))


ATTRIBUTES: dict[str, Attribute] = {}
"""All attributes by name."""


def attribute(name: str, unit: str, help: str, *, needs: str = "", period: float = 0.0) -> Callable[[Measure], Measure]:
    """Decorator that registers a function from images uint8 (N, H, W, C) to numbers (N,)."""

    def keep(measure: Measure) -> Measure:
        ATTRIBUTES[name] = Attribute(name, unit, help, measure, needs, period)
        return measure

    return keep


def find_attribute(name: str) -> Attribute:
    """The attribute `name`; UsageError offers the nearest."""
    if name not in ATTRIBUTES:
        raise UsageError(
            f"there is no attribute {name}{nearest(name, ATTRIBUTES)} (there are: {', '.join(ATTRIBUTES)},"
            " and class:NAME where the data have labels)"
        )
    return ATTRIBUTES[name]


def fitting_attributes(images: np.ndarray) -> list[Attribute]:
    """The attributes that say something of images uint8 (N, H, W, C) like these: colours only of colour images, strokes only on
    plain backgrounds."""
    coloured = images.shape[3] >= 3
    plain = float((_border(images).std(1) < PLAIN_DEVIATION).mean()) >= MIN_PLAIN_SHARE
    fitting: list[Attribute] = []
    for one in ATTRIBUTES.values():
        if one.needs == "colour" and not coloured:
            continue
        if one.needs == "strokes" and not plain:
            continue
        fitting.append(one)
    return fitting


def measure_attributes(images: np.ndarray, attributes: Sequence[Attribute]) -> dict[str, np.ndarray]:
    """The values (N,) of each attribute by name. DataError where an attribute needs colour and the images have none."""
    if images.ndim != 4 or images.dtype != np.uint8 or len(images) == 0:
        raise DataError(f"images must be uint8 (N, H, W, C), at least one (got {images.dtype} {images.shape})")
    values: dict[str, np.ndarray] = {}
    tables: dict[Measure, np.ndarray] = {}
    for one in attributes:
        if one.needs == "colour" and images.shape[3] < 3:
            raise DataError(f"{one.name} is of colour images, and these have {images.shape[3]} channel(s)")
        if one.table is None:
            values[one.name] = np.asarray(one.measure(images), np.float64)
            continue
        if one.table not in tables:
            tables[one.table] = np.asarray(one.table(images), np.float64)
        values[one.name] = tables[one.table][:, one.column]
    return values


# --- what attributes are measured of ------------------------------------------------------------------------------------


def luma(images: np.ndarray) -> np.ndarray:
    """float64 (N, H, W) in [0, 1]: luma (Rec. 601) of three or four channels, else the mean of the channels."""
    values = images.astype(np.float64) / 255
    if values.shape[3] >= 3:
        return values[..., :3] @ np.array(LUMA)
    return values.mean(3)


def ink(images: np.ndarray) -> np.ndarray:
    """float64 (N, H, W) in [0, 1]: how far each pixel is from the background, which is the median of the image's border; below
    0.1 it is 0."""
    grey = luma(images)
    background = np.median(_border(images), axis=1)
    away = np.abs(grey - background[:, None, None])
    return np.where(away < FAINT_INK, 0.0, away)


def _border(images: np.ndarray) -> np.ndarray:
    """The luma of the border's pixels, (N, 2 W + 2 H)."""
    grey = luma(images)
    return np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)


def _moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the ink: covariance of x and y, and variance of y, in square pixels, (N,) each; y points down. 0 without ink."""
    amount = ink(images)
    total = np.maximum(amount.sum((1, 2)), 1e-9)
    rows = np.arange(amount.shape[1])[None, :, None]
    columns = np.arange(amount.shape[2])[None, None, :]
    y = (amount * rows).sum((1, 2)) / total
    x = (amount * columns).sum((1, 2)) / total
    down = rows - y[:, None, None]
    right = columns - x[:, None, None]
    return (amount * down * right).sum((1, 2)) / total, (amount * down * down).sum((1, 2)) / total


def _extent(profile: np.ndarray) -> np.ndarray:
    """(N,): how far profiles (N, K) in [0, 1] reach from their first to their last value; gaps are filled."""
    from_left = np.maximum.accumulate(profile, axis=1)
    from_right = np.maximum.accumulate(profile[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(from_left, from_right).sum(1)


def _chroma(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RGB in [0, 1], (N, H, W, 3), and its largest and smallest value at each pixel, (N, H, W)."""
    colours = images[..., :3].astype(np.float64) / 255
    return colours, colours.max(3), colours.min(3)


# --- strokes ------------------------------------------------------------------------------------------------------------


@attribute("thickness", "px", "stroke thickness: twice the inked area over the length of its outline", needs="strokes")
def thickness(images: np.ndarray) -> np.ndarray:
    """Twice the ink over its total variation. A stroke of width w and length l has the area w l and an outline of 2 (w + l), so
    this is w for long strokes. 0 without ink."""
    amount = np.pad(ink(images), ((0, 0), (1, 1), (1, 1)))
    down, right = np.diff(amount, axis=1)[:, :, :-1], np.diff(amount, axis=2)[:, :-1]
    outline = np.sqrt(down**2 + right**2).sum((1, 2))
    return 2 * amount.sum((1, 2)) / np.maximum(outline, 1e-9)


@attribute("slant", "degrees", "angle of the strokes from the vertical, positive to the right", needs="strokes")
def slant(images: np.ndarray) -> np.ndarray:
    """The angle whose shear would make x and y of the ink uncorrelated (Castro 2019, Morpho-MNIST, arXiv:1809.10780)."""
    covariance, variance = _moments(images)
    return np.degrees(np.arctan2(-covariance, np.maximum(variance, 1e-9)))


@attribute("width", "px", "from the leftmost to the rightmost ink", needs="strokes")
def width(images: np.ndarray) -> np.ndarray:
    """Columns from the first with ink to the last; a column whose ink is fainter than half counts in part."""
    return _extent(np.minimum(ink(images).max(1) / FULL_INK, 1))


@attribute("height", "px", "from the uppermost to the lowest ink", needs="strokes")
def height(images: np.ndarray) -> np.ndarray:
    """As `width`, of rows."""
    return _extent(np.minimum(ink(images).max(2) / FULL_INK, 1))


# --- any image ----------------------------------------------------------------------------------------------------------


@attribute("brightness", "", "mean luma, 0 black to 1 white")
def brightness(images: np.ndarray) -> np.ndarray:
    """The mean of luma, in [0, 1]."""
    return luma(images).mean((1, 2))


@attribute("contrast", "", "standard deviation of luma (RMS contrast), 0 to 0.5")
def contrast(images: np.ndarray) -> np.ndarray:
    """RMS contrast (Peli 1990): the standard deviation of luma over the pixels."""
    return luma(images).std((1, 2))


@attribute("sharpness", "", "standard deviation of the Laplacian of luma")
def sharpness(images: np.ndarray) -> np.ndarray:
    """The square root of the variance of the Laplacian (Pech-Pacheco 2000), over pixels with four neighbours."""
    grey = luma(images)
    if min(grey.shape[1:]) < 3:
        return np.zeros(len(grey))
    neighbours = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return (neighbours - 4 * grey[:, 1:-1, 1:-1]).std((1, 2))


@attribute("symmetry", "", "correlation of the image with its mirror image, 1 where both are equal")
def symmetry(images: np.ndarray) -> np.ndarray:
    """Pearson's correlation of luma and its left-right mirror image; 1 for an image of one grey."""
    centred = luma(images) - luma(images).mean((1, 2), keepdims=True)
    variance = (centred**2).sum((1, 2))
    product = (centred * centred[:, :, ::-1]).sum((1, 2))
    return np.where(variance > 1e-9, product / np.maximum(variance, 1e-9), 1.0)


@attribute("saturation", "", "mean saturation (HSV), 0 grey to 1", needs="colour")
def saturation(images: np.ndarray) -> np.ndarray:
    """Of each pixel (max - min) / max of its red, green and blue, 0 for black; then the mean."""
    _, most, least = _chroma(images)
    return ((most - least) / np.maximum(most, 1e-9)).mean((1, 2))


@attribute("hue", "degrees", "mean hue: 0 red, 120 green, 240 blue", needs="colour", period=360.0)
def hue(images: np.ndarray) -> np.ndarray:
    """The direction of the mean colour in the plane across the grey axis, in [0, 360); 0 where all is grey."""
    colours, _, _ = _chroma(images)
    red, green, blue = colours.mean((1, 2)).T
    across, up = red - (green + blue) / 2, np.sqrt(3) / 2 * (green - blue)
    return np.degrees(np.arctan2(up, across)) % 360
