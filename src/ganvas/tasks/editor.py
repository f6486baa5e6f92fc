"""Editing images of a trained method: along directions, by style mixing, by arithmetic, as walks; with what it changes, measured.

editor = ganvas.load("runs/digits").editor()
points = editor.points(range(8))
edited = editor.move(points, {"thickness": 2.0}, keep=["class"])
edited.after          # uint8 (8, H, W, C)
edited.changes        # which attribute moved how much, and what else moved
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import LatentSpace
from ganvas.data.dataset import Dataset
from ganvas.data.image_array import ImageArray
from ganvas.data.kinds import KINDS
from ganvas.errors import UsageError, nearest
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.attributes import ATTRIBUTES, Attribute, find_attribute, fitting_attributes, measure_attributes
from ganvas.metrics.probe import CLASS_PREFIX, Probe, fit_probe
from ganvas.sampling import class_number
from ganvas.tasks import arithmetic
from ganvas.tasks.arithmetic import OfClass, OfImages, OfRange, Operand, Seeds
from ganvas.tasks.direction_files import check_name, save_directions, saved_directions
from ganvas.tasks.directions import (
    Direction,
    Measured,
    find_directions,
    measure_samples,
    moved,
    orthogonal_to,
    probed_direction,
    with_effects,
)
from ganvas.tasks.latents import (
    POINTS,
    Points,
    between,
    editable,
    mixed,
    points_of,
    random_points,
    space_of,
    synthesised,
    truncated,
)

NOTICED_CHANGE = 0.5  # of an attribute's standard deviation: the change of an image that counts as moved
MAX_STRENGTH = 3.0  # of `reach`
TRIED_STRENGTHS = 12
HALVINGS = 4  # of the interval between two tried strengths, so that no image goes much further than it needs
ALL_CLASSES = "class"  # as something to keep: all classes


@dataclass(frozen=True)
class Change:
    """What an edit did to an attribute."""

    attribute: str
    unit: str
    before: float
    """Mean over the images."""
    change: float
    """Mean over the images, in the unit."""
    deviations: float
    """The same in standard deviations of the attribute over samples."""
    rose: float
    """Share of the images where it rose by half a standard deviation at least."""
    fell: float
    """Share of the images where it fell as much."""
    asked: bool = False
    """A direction of the edit is named after it."""


@dataclass(frozen=True)
class Edited:
    """Images before and after an edit."""

    before: ImageArray
    after: ImageArray
    points: Points
    changes: list[Change]
    same_class: float | None = None
    """Share of the images whose class, read by a probe, stayed; None where the data have no labels."""


@dataclass(frozen=True)
class Combined:
    """The value of an arithmetic expression."""

    sum: arithmetic.Sum
    images: ImageArray
    """The image of each operand's mean, and last that of the value, where it is a point."""
    direction: Direction | None = None
    """The value, where the weights sum to 0."""


