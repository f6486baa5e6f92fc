"""Python objects as data: arrays, tensors, lists, data sets of torch and others; what they give is what files would."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset as TorchDataset

import ganvas
from ganvas.data import Dataset, open_data
from ganvas.errors import DataError, GanvasError
from parts import held_out, labels_of


@pytest.fixture
def pixels() -> np.ndarray:
    """Twenty images of 12 x 10 whose first pixel says which one it is."""
    images = np.random.default_rng(3).integers(0, 256, (20, 12, 10, 3), dtype=np.uint8)
    images[:, 0, 0] = np.arange(20)[:, None] * 10
    return images


def in_order(data: Dataset) -> np.ndarray:
    return data.images[np.argsort(data.images[:, 0, 0, 0])]


class Squares(TorchDataset):
    """As torchvision writes them: (image, label) by number, with names of classes."""

    classes = ["even", "odd"]

    def __init__(self, images: np.ndarray, transform=Image.fromarray) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int):
        return self.transform(self.images[row]), row % 2


def test_every_form_gives_the_same_images(pixels: np.ndarray, tmp_path: Path):
    files = []
    for number, one in enumerate(pixels):
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(one).save(files[-1])
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    forms = {
        "array": pixels,
        "channels first": pixels.transpose(0, 3, 1, 2),
        "tensor": planes,
        "floats": planes.float() / 255,
        "signed floats": planes.float() / 127.5 - 1,
        "list of arrays": list(pixels),
        "list of PIL": [Image.fromarray(one) for one in pixels],
        "list of tensors": list(planes),
        "list of float tensors": list(planes.float() / 127.5 - 1),
        "paths": files,
        "Path objects": [Path(name) for name in files],
        "bytes": [Path(name).read_bytes() for name in files],
        "rows": [{"image": name} for name in files],
        "dict": {"train": files},
    }
    for name, form in forms.items():
        data = open_data(form, holdout=0)
        assert data.images.shape == (20, 12, 10, 3), name
        assert np.array_equal(in_order(data), pixels), name


def test_labels(pixels: np.ndarray):
    labels = np.arange(20) % 2
    for source in ((pixels, labels), (list(pixels), labels.tolist()), {"images": pixels, "labels": labels}):
        data = open_data(source, holdout=0)
        assert data.spec.classes == ("0", "1")
        assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    data = open_data([{"image": one, "label": "ab"[row % 2]} for row, one in enumerate(pixels)], holdout=0)
    assert data.spec.classes == ("a", "b") and ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()


def test_a_torch_data_set_with_its_classes_and_splits(pixels: np.ndarray):
    data = open_data(Squares(pixels), holdout=0)
    assert data.spec.classes == ("even", "odd") and data.name == "Squares"
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    split = open_data({"train": Squares(pixels[:15]), "test": Squares(pixels[15:])})
    assert (len(split), len(held_out(split))) == (15, 5) and labels_of(held_out(split)).sum() == 2
    as_tensor = Squares(pixels, lambda one: torch.from_numpy(one).permute(2, 0, 1).float() / 255)
    assert np.array_equal(in_order(open_data(as_tensor, holdout=0)), pixels)


class Targets(Squares):
    """With labels that can be had without the images, as torchvision's ImageFolder has them."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__(images)
        self.targets = [row % 2 for row in range(len(images))]
        self.asked: list[int] = []

    def __getitem__(self, row: int):
        self.asked.append(row)
        return super().__getitem__(row)


def test_targets_are_read_without_their_images(pixels: np.ndarray):
    """Each image is asked for once, and the first one before that: does it hold floats?"""
    source = Targets(pixels)
    data = open_data(source, holdout=0)
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    assert sorted(source.asked) == sorted([0, *range(20)])


class Recorded(Squares):
    """Labels come with the images only; it notes what was asked for."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__(images)
        self.asked: list[int] = []

    def __getitem__(self, row: int):
        self.asked.append(row)
        return super().__getitem__(row)


def test_a_data_set_without_targets_is_read_once(pixels: np.ndarray):
    source = Recorded(pixels)
    data = open_data(source, holdout=0)
    assert np.array_equal(in_order(data), pixels)
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    assert sorted(source.asked) == sorted([0, *range(20)])


def test_images_of_several_sizes_are_resized_as_those_of_files(pixels: np.ndarray):
    data = open_data([*pixels, np.zeros((40, 20, 3), np.uint8)], size=8, holdout=0)
    assert data.images.shape == (21, 8, 8, 3) and "21 of 21 images have another size" in data.notes[0]


class Frame:
    """What a data frame can do, as far as it is used."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self.rows, self.columns = rows, list(rows[0])

    def to_dict(self, orient: str) -> list[dict[str, object]]:
        assert orient == "records"
        return self.rows


class Column:
    """A column of one."""

    def __init__(self, values: list[str]) -> None:
        self.values = values

    def tolist(self) -> list[str]:
        return self.values


def test_data_frames_and_their_columns(pixels: np.ndarray, tmp_path: Path):
    paths = []
    for number, one in enumerate(pixels):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(one).save(paths[-1])
    assert np.array_equal(in_order(open_data(Column(paths), holdout=0)), pixels)
    frame = Frame([{"path": path, "label": number % 2} for number, path in enumerate(paths)])
    data = open_data(frame, holdout=0)
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "data is a int; this is taken: an array uint8"),
        (itertools.count(), "data is a count"),
        ([], "this list is empty"),
        (([1, 2], [1]), "2 images and 1 labels"),
        ([{"text": "x"}, {"text": "y"}], "none of the columns text is of images"),
        ({"a": [], "b": []}, "a dict of data has train and perhaps test"),
        ([object(), object()], "a object is no image"),
        ([np.zeros((2, 2, 9), np.uint8)] * 2, "1 to 4 channels can be"),
        ([np.zeros((4, 4), np.uint16) + 9] * 3, "do these hold bytes"),
        (["/nowhere/a.png", "/nowhere/b.png"], "there is no such file"),
    ],
)
def test_what_cannot_be_taken(source: object, message: str):
    with pytest.raises(DataError, match=message):
        open_data(source)


def test_training_on_an_object_and_resuming_it(pixels: np.ndarray, tmp_path: Path):
    data = Squares(np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    options = {
        "preset": "tiny",
        "samples": 0,
        "settings": {"batch_size": 4},
        "out": tmp_path / "r",
        "device": "cpu",
    }
    run = ganvas.train("gan", data, steps=2, **options)
    assert run.info["data"] == "python:Squares"
    assert ganvas.train("gan", data, steps=3, resume="auto", **options).info["fingerprint"] == run.info["fingerprint"]
    with pytest.raises(GanvasError, match="was trained on a Python object"):
        ganvas.train(resume=tmp_path / "r", steps=4)
    with pytest.raises(GanvasError, match="with other content"):
        ganvas.train("gan", Squares(data.images[:30]), steps=4, resume="auto", **options)
