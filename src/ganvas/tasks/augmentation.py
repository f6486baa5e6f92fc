"""Do generated images help a classifier? Small classifiers on few labelled images, with nothing else, with standard augmentation,
with generated images, and with both; several seeds, and the interval of each paired difference.

For each seed, labelled training images are drawn, a generator is trained on these alone, and a classifier is trained in each
way, from equal first weights. All are measured on the same held-out images. A second question is a rare class: of one class
there are few images, of the others many; its recall is what counts, beside oversampling and re-weighting, which cost nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data import Dataset
from ganvas.data.batch import as_image_tensor
from ganvas.data.dataset import labelled_set, subset
from ganvas.errors import DataError, RunError, UsageError
from ganvas.files import JsonObject, write_text
from ganvas.method import Method
from ganvas.metrics.paired import Difference, paired_difference
from ganvas.networks.classifier import Classifier
from ganvas.strict_json import dumps
from ganvas.tasks.augment import Augmented, agreement_classifier, check_labelled, generate_labelled, generator_data
from ganvas.tasks.classifier import Labelled, labelled, labelled_part, predictions, train_classifier

SIZES: tuple[int | None, ...] = (5, 10, 50, None)  # labelled images of a class; None: all
SEEDS = 5
RARE, OTHERS = 10, 100  # labelled images of a rare class, and of each other one
GENERATED_PER_CLASS = 100  # generated images of each class
TEST_IMAGES = 2000  # held-out images that a classifier is measured on, at most
KEPT_PER_CLASS = 8  # generated images of a class that the result keeps

NOTHING, STANDARD, GENERATED, BOTH = "nothing", "standard", "generated", "both"
PSEUDO, GENERATED_REST = "pseudo-labels", "generated, rest seen"
OVERSAMPLED, REWEIGHTED, STANDARD_OVERSAMPLED = "oversampling", "re-weighting", "standard, oversampling"

MakeGenerator = Callable[[Dataset, str, int], Method]
"""make(images, name, seed): a class-conditional method trained on labelled images alone, ready to generate. `name` is
different for each training, and the same when an interrupted evaluation is repeated."""


@dataclass(frozen=True)
class Way:
    """One way to train a classifier."""

    name: str
    help: str
    changes: bool = False
    generated: bool = False
    oversample: bool = False
    reweight: bool = False
    rest: bool = False
    """Uses the training images without their labels too."""


WAYS = (
    Way(NOTHING, "the labelled images as they are"),
    Way(STANDARD, "shifted, rotated and scaled at random", changes=True),
    Way(GENERATED, "half of each batch generated, by a generator that saw the labelled images only", generated=True),
    Way(BOTH, "half of each batch generated, all shifted, rotated and scaled", changes=True, generated=True),
)
WAYS_WITH_REST = (
    Way(PSEUDO, "half of each batch unlabelled images under the label that a classifier predicts", rest=True),
    Way(
        GENERATED_REST, "half of each batch generated, by a generator that saw these as well", generated=True, rest=True
    ),
)
WAYS_OF_RARE = (
    Way(NOTHING, "the labelled images as they are"),
    Way(OVERSAMPLED, "every class is drawn equally often", oversample=True),
    Way(REWEIGHTED, "the loss of an image is divided by how frequent its class is", reweight=True),
    Way(STANDARD, "shifted, rotated and scaled at random", changes=True),
    Way(STANDARD_OVERSAMPLED, "both of these", changes=True, oversample=True),
    Way(GENERATED, "oversampling, and half of each batch generated, of every class", generated=True, oversample=True),
    Way(BOTH, "the same, all shifted, rotated and scaled", changes=True, generated=True, oversample=True),
)
# Generated images go to every class, not to the rare one alone: else a classifier takes the look of generated images for that
# class. Measured (digits, seed 0): the recall of class 8 fell from 0.57 to 0.53, and with standard augmentation to 0.06.


@dataclass(frozen=True)
class Cell:
    """One seed of one size: the score of each way by name."""

    size: int | None
    """Labelled images of a class, of the rare class where there is one; None: all."""
    seed: int
    labelled: int
    """Labelled images together."""
    scores: dict[str, float]
    """Accuracy, or with a rare class its recall."""
    balanced: dict[str, float] = field(default_factory=dict)
    """With a rare class: the mean recall of all classes."""
    agreement: float | None = None
    """Share of the generated images that the agreement check kept; None where there was no check."""
    rest_agreement: float | None = None
    """As `agreement`, of the generator that saw the unlabelled rest."""


@dataclass(frozen=True)
class Row:
    """One way on one size, over all seeds."""

    way: str
    scores: tuple[float, ...]
    against: dict[str, Difference]
    """The paired difference to another way, by its name."""
    balanced: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class Evaluation:
    """The result: a table for each number of labelled images."""

    data: str
    generator: str
    """What generated, in words."""
    cells: list[Cell]
    ways: tuple[Way, ...]
    test_images: int
    classes: tuple[str, ...]
    rare: str | None = None
    """The rare class, where the question is about one."""
    others: int = 0
    """With a rare class: labelled images of each other one."""
    shown: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Some generated images of the first seed and size by class, uint8 (m, H, W, C)."""
    shown_size: int | None = None

    @property
    def sizes(self) -> list[int | None]:
        return list(dict.fromkeys(cell.size for cell in self.cells))

    @property
    def measure(self) -> str:
        """What the scores are."""
        return "accuracy" if self.rare is None else f"recall of {self.rare}"

    @property
    def baselines(self) -> tuple[str, ...]:
        """The ways that others are compared with."""
        return (NOTHING, STANDARD) if self.rare is None else (NOTHING, OVERSAMPLED, REWEIGHTED, STANDARD_OVERSAMPLED)

    def rows(self, size: int | None) -> list[Row]:
        """The table of one size. Differences need two seeds."""
        cells = [cell for cell in self.cells if cell.size == size]
        rows: list[Row] = []
        for way in self.ways:
            of_way = [cell for cell in cells if way.name in cell.scores]
            if not of_way:
                continue
            scores = tuple(cell.scores[way.name] for cell in of_way)
            against: dict[str, Difference] = {}
            for other in self.baselines:
                if other != way.name and len(of_way) > 1:
                    against[other] = paired_difference(scores, [cell.scores[other] for cell in of_way])
            balanced = tuple(cell.balanced[way.name] for cell in of_way if way.name in cell.balanced)
            rows.append(Row(way.name, scores, against, balanced))
        return rows

    def verdict(self, size: int | None) -> str:
        """One sentence on one size: do generated images help, and is something simpler as good?"""
        rows = {row.way: row for row in self.rows(size)}
        few = self.size_name(size)
        over_nothing = rows[GENERATED].against.get(NOTHING)
        if over_nothing is None:
            return f"{few}: one seed says nothing about the spread: take two or more"
        if over_nothing.better:
            text = f"{few}: generated images help over nothing else, {self._points(over_nothing)}"
        elif over_nothing.worse:
            text = f"{few}: generated images harm, {self._points(over_nothing)}"
        else:
            text = f"{few}: generated images do not help measurably, {self._points(over_nothing)}"
        plain = max((rows[name] for name in self.baselines[1:]), key=lambda row: row.mean)
        against_plain = rows[GENERATED].against[plain.way]
        if against_plain.better:
            text += f"; they beat {plain.way} by {self._points(against_plain)}"
        elif against_plain.worse:
            text += f"; {plain.way} alone is better than generated images, by {self._points(_turned(against_plain))}"
        else:
            text += f"; no measurable difference to {plain.way} alone ({self._points(against_plain)})"
        both = rows[BOTH].against[plain.way]
        if both.better:
            return f"{text}; both together beat it by {self._points(both)}"
        word = "are worse than" if both.worse else "add nothing measurable to"
        return f"{text}; both together {word} it ({self._points(both)})"

    def table(self, size: int | None) -> tuple[list[str], list[list[str]]]:
        """Head and rows in words, for a terminal, a page or a document."""
        rows = self.rows(size)
        baselines = [name for name in self.baselines if any(name in row.against for row in rows)]
        head = ["", self.measure, "spread", *(f"over {name}" for name in baselines)]
        if self.rare is not None:
            head.insert(3, "mean recall of all classes")
        texts: list[list[str]] = []
        for row in rows:
            spread = statistics.stdev(row.scores) if len(row.scores) > 1 else 0.0
            cells = [row.way, f"{row.mean:.3f}", f"{spread:.3f}"]
            if self.rare is not None:
                cells.append(f"{statistics.fmean(row.balanced):.3f}")
            for name in baselines:
                cells.append(self._points(row.against[name]) if name in row.against else "")
            texts.append(cells)
        return head, texts

    def size_name(self, size: int | None) -> str:
        """In words: "10 labelled images a class"."""
        if self.rare is not None:
            return f"{size} images of {self.rare}, {self.others} of each other class"
        return "all labelled images" if size is None else f"{size} labelled images a class"

    def _points(self, difference: Difference) -> str:
        mean, low, high = (100 * value for value in difference[:3])
        return f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})"

    def as_dict(self) -> JsonObject:
        """Plain values for JSON."""
        tables: list[JsonObject] = []
        for size in self.sizes:
            rows: list[JsonObject] = []
            for row in self.rows(size):
                against = {name: one._asdict() for name, one in row.against.items()}
                rows.append(
                    {
                        "way": row.way, "mean": row.mean, "scores": list(row.scores), "balanced": list(row.balanced),
                        "against": against,
                    }
                )  # fmt: skip
            tables.append({"size": size, "verdict": self.verdict(size), "rows": rows})
        return {
            "data": self.data, "generator": self.generator, "measure": self.measure, "rare": self.rare,
            "others": self.others or None, "test_images": self.test_images,
            "ways": {way.name: way.help for way in self.ways}, "tables": tables,
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
        }  # fmt: skip


