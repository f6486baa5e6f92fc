"""Data sets that are Python objects already: arrays, lists of images or paths, torch and torchvision data sets, Hugging Face
`datasets`, columns of a data frame. Nothing of theirs is imported; they are taken by what they can do.

    open_data(images)                             uint8 (N, H, W, C), a torch tensor, [PIL images], ["a.png", ...]
    open_data((images, labels))                   with a label for each
    open_data(torchvision.datasets.SVHN(...))     whatever gives (image, label) by number
    open_data({"train": ..., "test": ...})        splits, as a Hugging Face DatasetDict has them
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ganvas.data import arrays, folder
from ganvas.data.dataset import OBJECT_PREFIX
from ganvas.data.image import Broken, as_pil, open_regular
from ganvas.data.layout import TEST_NAMES, TRAIN_NAMES
from ganvas.data.scan import Files, Problems
from ganvas.data.settings import DataSettings
from ganvas.data.source import Arrays, Listing, Loaded, Progress, from_arrays
from ganvas.data.spool import Spool
from ganvas.errors import DataError

IMAGE_COLUMNS = ("image", "images", "img", "pixel_values", "pixels", "photo", "jpg", "png", "path", "file")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class", "y", "category")
RANGE_EXAMPLES = 256  # examples by which the range of floats is settled
RESERVED_COLUMNS = (
    "an array uint8 (N, H, W, C), a list of PIL images, arrays or paths, (images, labels), a data set that gives images or"
    " (image, label) by number, a Hugging Face data set, a data frame, or a dict of train and test"
)


@dataclasses.dataclass
class Examples:
    """One split: `image(i)` gives an image in one of the forms that are taken, `label(i)` its label or None."""

    count: int
    image: Callable[[int], Any]
    label: Callable[[int], int | str | None]
    classes: Sequence[str] = ()
    least: float = 0.0
    """The smallest of the floats in the first images: below 0, all are in [-1, 1]."""
    item: Callable[[int], tuple[Any, int | str | None]] | None = None
    """(image, label) at once, where asking costs something: then each row is asked for once, and kept in a file meanwhile."""

    def open(self, row: int) -> BinaryIO:
        """Image `row` as a file. Raises Broken."""
        return as_file(self.image(row), self.least)


def list_object(data: Any) -> Listing:
    """A Python object as a source; DataError says what is taken."""
    name = type(data).__name__
    splits = _splits(data)
    stacked = _stacked(splits)
    if stacked is not None:
        load: Callable[[DataSettings, Progress], Loaded] = functools.partial(_load_arrays, name, stacked)
        return Listing(name, OBJECT_PREFIX + name, None, load)
    examples = {split: examples_of(one) for split, one in splits.items()}
    fingerprints = [getattr(one, "_fingerprint", None) for one in splits.values()]  # of a Hugging Face data set
    identity = json.dumps(["hf", *fingerprints]) if all(isinstance(one, str) for one in fingerprints) else None
    return list_examples(examples, name, OBJECT_PREFIX + name, identity)


def list_examples(examples: Mapping[str, Examples], name: str, source: str, identity: str | None) -> Listing:
    """Splits of examples as a source."""

    files = functools.cache(lambda: files_of(examples, name))

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        return folder.load_files(files(), settings, progress)

    return Listing(name, source, identity, load)


def files_of(examples: Mapping[str, Examples], name: str) -> Files:
    """Examples as if they were files, named by split and number, with their labels."""
    places: dict[str, tuple[Examples, int]] = {}
    classes: Sequence[str] = ()
    for split, one in examples.items():
        classes = classes or one.classes
        for row in range(one.count):
            place = f"{split}/{row:08d}" if len(examples) > 1 else f"{row:08d}"
            places[place] = (one, row)

    spool = Spool()
    labels: dict[str, int | str | None] = {}
    problems: Problems = []
    for place, (one, row) in places.items():
        if one.item is None:
            labels[place] = one.label(row)
            continue
        image, labels[place] = one.item(row)
        try:
            with as_file(image, one.least) as file:
                spool.add(place, file.read())
        except Broken as error:
            problems.append((place, str(error)))

    def opened(place: str) -> BinaryIO:
        one, row = places[place]
        return spool.open(place) if one.item is not None else one.open(row)

    broken = {place for place, _ in problems}
    names = [place for place in places if place not in broken]
    files = Files(Path(name), opened, frozenset(), names=names, problems=problems, classes=tuple(classes))
    if any(label is not None for label in labels.values()):
        files.labels = labels
    return files


def examples_of(data: Any) -> Examples:
    """One split of any object that is taken; DataError for others."""
    if isinstance(data, tuple) and len(data) == 2 and _is_sequence(data[0]) and _is_sequence(data[1]):
        images, labels = data
        if len(images) != len(labels):
            raise DataError(f"{len(images)} images and {len(labels)} labels: one label for each is needed")
        return _settled(len(images), lambda row: images[row], lambda row: _plain(labels[row]))
    given = cast(Any, data)
    if hasattr(given, "features") and hasattr(given, "column_names"):
        return _of_hugging_face(given)
    if hasattr(given, "columns") and hasattr(given, "to_dict"):  # a data frame
        data = given.to_dict("records")
    elif (
        hasattr(given, "tolist") and not isinstance(given, np.ndarray) and not hasattr(given, "detach")
    ):  # one column of it
        data = given.tolist()
    if isinstance(data, str | bytes) or not hasattr(data, "__getitem__"):
        raise DataError(f"data is a {type(data).__name__}; this is taken: {RESERVED_COLUMNS}")
    try:
        count = len(data)
    except TypeError:
        raise DataError(
            f"this {type(data).__name__} has no length, as it streams: take a part of it, as in"
            " list(itertools.islice(data, 10000))"
        ) from None
    if count == 0:
        raise DataError(f"this {type(data).__name__} is empty")

    def image(row: int) -> Any:
        return _image_and_label(data[row])[0]

    def label(row: int) -> int | str | None:
        return _image_and_label(data[row])[1]

    examples = _settled(count, image, label, _class_names(data))
    lies_in_memory = isinstance(data, list | tuple | np.ndarray) or hasattr(data, "detach")
    if not lies_in_memory:  # a data set reads or computes its images
        examples.item = lambda row: _image_and_label(data[row])
    return examples


def as_file(image: Any, least: float = 0.0) -> BinaryIO:
    """An image in any form as a file: paths and bytes as they are, all others as PNG. Raises Broken."""
    if isinstance(image, Mapping) and ("bytes" in image or "path" in image):  # as Hugging Face stores it
        image = image["bytes"] if image.get("bytes") is not None else image.get("path")
    if isinstance(image, bytes | bytearray | memoryview):
        return io.BytesIO(bytes(image))
    if isinstance(image, str | Path):
        return open_regular(Path(image).expanduser())
    if hasattr(image, "convert") and hasattr(image, "save"):
        return _png_of(image)
    image = _as_array(image)
    if not isinstance(image, np.ndarray):
        raise Broken(f"a {type(image).__name__} is no image: PIL images, arrays, tensors, paths and bytes of files are")
    return _png_of(as_pil(_pixels(image, least)))


# --- the forms ------------------------------------------------------------------------------------------------------


def _splits(data: Any) -> dict[str, Any]:
    """By name, "train" first; one that is no mapping is all for training."""
    if not isinstance(data, Mapping):
        return {"train": data}
    if "images" in data:
        return {"train": (data["images"], data["labels"]) if "labels" in data else data["images"]}
    by_lower_name = {str(name).lower(): one for name, one in data.items()}
    train = [one for name, one in by_lower_name.items() if name in TRAIN_NAMES]
    test = [by_lower_name[name] for name in TEST_NAMES if name in by_lower_name]
    if not train:
        if len(data) == 1:
            return {"train": next(iter(data.values()))}
        raise DataError(
            f"a dict of data has train and perhaps test, or images and labels (got {', '.join(map(str, data))})"
        )
    return {"train": train[0], "test": test[0]} if test else {"train": train[0]}


def _stacked(splits: Mapping[str, Any]) -> dict[str, Arrays] | None:
    """Splits that are whole arrays or tensors, perhaps with labels; None where one is not."""
    stacked: dict[str, Arrays] = {}
    least = 0.0
    raw: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    for split, data in splits.items():
        images, labels = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
        images = _as_array(images)
        if not isinstance(images, np.ndarray) or images.ndim not in (3, 4) or images.dtype.kind not in "uifb":
            return None
        if labels is not None:
            labels = np.asarray(_as_array(labels))
        if images.dtype.kind == "f" and images.size:
            least = min(least, float(images.min()))
        raw[split] = (images, labels)
    for split, (images, labels) in raw.items():
        pixels = arrays.to_images(images, f"the array ({split})", least)
        if labels is not None:
            labels = arrays.checked_labels(labels, len(pixels), f"the labels ({split})")
        stacked[split] = Arrays(pixels, labels)
    return stacked


def _as_array(value: Any) -> Any:
    """A torch tensor as an array; anything else as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _load_arrays(name: str, splits: dict[str, Arrays], settings: DataSettings, progress: Progress) -> Loaded:
    return from_arrays(f"the {name}", splits, settings, progress)


