"""Labelled images of class-conditional methods: what is generated, what the agreement check omits, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas
from ganvas import tasks
from ganvas.data import Dataset, open_data
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.metrics import label_accuracy
from ganvas.registry import create
from ganvas.run import load
from ganvas.tasks.augment import (
    check_no_test_images,
    class_conditional_methods,
    class_folder,
    generator_data,
    write_augmented,
)
from parts import held_out, labels_of


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """400 training digits and 100 held-out ones."""
    data = open_data("digits")
    test = held_out(data)
    path = tmp_path_factory.mktemp("digits") / "few.npz"
    np.savez(
        path, x_train=data.images[:400], y_train=labels_of(data)[:400], x_test=test.images[:100],
        y_test=labels_of(test)[:100],
    )  # fmt: skip
    return open_data(path)


def built(name: str, data: Dataset, **settings: object) -> Method:
    method = create(name, "tiny", settings)
    method.setup(data.spec)
    return method.requires_grad_(False).eval()


class Remembered(torch.nn.Module):
    """A generator that returns training images of a class, every fourth of another one."""

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.by_class: list[torch.Tensor] = []
        for number in range(10):
            rows = np.flatnonzero(labels_of(data) == number)
            self.by_class.append(torch.from_numpy(np.array(data.images[rows])).permute(0, 3, 1, 2) / 127.5 - 1)
        self.calls = 0

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        images: list[torch.Tensor] = []
        for label in labels.tolist():
            shown = (label + 1) % 10 if self.calls % 4 == 0 else label
            images.append(self.by_class[shown][self.calls % len(self.by_class[shown])])
            self.calls += 1
        return torch.stack(images)


def test_the_check_keeps_what_shows_its_class(digits: Dataset) -> None:
    method = built("r3gan", digits, conditional=True)
    method.G = Remembered(digits)
    result = tasks.augment(method, digits, per_class=16, seed=7)
    assert len(result) == 160 and np.array_equal(np.bincount(result.labels), np.full(10, 16))
    assert result.accuracy is not None and result.accuracy > 0.8
    # A quarter shows another class; the classifier, which is not perfect, omits these.
    assert 0.6 < (result.agreement or 0) < 0.85
    assert label_accuracy(result.images, result.labels).value > 0.95
    unchecked = tasks.augment(method, digits, per_class=16, seed=7, check=False)
    assert label_accuracy(unchecked.images, unchecked.labels).value < 0.85
    assert unchecked.agreement is None and "no agreement check" in unchecked.check_sentence
    assert [one.kept for one in result.counts] == [16] * 10
    assert all(one.agreed <= one.generated for one in result.counts)


def test_an_image_is_that_of_its_seed_and_class(digits: Dataset, tmp_path: Path) -> None:
    method = built("r3gan", digits, conditional=True)
    result = tasks.augment(method, digits, per_class=3, seed=40, check=False)
    row = int(np.flatnonzero((result.labels == 8) & (result.seeds == 41))[0])
    again = np.asarray(tasks.sample(method, 1, seed=41, label=8))
    assert np.array_equal(result.images[row], again[0])
    # The folder is a data set with these labels.
    write_augmented(result, tmp_path / "more", method)
    more = open_data(tmp_path / "more", holdout=0)
    assert more.spec.classes == digits.spec.classes and len(more) == 30
    assert (tmp_path / "more" / "8" / "seed000041.png").is_file()
    with pytest.raises(UsageError, match="holds something already"):
        write_augmented(result, tmp_path / "more", method)


def test_a_method_that_shows_nothing_is_refused(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.tasks.classifier.LEAST_STEPS", 20)  # any classifier sees one class in all
    method = built("r3gan", digits, conditional=True)
    method.G = Constant()
    few = tasks.augment(method, digits, per_class=2)
    assert len(few) == 2 and len(few.notes) == 9  # a black image is of some class, and of no other
    assert "only 0 of 2 images, as 0 of 8 agree" in few.notes[0]


class Constant(torch.nn.Module):
    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.full((len(z), 1, 28, 28), -1.0)


def test_generators_see_each_class_equally_often(digits: Dataset) -> None:
    labels = labels_of(digits)
    rows = np.concatenate([np.flatnonzero(labels == number)[: 2 if number == 3 else 8] for number in range(10)])
    given = generator_data(digits, rows, 0, "few")
    assert given.spec.class_counts == (160,) * 10
    again = generator_data(digits, rows, 0, "few")
    assert again.fingerprint == given.fingerprint != generator_data(digits, rows, 1, "few").fingerprint
    assert not any((image == given.images[0]).all() for image in digits.images[rows])  # a changed copy
    assert given.spec.total_variance == pytest.approx(digits.spec.total_variance, rel=0.3)
    one_large = np.concatenate([np.flatnonzero(labels == 0)[:30], np.flatnonzero(labels == 1)[:1]])
    assert generator_data(digits, np.tile(one_large, 40), 0, "unequal").spec.class_counts[:2] == (1200, 1200)
    unequal = np.concatenate(
        [np.tile(np.flatnonzero(labels == 0), 60), *(np.flatnonzero(labels == one)[:1] for one in range(1, 10))]
    )
    large = len(unequal) - 9
    assert generator_data(digits, unequal, 0, "unequal").spec.class_counts == (large, *[2 * len(unequal) // 10] * 9)
    many = generator_data(digits, np.tile(np.arange(400), 6), 0, "many")
    assert {image.tobytes() for image in many.images} <= {image.tobytes() for image in digits.images}


def test_test_images_are_never_carried_over(digits: Dataset, tmp_path: Path) -> None:
    test = held_out(digits)
    np.savez(tmp_path / "leak.npz", images=np.concatenate([digits.images[:30], test.images[:12]]), labels=np.r_[
        labels_of(digits)[:30], labels_of(test)[:12]])  # fmt: skip
    leak = open_data(tmp_path / "leak.npz", holdout=0)
    run = ganvas.train(
        "r3gan", leak, out=tmp_path / "run", preset="tiny", steps=1, samples=0, settings={"conditional": True}, quiet=True,
        device="cpu",
    )  # fmt: skip
    with pytest.raises(DataError, match="trained on 12 of the 100 test images"):
        run.augment(digits, per_class=2)
    honest = {"fingerprint": digits.fingerprint, "seed": 0}
    check_no_test_images(honest, digits, lambda: leak)  # its own training images: nothing is opened
    changed = generator_data(digits, np.arange(len(digits)), 5, "few").fingerprint
    check_no_test_images({"fingerprint": changed, "seed": 5}, digits, lambda: leak)
    with pytest.raises(DataError, match="cannot be opened: there is no data set and no path"):
        check_no_test_images({"fingerprint": "other", "seed": 0}, digits, lambda: open_data("gone.npz"))


def test_a_run_has_the_method(digits: Dataset, tmp_path: Path) -> None:
    run = ganvas.train(
        "vae", digits, out=tmp_path / "run", preset="tiny", steps=2, samples=0, settings={"conditional": True}, quiet=True,
        device="cpu",
    )  # fmt: skip
    result = load(run.folder).augment(per_class=2, check=False)
    assert len(result) == 20 and result.images.shape == (20, 28, 28, 1)


def test_clear_errors(digits: Dataset) -> None:
    method = built("r3gan", digits, conditional=True)
    with pytest.raises(RunError, match=r"this r3gan is not class-conditional.*conditional=true"):
        tasks.augment(built("r3gan", digits), digits)
    with pytest.raises(RunError, match="not class-conditional"):
        tasks.augment(built("denoise", digits), digits)
    with pytest.raises(UsageError, match="per_class must be at least 1"):
        tasks.augment(method, digits, per_class=0)
    with pytest.raises(DataError, match="has no labels"):
        tasks.augment(method, dataclasses.replace(digits, labels=None))
    wider: Any = open_data("emoji")
    with pytest.raises(DataError, match=r"generates images of .*\(1, 28, 28\); those of emoji are \(3, 32, 32\)"):
        tasks.augment(method, wider)
    renamed = dataclasses.replace(digits, spec=dataclasses.replace(digits.spec, classes=tuple("abcdefghij")))
    with pytest.raises(DataError, match=r"was trained on the classes 0, 1, 2, 3, 4, .*; few has a, b, c, d, e, "):
        tasks.augment(method, renamed)


def test_names_of_classes_never_leave_the_folder() -> None:
    assert [class_folder(name, 3) for name in ("cat", "T-shirt (red)", "été")] == ["cat", "T-shirt (red)", "été"]
    for name in ("..", "../x", "a/b", "a\\b", ".hidden", "x.", "", "con\n", "a" * 200):
        assert class_folder(name, 3) == "class0003", name


def test_methods_that_can_be_asked_for_a_class() -> None:
    names = class_conditional_methods()
    assert {"cgan", "r3gan", "vae"} <= set(names) and not {"gan", "rnn_text", "wavenet", "cyclegan"} & set(names)