def evaluate_augmentation(
    data: Dataset, make: MakeGenerator, *, generator: str = "", sizes: Sequence[int | None] = SIZES, seeds: int = SEEDS,
    first_seed: int = 0, per_class: int = GENERATED_PER_CLASS, check: bool = True, rare: str | None = None, others: int = OTHERS,
    unlabelled: bool = False, steps: int | None = None, folder: Path | None = None, report: Callable[[str], None] | None = None,
) -> Evaluation:  # fmt: skip
    """Whether images of a generator help a classifier on few labelled images of `data`, which need labels and a test split.

    `make` trains a generator on the labelled images of each size and seed; `generator` says in words what it is. `sizes` are
    numbers of labelled images of each class, None for all. With `rare`, a class by name, they are the images of that class, and
    `others` are those of each other one. `unlabelled` adds two rows that use the rest of the training images without labels.
    `steps` are those of each classifier (None: by the number of labelled images). `folder` keeps the cells that are finished, and
    a repeated evaluation takes them from there. `report` is called with a line for each.

    DataError for data without labels or test split, or with too few images of a class; UsageError for sizes that make no sense.
    """
    train, test = _check(data, sizes, seeds, per_class, rare, others, unlabelled)
    rare_number = None if rare is None else train.spec.classes.index(rare)
    ways = WAYS_OF_RARE if rare is not None else WAYS + (WAYS_WITH_REST if unlabelled else ())
    held = labelled_part(test, TEST_IMAGES)
    what = {
        "data": train.fingerprint, "generator": generator, "rare": rare, "others": others, "per_class": per_class,
        "check": check, "unlabelled": unlabelled, "steps": steps,
        "ways": {way.name: way.help for way in ways},
    }  # fmt: skip
    store = _Store(folder, what)
    result = Evaluation(
        train.name, generator, [], ways, len(held), train.spec.classes, rare, others if rare is not None else 0
    )
    for size in sizes:
        for seed in range(first_seed, first_seed + seeds):
            cell = store.cell(size, seed)
            if cell is None:
                one = _Trial(
                    train, held, make, size, seed, per_class, check, rare_number, others, unlabelled, ways, steps
                )
                cell, shown = one.run()
                store.keep(cell)
                if not result.shown:
                    result.shown.update(shown)
                    result = dataclasses.replace(result, shown_size=size)
            result.cells.append(cell)
            if report is not None:
                scores = ", ".join(f"{name} {score:.3f}" for name, score in cell.scores.items())
                report(f"{result.size_name(size)}, seed {seed}: {scores}")
    return result