class Editor:
    """Edits images of a method in one of its latent spaces.

    `data` opens the data that the method was trained on, which classes are learnt from; `folder` is the run, in which directions
    are kept for the weights `weights` (their SHA-256). Both may be missing.
    """

    def __init__(
        self, method: Method, space: str = "auto", *, data: Callable[[], Dataset] | None = None,
        folder: Path | None = None, weights: str = "",
    ) -> None:  # fmt: skip
        editable(method)
        self.method = method
        self.space: LatentSpace = space_of(method, space)
        self.folder, self.weights = folder, weights
        self._open_data = data
        self._directions = {} if folder is None else saved_directions(folder, weights)

    # --- what is measured -----------------------------------------------------------------------------------------------

    @functools.cached_property
    def probe(self) -> Probe | None:
        """Reads the classes of the training data in images; None where the data are not at hand or have no labels."""
        if self._open_data is None or len(self.method.spec.classes) < 2:
            return None
        data = self._open_data()
        if data.labels is None or not data.kind.is_image:
            return None
        test = data.part("test")
        held_out = None
        if test is not None and test.labels is not None:
            held_out = np.asarray(test.images), np.asarray(test.labels)
        return fit_probe(np.asarray(data.images), np.asarray(data.labels), data.spec.classes, held_out)

    @functools.cached_property
    def measured(self) -> Measured:
        """Random samples with every attribute that fits them, and with classes."""
        images = synthesised(self.method, self.space, random_points(self.method, self.space, 64))
        attributes = fitting_attributes(images)
        if not KINDS[self.method.spec.kind].is_image:  # the colour of a rendered volume means nothing
            attributes = [one for one in attributes if one.needs != "colour"]
        if self.probe is not None:
            attributes += [self.probe.attribute(name) for name in self.probe.classes]
        return measure_samples(self.method, self.space, attributes, POINTS)

    def attribute(self, name: str) -> Attribute:
        """An attribute by name; UsageError for an unknown one, or for classes where the data have no labels."""
        if name.startswith(CLASS_PREFIX):
            return self._probe_of(name).attribute(name.removeprefix(CLASS_PREFIX))
        attribute = find_attribute(name)
        if name not in self.measured.attributes:
            why = "colour images" if attribute.needs == "colour" else "strokes on a plain background"
            raise UsageError(f"{name} is measured of {why}, and this {self.method.name} generates no such images")
        return attribute

    def _probe_of(self, what: str) -> Probe:
        kind = KINDS[self.method.spec.kind]
        if not kind.is_image:
            raise UsageError(
                f"{what} needs a classifier, which is trained on images only, and {self.method.name} generates {kind.samples}"
            )
        if self.probe is None:
            raise UsageError(
                f"{what} needs labels, and the data that this {self.method.name} was trained on have none, or are not at hand:"
                " put the images of each class into a sub-folder of its own, or `labels` into the .npz"
            )
        return self.probe

    # --- directions -----------------------------------------------------------------------------------------------------

    def directions(self) -> dict[str, Direction]:
        """The directions found so far, by name."""
        return dict(self._directions)

    def find(self, how: Sequence[str] = ("pca", "sefa", "probe"), count: int = 10) -> list[Direction]:
        """Finds directions with their effects and keeps them; see `ganvas.tasks.directions`."""
        measured = self.measured
        found = find_directions(
            self.method,
            self.space,
            attributes=list(measured.attributes.values()),
            how=how,
            count=count,
            measured=measured,
        )
        self._directions |= {one.name: one for one in found}
        self.save()
        return found

    def direction(self, name: str) -> Direction:
        """A direction by name; one of a measured attribute or of a class is found now, where it was not before.

        UsageError for an unknown name.
        """
        if name in self._directions and self._serves(self._directions[name]):
            return self._directions[name]
        if name in ATTRIBUTES or name.startswith(CLASS_PREFIX):
            found = probed_direction(self.measured, self.attribute(name).name)
            self._directions[found.name] = found
            return found
        if name in self._directions:
            raise UsageError(
                f"direction {name} is of the latent space {self._directions[name].space}, and this edit is in {self.space.name}"
            )
        choices = sorted({*self._directions, *ATTRIBUTES})
        raise UsageError(
            f"there is no direction {name}{nearest(name, choices)} (found so far: {', '.join(self._directions) or 'none'};"
            " attributes and class:NAME are found when they are asked for)"
        )

    def _serves(self, direction: Direction) -> bool:
        return direction.space in (self.space.name, self.space.name.removesuffix("+"))

    def add(self, direction: Direction) -> Direction:
        """Keeps a direction under its name, with its effects."""
        check_name(direction.name)
        (direction,) = with_effects(self.method, self.measured, [direction])
        self._directions[direction.name] = direction
        self.save()
        return direction

    def save(self) -> None:
        """Writes the directions into the run, where there is one."""
        if self.folder is None:
            return
        facts: JsonObject = {
            "space": self.space.name,
            "samples": POINTS,
            "deviations": {name: self.measured.deviation(name) for name in self.measured.attributes},
        }
        if self.probe is not None:
            facts["probe"] = {"features": self.probe.features, "accuracy": self.probe.accuracy, "n": self.probe.n}
        save_directions(self.folder, self.weights, list(self._directions.values()), facts)

    # --- points ---------------------------------------------------------------------------------------------------------

    def points(self, seeds: Iterable[int], label: int | str | None = None, truncation: float = 1.0) -> Points:
        """The points of seeds; `truncation` below 1 moves them towards the mean."""
        points = points_of(self.method, self.space, seeds, label)
        if truncation == 1:
            return points
        mean = random_points(self.method, self.space).values.mean(0)
        return truncated(self.space, points, mean, truncation)

    def images(self, points: Points, noise: Sequence[int | None] = ()) -> ImageArray:
        """Images uint8 (n, H, W, C) of points, with noise of chosen seeds for each layer."""
        return ImageArray(synthesised(self.method, self.space, points, noise))

    # --- edits ----------------------------------------------------------------------------------------------------------

    def steps(self, strengths: Mapping[str, float], keep: Sequence[str] = ()) -> list[tuple[Direction, float]]:
        """Directions with their strengths, each without what it shares with the directions of `keep`, attributes or classes."""
        kept: list[Direction] = []
        for name in keep:
            names = [name]
            if name == ALL_CLASSES:
                names = [CLASS_PREFIX + one for one in self._probe_of("keep class").classes]
            kept += [self.direction(one) for one in names]
        steps: list[tuple[Direction, float]] = []
        for name, strength in strengths.items():
            others = [one for one in kept if one.name != name]
            steps.append((orthogonal_to(self.direction(name), others), strength))
        return steps

    def move(
        self, points: Points, strengths: Mapping[str, float] | Sequence[tuple[Direction, float]], *,
        keep: Sequence[str] = (), layers: Sequence[int] = (), noise: Sequence[int | None] = (),
    ) -> Edited:  # fmt: skip
        """Moves points along directions: {"thickness": 2.0} by name, or pairs of a Direction and a strength in standard
        deviations.

        `keep` names attributes that should not change ("class": all classes); `layers` of a space with layers are moved alone.
        """
        steps = self.steps(strengths, keep) if isinstance(strengths, Mapping) else list(strengths)
        done = moved(self.space, points, steps, layers)
        before, after = self.images(points, noise), self.images(done, noise)
        return self._edited(before, after, done, [direction.name for direction, _ in steps])

    def reach(
        self, points: Points, direction: Direction, attribute: str, change: float, *, most: float = MAX_STRENGTH,
        tries: int = TRIED_STRENGTHS,
    ) -> tuple[Edited, np.ndarray]:  # fmt: skip
        """Moves each point along a direction only as far as its image needs for an attribute to change by `change`, in its
        unit; an image that never does goes as far as `most`, in strengths. A change below 0 goes the other way. Returns the
        edit and the strengths (n,).

        Images differ in how much they yield: one strength for all moves some too little, and others into another class. The
        first of `tries` strengths that suffices is found, then the interval before it is halved four times.
        """
        measure = self.attribute(attribute)
        before = self.images(points)
        start = measure_attributes(before, [measure])[attribute]
        most = most if change > 0 else -most

        def reached(strengths: np.ndarray) -> np.ndarray:
            images = self.images(_along(points, direction, strengths))
            changed = measure.difference(measure_attributes(images, [measure])[attribute], start)
            return (changed >= change) if change > 0 else (changed <= change)

        # The first of the tried strengths that suffices, and the one before it.
        last, first = np.full(len(points), most), np.full(len(points), most)
        done = np.zeros(len(points), bool)
        for strength in np.linspace(0, most, tries + 1)[1:]:
            found = reached(np.full(len(points), strength)) & ~done
            first[found], last[found] = strength, strength - most / tries
            done |= found
        for _ in range(HALVINGS):
            middle = (last + first) / 2
            suffices = reached(middle)
            first, last = np.where(suffices, middle, first), np.where(suffices, last, middle)
        done_points = _along(points, direction, first)
        return self._edited(before, self.images(done_points), done_points, [attribute]), first

    def _edited(self, before: ImageArray, after: ImageArray, points: Points, asked: Sequence[str]) -> Edited:
        """With what changed; each of the images is measured once."""
        attributes = list(self.measured.attributes.values())
        first, last = measure_attributes(before, attributes), measure_attributes(after, attributes)
        same_class = None
        if self.probe is not None:
            names = [CLASS_PREFIX + name for name in self.probe.classes]
            read = [np.stack([values[name] for name in names]).argmax(0) for values in (first, last)]
            same_class = float((read[0] == read[1]).mean())
        return Edited(before, after, points, self._changes(first, last, asked), same_class)

    def changes(self, before: np.ndarray, after: np.ndarray, asked: Sequence[str] = ()) -> list[Change]:
        """What changed from images to images, uint8 (n, H, W, C): those asked for first, then the others by how much they
        moved."""
        attributes = list(self.measured.attributes.values())
        return self._changes(measure_attributes(before, attributes), measure_attributes(after, attributes), asked)

    def _changes(
        self, first: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray], asked: Sequence[str]
    ) -> list[Change]:
        """What changed, of the measured values (n,) before and after."""
        measured = self.measured
        changes: list[Change] = []
        for one in measured.attributes.values():
            moved_by = one.difference(last[one.name], first[one.name])
            deviation = max(measured.deviation(one.name), 1e-12)
            changes.append(
                Change(
                    attribute=one.name,
                    unit=one.unit,
                    before=float(first[one.name].mean()),
                    change=float(moved_by.mean()),
                    deviations=float(moved_by.mean() / deviation),
                    rose=float((moved_by >= NOTICED_CHANGE * deviation).mean()),
                    fell=float((moved_by <= -NOTICED_CHANGE * deviation).mean()),
                    asked=one.name in asked,
                )
            )
        return sorted(changes, key=lambda change: (not change.asked, -abs(change.deviations)))

    def same_class(self, before: np.ndarray, after: np.ndarray) -> float | None:
        """The share of images whose class stays, read by the probe."""
        if self.probe is None:
            return None
        return float((self.probe.predict(before) == self.probe.predict(after)).mean())

    def mix(self, rows: Points, columns: Points, layers: Iterable[int]) -> ImageArray:
        """Style mixing, uint8 (n, m, H, W, C): each of `rows` with the layers `layers` of each of `columns`."""
        images = self.images(mixed(self.space, rows, columns, layers))
        return ImageArray(images.reshape(len(rows), len(columns), *images.shape[1:]))

    def walk(
        self, points: Points, frames: int = 24, *, closed: bool = True, noise: Sequence[int | None] = ()
    ) -> ImageArray:
        """Frames (T, H, W, C) uint8 of a walk through the points, `frames` from each to the next, on a great circle where the
        space is normal; `closed`: back to the first, so that the video repeats without a jump."""
        if len(points) < 2 or frames < 1:
            raise UsageError("a walk takes two points and one frame between them at least")
        values: list[Tensor] = []
        ends = [*range(1, len(points)), 0] if closed else list(range(1, len(points)))
        shares = torch.arange(frames) / frames
        for start, end in enumerate(ends):
            values.append(between(self.space, points.values[start], points.values[end], shares))
        if not closed:
            values.append(points.values[-1:])
        starts = [start for start in range(len(ends)) for _ in range(frames)]
        if not closed:
            starts.append(len(points) - 1)
        way = points.rows(starts).with_values(torch.cat(values))
        return self.images(way, noise)

    def sweep(
        self, points: Points, steps: Sequence[tuple[Direction, float]], count: int, *, both: bool = False,
        layers: Sequence[int] = (), noise: Sequence[int | None] = (),
    ) -> ImageArray:  # fmt: skip
        """Images (n, count, H, W, C) uint8: each point at `count` strengths from 0 to the given ones, from their negatives with
        `both`."""
        if count < 2:
            raise UsageError(f"an edit is shown in at least 2 steps (got {count})")
        columns: list[np.ndarray] = []
        for share in torch.linspace(-1 if both else 0, 1, count).tolist():
            here = [(direction, share * strength) for direction, strength in steps]
            columns.append(self.images(moved(self.space, points, here, layers), noise))
        return ImageArray(np.stack(columns, 1))

    # --- arithmetic -----------------------------------------------------------------------------------------------------

    def combine(
        self, expression: str, *, invert: Callable[[str], Points] | None = None, label: int | str | None = None,
        name: str = "arithmetic",
    ) -> Combined:  # fmt: skip
        """The value of an expression such as "class:7 - class:1 + class:4"; see `ganvas.tasks.arithmetic`.

        `invert` gives the points of the images at a path. `label` is the class of a class-conditional method's images.
        """
        for term in arithmetic.parse_terms(expression):
            _path_of(arithmetic.parse_operand(term.operand), invert is not None)
        total = arithmetic.evaluate(expression, lambda operand: self._mean(operand, invert))
        number = class_number(self.method, label)
        means = list(total.means)
        direction = None
        if total.weight == 1:
            means.append(total.value)
        else:
            direction = self._as_direction(total.value, name, expression)
        shape = torch.broadcast_shapes(*(mean.shape for mean in means))
        values = torch.stack([self._with_codes(mean.expand(shape)) for mean in means])
        labels = editable(self.method).labels([0])
        if labels is not None:
            labels = (labels if number is None else torch.full((1,), number)).repeat(len(values))
        return Combined(total, self.images(Points(values, labels)), direction)

    def _as_direction(self, value: Tensor, name: str, expression: str) -> Direction:
        vector = value.clone()
        vector[..., self.space.free :] = 0
        length = float(vector.norm())
        if length < 1e-9:
            raise UsageError(f"{expression!r} is 0: its operands have the same mean")
        of = self.space.name if vector.ndim == 2 else self.space.name.removesuffix("+")
        # Strength 1 adds the difference itself.
        return Direction(check_name(name), of, vector / length, length, f"arithmetic: {expression}")

    def _with_codes(self, value: Tensor) -> Tensor:
        """A mean with the codes of seed 0, where the space has some: the mean of one-hot codes is no code."""
        if self.space.free == value.shape[-1]:
            return value
        value = value.clone()
        value[..., self.space.free :] = self.points([0]).values[0, ..., self.space.free :]
        return value

    def _mean(self, operand: Operand, invert: Callable[[str], Points] | None) -> Tensor:
        if isinstance(operand, Seeds):
            return self.points(operand.seeds).values.mean(0)
        if isinstance(operand, OfClass):
            return self._mean_of_class(operand.name)
        if isinstance(operand, OfRange):
            return self._mean_of_range(operand)
        assert invert is not None  # _path_of has refused paths without it
        return invert(str(_path_of(operand))).values.mean(0)

    def _mean_of_class(self, name: str) -> Tensor:
        if editable(self.method).labels([0]) is not None:
            if self.space.normal:
                raise UsageError(
                    f"the class of this {self.method.name} is chosen beside {self.space.name}, which is the same for all classes:"
                    " use --label, or a latent space behind a mapping network, such as w of stylegan2"
                )
            return points_of(self.method, self.space, range(POINTS), name).values.mean(0)
        probe = self._probe_of(f"class:{name}")
        number = probe.number(name)
        chosen = probe.predict(self.measured.images) == number
        if not chosen.any():
            raise UsageError(f"none of {POINTS} samples is of class {name}, so it has no mean")
        return self.measured.points.values[torch.from_numpy(chosen)].mean(0)

    def _mean_of_range(self, operand: OfRange) -> Tensor:
        values = self.measured.values[self.attribute(operand.attribute).name]
        limit = np.quantile(values, operand.quantile)
        chosen = values > limit if operand.above else values < limit
        if not chosen.any():
            sign = ">" if operand.above else "<"
            raise UsageError(f"no sample has {operand.attribute}{sign}{operand.quantile:g}: take another share")
        return self.measured.points.values[torch.from_numpy(chosen)].mean(0)


def _path_of(operand: Operand, can_invert: bool = True) -> Path | None:
    """The path of an operand that names images; None for any other. UsageError where there is nothing at it."""
    if not isinstance(operand, OfImages):
        return None
    path = Path(operand.path).expanduser()
    if can_invert and path.exists():
        return path
    raise UsageError(
        f"{operand.path} is no operand: operands are seeds (7, 0-9), classes (class:4), ranges of attributes (thickness>0.8), or"
        " a folder or file of images that exists; blanks stand around + and -"
    )


def _along(points: Points, direction: Direction, strengths: np.ndarray) -> Points:
    """Points moved along a direction, each by its own strength (n,)."""
    each = torch.from_numpy(strengths).to(points.values.dtype).view(-1, *[1] * (points.values.ndim - 1))
    return points.with_values(points.values + each * direction.step().expand(points.values.shape[1:]))