def _of_hugging_face(data: Any) -> Examples:
    """A Hugging Face data set: images stay as the files they are, names of classes come from its features."""
    features: Mapping[str, Any] = data.features or {}
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    images = [name for name, kind in kinds.items() if kind == "Image"]
    images = images or [name for name in IMAGE_COLUMNS if name in kinds]
    if not images:
        raise DataError(f"this data set has no column of images: its columns are {', '.join(kinds) or 'none'}")
    column = images[0]
    if kinds[column] == "Image":
        data = data.cast_column(column, dataclasses.replace(features[column], decode=False))
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    labels = labels or [name for name in LABEL_COLUMNS if name in kinds]
    classes = list(getattr(features[labels[0]], "names", None) or ()) if labels else []
    label_values = data[labels[0]] if labels else None

    def label(row: int) -> int | str | None:
        return None if label_values is None else _plain(label_values[row])

    return _settled(len(data), lambda row: data[row][column], label, classes)


def _settled(
    count: int,
    image: Callable[[int], Any],
    label: Callable[[int], int | str | None],
    classes: Sequence[str] = (),
) -> Examples:
    """With the range of floats, from the first examples."""
    least = 0.0
    for row in range(min(count, RANGE_EXAMPLES)):
        pixels = _as_array(image(row))
        if not isinstance(pixels, np.ndarray) or pixels.dtype.kind != "f":
            break
        least = min(least, float(pixels.min()))
    return Examples(count, image, label, classes, least)