def labelled_rows(
    labels: np.ndarray, size: int | None, seed: int, rare: int | None = None, others: int = OTHERS
) -> np.ndarray:
    """Rows of `size` images of each class, those of a seed; larger sizes of one seed contain the smaller ones."""
    random = np.random.default_rng(seed)
    rows: list[np.ndarray] = []
    for number in range(int(labels.max()) + 1):
        of_class = random.permutation(np.flatnonzero(labels == number))
        count = size if rare is None or number == rare else others
        rows.append(of_class[:count])
    return np.concatenate(rows)


class _Trial:
    """One size and seed: a generator and all classifiers."""

    def __init__(
        self, train: Dataset, held: Labelled, make: MakeGenerator, size: int | None, seed: int, per_class: int, check: bool,
        rare: int | None, others: int, unlabelled: bool, ways: Sequence[Way], steps: int | None,
    ) -> None:  # fmt: skip
        assert train.labels is not None
        self.train, self.held, self.make = train, held, make
        self.size, self.seed, self.per_class, self.check = size, seed, per_class, check
        self.rare, self.unlabelled, self.ways, self.steps = rare, unlabelled, ways, steps
        self.rows = labelled_rows(train.labels, size, seed, rare, others)
        self.real = labelled(np.array(train.images[self.rows]), train.labels[self.rows])
        self.classes = len(train.spec.classes)

    def run(self) -> tuple[Cell, dict[str, np.ndarray]]:
        """The scores, and some of the generated images by class."""
        name = "all" if self.size is None else str(self.size)
        name += f"-{self.seed}" if self.rare is None else f"-rare{self.rare}-{self.seed}"
        checker = self.checker() if self.check else None
        made = self.generated(generator_data(self.train, self.rows, self.seed, "labelled"), name, checker)
        rest: Labelled | None = None
        made_of_rest: Augmented | None = None
        if self.unlabelled and self.size is not None:
            everything, rest = self.pseudo_labelled(checker)
            made_of_rest = self.generated(everything, name + "-rest", checker)
        scores: dict[str, float] = {}
        balanced: dict[str, float] = {}
        for way in self.ways:
            if way.rest and (rest is None or made_of_rest is None):
                continue
            generated = None
            if way.rest:
                generated = rest if not way.generated or made_of_rest is None else _labelled(made_of_rest)
            elif way.generated:
                generated = _labelled(made)
            recalls = self.recalls(self.classifier(way, generated))
            if self.rare is None:
                scores[way.name] = recalls.accuracy
            else:
                scores[way.name] = recalls.by_class[self.rare]
                balanced[way.name] = float(np.nanmean(recalls.by_class))
        cell = Cell(
            self.size, self.seed, len(self.rows), scores, balanced, made.agreement,
            None if made_of_rest is None else made_of_rest.agreement,
        )  # fmt: skip
        return cell, examples_of(made)

    def generated(self, images: Dataset, name: str, checker: Classifier | None) -> Augmented:
        """Images of all classes, of a generator trained on `images`."""
        method = self.make(images, name, self.seed)
        numbers = [number for number in range(self.classes) if images.spec.class_counts[number]]
        return generate_labelled(method, self.train, numbers, self.per_class, 0, checker)

    def checker(self) -> Classifier:
        """That of the agreement check, of the labelled images."""
        return agreement_classifier(subset(self.train, self.rows, "labelled"), self.steps)

    def pseudo_labelled(self, checker: Classifier | None) -> tuple[Dataset, Labelled]:
        """The labelled images and the rest, under the labels that a classifier of the labelled ones predicts; the rest alone."""
        network = checker or self.checker()
        others = np.setdiff1d(np.arange(len(self.train)), self.rows)
        images = as_image_tensor(np.array(self.train.images[others]))
        rest = Labelled(images, predictions(network, images))
        known = np.asarray(self.train.labels).copy()
        known[others] = rest.labels.numpy()
        return labelled_set(self.train, np.array(self.train.images), known, "pseudo-labelled"), rest

    def classifier(self, way: Way, generated: Labelled | None) -> Classifier:
        """Trained in one way."""
        return train_classifier(
            self.real, self.classes, seed=self.seed, steps=self.steps, changes=way.changes, mirror=self.train.settings.mirror,
            generated=generated, oversample=way.oversample, reweight=way.reweight,
        )  # fmt: skip

    def recalls(self, network: Classifier) -> _Recalls:
        """On the held-out images."""
        right = predictions(network, self.held.images) == self.held.labels
        by_class: list[float] = []
        for number in range(self.classes):
            of_class = right[self.held.labels == number]
            by_class.append(float(of_class.double().mean()) if len(of_class) else float("nan"))
        return _Recalls(float(right.double().mean()), by_class)


