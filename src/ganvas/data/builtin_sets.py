"""The sets that the package ships, and one that is made from them. See builtin/README.md for where they come
from."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import numpy as np

from ganvas.data import moving_digits
from ganvas.data.settings import DataSettings
from ganvas.data.source import Arrays, Listing, Loaded, Progress, from_arrays, mix
from ganvas.data.video_source import from_videos
from ganvas.data.volume import from_volumes

STACKED_PER_MODE = {"train": 10, "test": 2}
SHAPES_TRAIN = 400  # of the 500; the others are the test split


def digits(settings: DataSettings, progress: Progress) -> Loaded:
    """MNIST digits (28, 28, 1): 663 training and 200 test images of each class."""
    return _ready("digits", _digits(), settings, progress, [str(digit) for digit in range(10)])


def stacked_digits(settings: DataSettings, progress: Progress) -> Loaded:
    """Three digits as red, green and blue (28, 28, 3): 1000 modes, label 100 r + 10 g + b (Che 2017,
    arXiv:1612.02136).

    Departs from the usual random draw: each mode occurs equally often, 10 times in training and twice in the test
    split. The digits of the two splits come from the digits' own two.
    """
    stored = _digits()
    splits = {
        "train": _stacked(stored["train"], STACKED_PER_MODE["train"]),
        "test": _stacked(stored["test"], STACKED_PER_MODE["test"]),
    }
    return _ready("stacked_digits", splits, settings, progress, [f"{mode:03d}" for mode in range(1000)])


def emoji(settings: DataSettings, progress: Progress) -> Loaded:
    """Emoji (32, 32, 3) as Google draws them (Noto), with Twitter's of the same id (Twemoji) as partners; ten
    categories."""
    return _emoji("google", "twitter", settings, progress)


def emoji_twitter(settings: DataSettings, progress: Progress) -> Loaded:
    """`emoji` the other way round: Twitter's drawings, with Google's as partners."""
    return _emoji("twitter", "google", settings, progress)


def moving_digits_clips(settings: DataSettings, progress: Progress) -> Loaded:
    """Digits that move and bounce (16, 32, 32, 1): 4,000 clips for training and 1,000 of test digits, labelled by digit."""
    stored = _digits()
    splits: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    offset = 0
    for name, part in stored.items():
        assert part.labels is not None
        motion = moving_digits.Motion(moving_digits.COUNTS[name], len(part.images), offset)
        offset += moving_digits.COUNTS[name]
        frames = (settings.frames or moving_digits.FRAMES) * (settings.every or 1)
        clips = moving_digits.moving_clips(part.images[..., 0], motion, frames)
        splits[name] = (clips, part.labels[motion.digits])
    classes = [str(digit) for digit in range(10)]
    return from_videos("moving_digits", splits, moving_digits.RATE, settings, progress, classes)


def shapes(settings: DataSettings, progress: Progress) -> Loaded:
    """Voxelised objects (32, 32, 32) made of boxes and cylinders: 400 training and 100 test volumes."""
    volumes = np.unpackbits(_stored("shapes")["volumes"], axis=-1) * np.uint8(255)
    rows = {"train": np.arange(SHAPES_TRAIN), "test": np.arange(SHAPES_TRAIN, len(volumes))}
    return from_volumes("shapes", volumes, rows, settings, progress)


BUILTIN_SETS: dict[str, Callable[[DataSettings, Progress], Loaded]] = {
    "digits": digits,
    "stacked_digits": stacked_digits,
    "emoji": emoji,
    "emoji:twitter": emoji_twitter,
    "moving_digits": moving_digits_clips,
    "shapes": shapes,
}
OTHER_KINDS = {"moving_digits": "video", "shapes": "volumes"}  # of those that are no images


def listing(name: str) -> Listing:
    """The set `name`, one of BUILTIN_SETS."""
    identity = (
        f"moving_digits {moving_digits.CLIPS_VERSION}" if name == "moving_digits" else None
    )  # its clips take a second
    return Listing(name, name, identity, BUILTIN_SETS[name], kind=OTHER_KINDS.get(name, "images"))


def _ready(
    name: str, splits: dict[str, Arrays], settings: DataSettings, progress: Progress, classes: list[str]
) -> Loaded:
    return from_arrays(name, splits, settings, progress, classes=classes, shuffled=True)


def _digits() -> dict[str, Arrays]:
    stored = _stored("digits")
    return {
        "train": Arrays(stored["x_train"][..., None], stored["y_train"].astype(np.int64)),
        "test": Arrays(stored["x_test"][..., None], stored["y_test"].astype(np.int64)),
    }


def _stacked(digits: Arrays, per_mode: int) -> Arrays:
    assert digits.labels is not None
    members = np.stack([np.flatnonzero(digits.labels == digit) for digit in range(10)])
    modes = np.repeat(np.arange(1000), per_mode)
    numerals = np.stack([modes // 100, modes // 10 % 10, modes % 10], axis=1)
    picks = mix(np.arange(3 * len(modes)).reshape(-1, 3)) % np.uint64(members.shape[1])
    images = digits.images[members[numerals, picks.astype(np.int64)], :, :, 0]
    order = np.argsort(mix(np.arange(len(modes)) + 3 * len(modes)), kind="stable")
    return Arrays(np.moveaxis(images, 1, -1)[order], modes[order])


def _emoji(vendor: str, other: str, settings: DataSettings, progress: Progress) -> Loaded:
    stored = _stored("emoji")
    labels, test = stored["labels"].astype(np.int64), stored["test"]
    splits: dict[str, Arrays] = {}
    for name, rows in (("train", ~test), ("test", test)):
        splits[name] = Arrays(stored[vendor][rows], labels[rows], stored[other][rows])
    return _ready("emoji", splits, settings, progress, stored["classes"].tolist())


def _stored(name: str) -> dict[str, np.ndarray]:
    file = resources.files("ganvas.data").joinpath("builtin", f"{name}.npz")
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