def _image_and_label(row: Any) -> tuple[Any, Any]:
    """Of one item: (image, label, ...), a dict of columns, or an image alone."""
    if isinstance(row, tuple | list) and row:
        return row[0], _plain(row[1]) if len(row) > 1 else None
    if isinstance(row, Mapping) and not ("bytes" in row or set(row) == {"path"}):
        columns = [name for name in IMAGE_COLUMNS if name in row]
        if not columns:
            raise DataError(f"none of the columns {', '.join(map(str, row))} is of images: name one `image`")
        labels = [name for name in LABEL_COLUMNS if name in row]
        return row[columns[0]], _plain(row[labels[0]]) if labels else None
    return row, None


def _plain(label: Any) -> int | str | None:
    """An integer or a text; None where there is none, and for labels of other kinds, such as boxes and masks."""
    if hasattr(label, "item") and getattr(label, "ndim", 0) == 0:
        label = label.item()
    if isinstance(label, float) and label.is_integer():  # how a table with gaps stores integers
        return int(label)
    return label if isinstance(label, int | str) else None


def _class_names(data: Any) -> Sequence[str]:
    classes = getattr(data, "classes", None)
    if isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes):
        return classes
    return ()


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | bytes)


def _pixels(image: np.ndarray, least: float) -> np.ndarray:
    """(H, W, C) uint8 of (H, W), (H, W, C) or (C, H, W)."""
    if image.ndim not in (2, 3) or not image.size:
        raise Broken(f"an array of shape {image.shape} is no image: (H, W), (H, W, C) or (C, H, W) is")
    if image.ndim == 3 and image.shape[0] in (1, 3, 4) and image.shape[2] not in (1, 3, 4):
        image = np.moveaxis(image, 0, -1)
    elif image.ndim == 2:
        image = image[..., None]
    if image.shape[2] not in (1, 2, 3, 4):
        raise Broken(f"an array of shape {image.shape} is no image: 1 to 4 channels can be")
    try:
        return arrays.to_bytes(image, "the array", least)
    except DataError as error:
        raise Broken(str(error)) from error


def _png_of(image: Any) -> BinaryIO:
    """A PIL image as PNG, not compressed."""
    buffer = io.BytesIO()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    image.save(buffer, "PNG", compress_level=0)
    buffer.seek(0)
    return buffer