@dataclass(frozen=True)
class _Recalls:
    accuracy: float
    by_class: list[float]


class _Store:
    """Finished cells in a folder, one file each; nothing where there is no folder."""

    def __init__(self, folder: Path | None, what: JsonObject) -> None:
        self.folder = folder
        self.digest = hashlib.sha256(dumps(what).encode()).hexdigest()

    def cell(self, size: int | None, seed: int) -> Cell | None:
        """The cell that is there; RunError where it is of another question."""
        path = self._path(size, seed)
        if path is None or not path.is_file():
            return None
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            if content["digest"] != self.digest:
                raise RunError(
                    f"{path} is of other data, another generator or other settings: name another folder for this evaluation"
                )
            return Cell(**content["cell"])
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged ({error}): remove it, and it is computed again") from error

    def keep(self, cell: Cell) -> None:
        path = self._path(cell.size, cell.seed)
        if path is not None:
            write_text(path, dumps({"digest": self.digest, "cell": dataclasses.asdict(cell)}, indent=2))

    def _path(self, size: int | None, seed: int) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"cell-{'all' if size is None else size}-{seed}.json"


def examples_of(made: Augmented) -> dict[str, np.ndarray]:
    """The first images of each class."""
    shown: dict[str, np.ndarray] = {}
    for number, label in enumerate(made.classes):
        of_class = made.images[made.labels == number][:KEPT_PER_CLASS]
        if len(of_class):
            shown[label] = of_class
    return shown


