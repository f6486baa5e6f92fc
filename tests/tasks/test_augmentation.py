"""Whether generated images help: tables and verdicts of known cells, a perfect generator that must help, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.data import Dataset, open_data
from ganvas.data.dataset import subset
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import create
from ganvas.report.augment_page import write_evaluation_page
from ganvas.tasks.augmentation import (
    BOTH,
    GENERATED,
    NOTHING,
    OVERSAMPLED,
    PSEUDO,
    STANDARD,
    WAYS,
    Cell,
    Evaluation,
    evaluate_augmentation,
    labelled_rows,
)
from parts import held_out, labels_of


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """1,000 training digits and 300 held-out ones."""
    data = open_data("digits")
    test = held_out(data)
    path = tmp_path_factory.mktemp("digits") / "few.npz"
    np.savez(
        path, x_train=data.images[:1000], y_train=labels_of(data)[:1000], x_test=test.images[:300],
        y_test=labels_of(test)[:300],
    )  # fmt: skip
    return open_data(path)


class Unseen(torch.nn.Module):
    """As good as a generator can be: it returns real digits that are in neither split."""

    def __init__(self) -> None:
        super().__init__()
        data = open_data("digits")
        images, labels = data.images[1000:3000], labels_of(data)[1000:3000]
        self.by_class = []
        for number in range(10):
            self.by_class.append(torch.from_numpy(np.array(images[labels == number])).permute(0, 3, 1, 2) / 127.5 - 1)
        self.calls = 0

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        images: list[torch.Tensor] = []
        for label in labels.tolist():
            images.append(self.by_class[label][self.calls % len(self.by_class[label])])
            self.calls += 1
        return torch.stack(images)


def perfect(images: Dataset, name: str, seed: int) -> Method:
    method = create("r3gan", "tiny", {"conditional": True})
    method.setup(images.spec)
    method.G = Unseen()
    return method.requires_grad_(False).eval()


def test_a_perfect_generator_helps_and_is_not_asked_twice(digits: Dataset, tmp_path: Path) -> None:
    seen: list[tuple[str, int, tuple[int, ...]]] = []

    def make(images: Dataset, name: str, seed: int) -> Method:
        seen.append((name, seed, images.spec.class_counts))
        return perfect(images, name, seed)

    lines: list[str] = []
    result = evaluate_augmentation(
        digits,
        make,
        generator="real digits",
        sizes=(5,),
        seeds=2,
        per_class=60,
        steps=80,
        folder=tmp_path,
        report=lines.append,
    )
    assert seen == [("5-0", 0, (100,) * 10), ("5-1", 1, (100,) * 10)]
    rows = {row.way: row for row in result.rows(5)}
    assert set(rows) == {NOTHING, STANDARD, GENERATED, BOTH}
    assert rows[GENERATED].mean > rows[NOTHING].mean + 0.1
    assert len(lines) == 2 and lines[0].startswith("5 labelled images a class, seed 0: nothing 0.")
    cell = result.cells[0]
    assert cell.labelled == 50 and cell.agreement is not None and cell.agreement > 0.6
    # Again: nothing is trained, and the result is the same.
    again = evaluate_augmentation(
        digits, make, generator="real digits", sizes=(5,), seeds=2, per_class=60, steps=80, folder=tmp_path
    )
    assert len(seen) == 2 and again.cells == result.cells
    with pytest.raises(RunError, match="is of other data, another generator or other settings"):
        evaluate_augmentation(digits, make, generator="others", sizes=(5,), seeds=1, per_class=60, folder=tmp_path)
    (tmp_path / "cell-5-0.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        evaluate_augmentation(digits, make, generator="x", sizes=(5,), seeds=1, folder=tmp_path)
    page = tmp_path / "page.html"
    write_evaluation_page(result, page)
    text = page.read_text()
    assert result.verdict(5) in text and text.count("<img") == 80 and "http" not in text.split("<body>")[1]
    json.dumps(result.as_dict())


def test_a_rare_class_is_filled_up(digits: Dataset) -> None:
    given: list[tuple[int, ...]] = []

    def make(images: Dataset, name: str, seed: int) -> Method:
        given.append(images.spec.class_counts)
        return perfect(images, name, seed)

    result = evaluate_augmentation(digits, make, sizes=(4,), seeds=1, rare="9", others=50, steps=80)
    assert given == [(200,) * 10]  # 4 changed copies of 50, and as many of the rare ones
    cell = result.cells[0]
    assert cell.labelled == 9 * 50 + 4
    assert cell.scores[GENERATED] > cell.scores[NOTHING] + 0.2
    assert set(cell.balanced) == set(cell.scores) == {way.name for way in result.ways}
    head, table = result.table(4)
    assert head[1] == "recall of 9" and head[3] == "mean recall of all classes"
    assert [row[0] for row in table][:2] == [NOTHING, OVERSAMPLED]


def test_unlabelled_images_have_rows_of_their_own(digits: Dataset) -> None:
    given: dict[str, int] = {}

    def make(images: Dataset, name: str, seed: int) -> Method:
        given[name] = images.spec.count
        return perfect(images, name, seed)

    few = subset(digits, np.arange(300), "few")
    few = dataclasses.replace(few, _parts={"train": few, "test": held_out(digits)})
    result = evaluate_augmentation(few, make, sizes=(3,), seeds=1, per_class=20, unlabelled=True, steps=80)
    assert given == {"3-0": 600, "3-0-rest": 300}
    assert result.cells[0].scores[PSEUDO] > 0.3 and result.cells[0].rest_agreement is not None


def test_labelled_images_of_a_seed() -> None:
    labels = np.array([0, 1] * 50)
    five, ten = labelled_rows(labels, 5, 3), labelled_rows(labels, 10, 3)
    assert np.array_equal(np.bincount(labels[five]), [5, 5]) and set(five) < set(ten)
    assert not np.array_equal(five, labelled_rows(labels, 5, 4))
    assert len(labelled_rows(labels, None, 0)) == 100
    rare = labelled_rows(labels, 2, 0, rare=1, others=30)
    assert np.array_equal(np.bincount(labels[rare]), [30, 2])


def evaluation(nothing: list[float], standard: list[float], generated: list[float], both: list[float]) -> Evaluation:
    cells: list[Cell] = []
    for seed, scores in enumerate(zip(nothing, standard, generated, both, strict=True)):
        cells.append(Cell(10, seed, 100, dict(zip((NOTHING, STANDARD, GENERATED, BOTH), scores, strict=True))))
    return Evaluation("digits", "", cells, WAYS, 1000, tuple("0123456789"))


def test_verdicts_of_known_tables() -> None:
    """Differences of 0.04, 0.05, 0.06: mean 0.05, s 0.01, t(2) 4.3027: 0.05 +- 0.0248."""
    better = evaluation([0.7, 0.7, 0.7], [0.9, 0.91, 0.9], [0.74, 0.75, 0.76], [0.9, 0.91, 0.9])
    assert better.verdict(10) == (
        "10 labelled images a class: generated images help over nothing else, +5.0 points (+2.5 to +7.5); standard alone is"
        " better than generated images, by +15.3 points (+12.5 to +18.2); both together add nothing measurable to it"
        " (+0.0 points (+0.0 to +0.0))"
    )
    same = evaluation([0.7, 0.71, 0.7], [0.7, 0.71, 0.7], [0.69, 0.72, 0.7], [0.75, 0.76, 0.75])
    assert "do not help measurably, +0.0 points" in same.verdict(10)
    assert "no measurable difference to standard alone" in same.verdict(
        10
    ) and "beat it by +5.0 points" in same.verdict(10)
    worse = evaluation([0.8, 0.8, 0.8], [0.5, 0.5, 0.5], [0.6, 0.6, 0.6], [0.4, 0.4, 0.4])
    assert "generated images harm, -20.0 points" in worse.verdict(10)
    assert "they beat standard by +10.0 points" in worse.verdict(10) and "are worse than it" in worse.verdict(10)
    head, rows = better.table(10)
    assert head == ["", "accuracy", "spread", "over nothing", "over standard"]
    assert rows[0] == ["nothing", "0.700", "0.000", "", "-20.3 points (-21.8 to -18.9)"]
    one = evaluation([0.7], [0.9], [0.8], [0.9])
    assert "one seed says nothing about the spread" in one.verdict(10)


def test_clear_errors(digits: Dataset) -> None:
    for options, error, message in [
        ({"sizes": (200,)}, DataError, r"class \d of few has \d+ training images, fewer than 200: choose smaller"),
        ({"sizes": (0,)}, UsageError, "numbers of labelled images"),
        ({"sizes": (5,), "seeds": 0}, UsageError, "seeds and per_class must be at least 1"),
        ({"sizes": (5,), "rare": "cat"}, UsageError, "there is no class cat in few"),
        ({"sizes": (60,), "rare": "9", "others": 50}, UsageError, "below the 50 of the other classes"),
        ({"sizes": (5,), "rare": "9", "others": 500}, DataError, "fewer than 500 training images"),
        ({"sizes": (5,), "rare": "9", "others": 50, "unlabelled": True}, UsageError, "do not go together"),
    ]:
        with pytest.raises(error, match=message):
            evaluate_augmentation(digits, perfect, **options)
    test = held_out(digits)
    without = dataclasses.replace(
        digits, _parts={"train": digits, "test": subset(test, np.flatnonzero(labels_of(test) < 9), "few")}
    )
    with pytest.raises(DataError, match="no held-out image of few is of class 9"):
        evaluate_augmentation(without, perfect, sizes=(5,), rare="9", others=50)
    with pytest.raises(DataError, match="no test split with labels"):
        evaluate_augmentation(subset(digits, np.arange(50), "few"), perfect, sizes=(2,))
    with pytest.raises(DataError, match="has no labels"):
        evaluate_augmentation(dataclasses.replace(digits, labels=None), perfect, sizes=(2,))
