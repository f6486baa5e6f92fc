"""Examples without a label: -1 and None say so, wherever labels come from."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data, png_bytes
from ganvas.data.labels import choose_labels
from ganvas.errors import DataError
from parts import held_out, labels_of

Noise = Callable[..., np.ndarray]


def test_numbers_and_notes_by_hand():
    chosen = choose_labels({"train": np.array([5, 7, 5])}, {"train": 3})
    assert chosen.classes == ("5", "7") and chosen.notes == ()
    assert chosen.numbers["train"] is not None and chosen.numbers["train"].tolist() == [0, 1, 0]

    many: list[int | str | None] = ["b", None, *"ab" * 9]
    chosen = choose_labels({"train": many}, {"train": 20})
    assert chosen.classes == ("a", "b") and chosen.rows["train"].tolist() == [0, *range(2, 20)]
    assert chosen.numbers["train"] is not None and chosen.numbers["train"][:4].tolist() == [1, -1, 0, 1]
    assert chosen.notes == ("passed over: 1 of 20 images of the train split, which have no label (-1 or nothing)",)

    chosen = choose_labels({"train": [0, 1, None, 1]}, {"train": 4})
    assert chosen.numbers == {"train": None} and chosen.rows["train"].tolist() == [0, 1, 2, 3]
    assert chosen.notes == ("no labels: 1 of 4 images to train on have none (-1 or nothing in its place)",)
    for nothing in (choose_labels({"train": np.full(4, -1)}, {"train": 4}), choose_labels({}, {"train": 4})):
        assert nothing.numbers == {"train": None} and len(nothing.rows["train"]) == 4 and nothing.notes == ()


def test_minus_one_is_a_class_beside_one():
    chosen = choose_labels({"train": np.array([-1, 1, 1])}, {"train": 3})
    assert chosen.classes == ("-1", "1") and not chosen.notes
    named = choose_labels({"train": np.array([-1, *[0, 1] * 9])}, {"train": 19}, ["a", "b"])
    assert named.classes == ("a", "b") and len(named.rows["train"]) == 18


def test_integers_of_a_table_with_gaps():
    labels = np.array([np.nan, *[0.0, 3.0] * 9])
    chosen = choose_labels({"train": labels}, {"train": 19})
    assert chosen.classes == ("0", "3") and len(chosen.rows["train"]) == 18
    with pytest.raises(DataError, match="integers or text, got float64"):
        choose_labels({"train": labels + 0.5}, {"train": 19})


def test_a_test_split_without_labels_is_not_used(noise: Noise):
    labels = np.arange(20) % 2
    data = open_data({"train": (noise(20, 8, 8), labels), "test": (noise(5, 8, 8), np.full(5, -1))})
    assert data.spec.classes == ("0", "1") and (len(data), len(held_out(data))) == (18, 2)
    assert "the test split is not used: 5 of 5 images in it have no label" in data.notes[0]
    data = open_data({"train": (noise(20, 8, 8), np.full(20, -1)), "test": (noise(5, 8, 8), np.full(5, -1))})
    assert not data.spec.classes and (len(data), len(held_out(data))) == (20, 5) and not data.notes


@pytest.mark.parametrize("form", ["arrays", "list"])
def test_one_none_among_labels_is_passed_over(form: str, noise: Noise):
    pixels = noise(20, 8, 8, 3)
    labels: list[int | None] = [None, *(row % 2 for row in range(1, 20))]
    data = open_data((pixels, labels) if form == "arrays" else (list(pixels), labels), holdout=0)
    assert data.spec.classes == ("0", "1") and len(data) == 19 and "passed over: 1 of 20 images" in data.notes[0]
    assert pixels[0].tobytes() not in [one.tobytes() for one in data.images] and (labels_of(data) >= 0).all()


def test_hugging_face_marks_a_test_split_by_minus_one(noise: Noise):
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})

    def split(count: int, labels: list[int]):
        rows = {"img": [Image.fromarray(one) for one in noise(count, 8, 8, 3)], "label": labels}
        return datasets.Dataset.from_dict(rows, features=features)

    data = open_data(datasets.DatasetDict({"train": split(20, [0, 1] * 10), "test": split(4, [-1] * 4)}))
    assert data.spec.classes == ("cat", "dog") and (len(data), len(held_out(data))) == (18, 2)
    assert "the test split is not used: 4 of 4" in data.notes[0]


def test_a_tar_whose_labels_lie_beside_its_images_says_nothing_of_folders(tmp_path: Path):
    """Its images lie partly in folders: without the .cls files, folders would say no labels."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(12):
            stem = f"{'xyz'[number % 3]}/{number}" if number < 8 else f"{number}"
            files = {
                f"{stem}.png": png_bytes(np.full((8, 8, 1), 9 * number, np.uint8)),
                f"{stem}.cls": b"%d" % (number % 2),
            }
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    data = open_data(tmp_path / "a.tar", holdout=0)
    assert data.spec.classes == ("0", "1") and not data.notes and len(data) == 12