def _labelled(made: Augmented) -> Labelled:
    return labelled(made.images, made.labels)


def _turned(one: Difference) -> Difference:
    return Difference(-one.mean, -one.high, -one.low, one.n)


def _check(
    data: Dataset,
    sizes: Sequence[int | None],
    seeds: int,
    per_class: int,
    rare: str | None,
    others: int,
    unlabelled: bool,
) -> tuple[Dataset, Dataset]:
    check_labelled(data)
    train, test = data.part("train") or data, data.part("test")
    if test is None or test.labels is None or not len(test):
        raise DataError(f"{data.name} has no test split with labels to measure a classifier on: raise data.holdout")
    if not sizes or any(size is not None and size < 1 for size in sizes):
        raise UsageError("sizes are numbers of labelled images of each class, at least 1, or None for all")
    if seeds < 1 or per_class < 1:
        raise UsageError(f"seeds and per_class must be at least 1 (got {seeds} and {per_class})")
    assert train.labels is not None
    counts = np.bincount(train.labels, minlength=len(train.spec.classes))
    if rare is None:
        largest = max((size for size in sizes if size is not None), default=1)
        small = int(np.argmin(counts))
        if counts[small] < largest:
            raise DataError(
                f"class {train.spec.classes[small]} of {train.name} has {counts[small]} training images, fewer than {largest}:"
                " choose smaller sizes"
            )
        return train, test
    if rare not in train.spec.classes:
        raise UsageError(f"there is no class {rare} in {train.name} (classes: {', '.join(train.spec.classes[:20])})")
    if train.spec.classes.index(rare) not in test.labels[:TEST_IMAGES]:
        raise DataError(
            f"no held-out image of {data.name} is of class {rare}, so its recall cannot be measured: raise data.holdout"
        )
    if unlabelled:
        raise UsageError("a rare class and unlabelled images do not go together: omit one")
    if any(size is None or size >= others for size in sizes):
        raise UsageError(f"with a rare class, sizes are numbers of its images, below the {others} of the other classes")
    if counts.min() < others and counts[np.arange(len(counts)) != train.spec.classes.index(rare)].min() < others:
        raise DataError(f"a class of {train.name} has fewer than {others} training images: choose fewer of the others")
    return train, test
