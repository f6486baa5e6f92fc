"""Given images for a method of one size: photos of any size, folders and arrays of them, and edits written back over photos."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data import alpha
from ganvas.data.arrays import npz_members, ordered_images
from ganvas.data.photo import Photo, find_photos
from ganvas.errors import DataError
from ganvas.method import Method
from ganvas.sampling import to_uint8
from ganvas.tasks.channels import of_channels, photo_channels

ARRAY_SUFFIXES = (".npz", ".npy")


@dataclass(frozen=True)
class Given:
    """Images that were given, at the size of the training."""

    images: np.ndarray
    """uint8 (n, H, W, C)."""
    names: list[str]
    labels: np.ndarray | None = None
    """Class numbers (n,), where they are known."""


def images_at(path: Path | str, method: Method) -> Given:
    """The images at a path: those of an .npz or .npy as they are, with `labels` of the .npz; photos of a file, a folder or a zip
    cropped and resized, with labels where each lies in a folder named after a class. DataError for what cannot be read, or has
    another size or other channels."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"there are no images at {path}")
    if path.suffix.lower() in ARRAY_SUFFIXES:
        images = ordered_images(path)
        check_images(method, images)
        labels = None
        if path.suffix.lower() == ".npz":
            with npz_members(path) as (shapes, read):
                if shapes.get("labels") == (len(images),):
                    labels = read("labels")
        return Given(images, [f"{number:06d}" for number in range(len(images))], labels)
    photos = find_photos(path)
    names = [name for name, _ in photos]
    prepared = [prepare_photo(method, read()).image for _, read in photos]
    return Given(np.stack(prepared), names, _labels_of(names, method.spec.classes))


def _labels_of(names: list[str], classes: tuple[str, ...]) -> np.ndarray | None:
    """Class numbers (n,) of names such as "cat/7.png"; None unless each lies in a folder named after a class."""
    folders = [Path(name).parts[0] for name in names if len(Path(name).parts) > 1]
    if len(folders) < len(names) or not set(folders) <= set(classes):
        return None
    return np.array([classes.index(folder) for folder in folders])


@dataclass(frozen=True)
class Prepared:
    """A photo at the size and with the channels of a training."""

    image: np.ndarray
    """uint8 (H, W, C)."""
    top: int
    left: int
    height: int
    width: int
    """The part of the photo that it shows, in the photo's pixels."""
    ready: alpha.Prepared
    """The whole photo on the background of the training."""


def check_images(method: Method, images: np.ndarray) -> None:
    """DataError unless images are uint8 (n, H, W, C), one at least, of the size and channels of the training."""
    channels, height, width = method.spec.shape
    expected = (height, width, channels)
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise DataError(f"images must be uint8 (n, H, W, C), at least one (got {images.dtype} {images.shape})")
    if images.shape[1:] != expected:
        raise DataError(
            f"this run of {method.name} is of images of (height, width, channels) {expected}, and these have"
            f" {images.shape[1:]}: bring them to that shape, or give photos, which are cropped and resized"
        )


def prepare_photo(method: Method, photo: Photo) -> Prepared:
    """The largest middle part of a photo with the training's aspect ratio, resized to it. DataError where no photo has the
    channels of the training."""
    channels = photo_channels(method, ": put them into an .npz")
    _, height, width = method.spec.shape
    rows, columns = photo.pixels.shape[1:]

    # The middle part of the training's aspect ratio.
    inner_rows = min(rows, max(1, round(columns * height / width)))
    inner_columns = min(columns, max(1, round(rows * width / height)))
    top, left = (rows - inner_rows) // 2, (columns - inner_columns) // 2
    ready = alpha.prepared(photo, method.spec)
    pixels = torch.from_numpy(ready.photo.pixels)[None]
    x = of_channels(pixels, channels, ready.photo.alpha)[:, :, top : top + inner_rows, left : left + inner_columns]
    image = to_uint8(_resized(x.contiguous(), height, width).clamp(-1, 1))[0]
    return Prepared(image, top, left, inner_rows, inner_columns, ready)


def write_back(prepared: Prepared, before: np.ndarray, after: np.ndarray) -> Photo:
    """The photo, at its own size and with its alpha, changed by what changed from `before` to `after`, uint8 (H, W, C).

    The difference is enlarged and added, so that what an edit leaves alone keeps its detail: grey differences change all colours
    alike, a fourth channel changes alpha.
    """
    difference = torch.from_numpy((after.astype(np.float32) - before.astype(np.float32)) / 127.5).permute(2, 0, 1)[None]
    difference = _resized(difference, prepared.height, prepared.width)[0].numpy()
    rows = slice(prepared.top, prepared.top + prepared.height)
    columns = slice(prepared.left, prepared.left + prepared.width)
    ready = prepared.ready
    pixels = ready.photo.pixels.copy()
    colours = difference[:3] if len(difference) >= 3 else difference[:1]
    if len(pixels) == 1 and len(colours) == 3:
        colours = colours.mean(0, keepdims=True)
    pixels[:, rows, columns] = np.clip(pixels[:, rows, columns] + colours, -1, 1)
    opacity = ready.photo.alpha
    if opacity is not None and len(difference) == 4:
        opacity = opacity.copy()
        opacity[rows, columns] = np.clip(opacity[rows, columns] + difference[3] / 2, 0, 1)
    return ready.finished(dataclasses.replace(ready.photo, pixels=pixels, alpha=opacity))


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    if x.shape[2:] == (height, width):
        return x
    return F.interpolate(x, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
