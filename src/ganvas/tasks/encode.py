"""From images to latents or codes and back, for methods that encode or tokenize."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Encodes, Samples, Tokenizes
from ganvas.chunks import in_chunks
from ganvas.data import Dataset
from ganvas.data.batch import as_image_tensor
from ganvas.data.image_array import ImageArray
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.sampling import to_uint8
from ganvas.tasks.edit import generate_images
from ganvas.tasks.originals import check_images


@torch.no_grad()
def encode(method: Method, images: np.ndarray | Dataset, labels: np.ndarray | None = None) -> np.ndarray:
    """Latents float32 (n, ...) of `images` uint8 (n, H, W, C), or codes int64 (n, L) of a method that tokenizes.

    `labels` (n,) are needed by class-conditional methods; a data set brings its own. UsageError if the method cannot encode, or
    if labels are missing.
    """
    if isinstance(images, Dataset):
        images, labels = images.images, images.labels
    if not isinstance(method, Encodes | Tokenizes):
        raise UsageError(
            f"{method.name} cannot encode images (methods that can: {methods_with(Encodes)}, {methods_with(Tokenizes)})"
        )
    check_images(method, images)
    device = method.device
    if isinstance(method, Tokenizes):

        def codes_of_rows(rows: Tensor) -> Tensor:
            return method.to_codes(as_image_tensor(images[rows.numpy()], device))

        return in_chunks(len(images), codes_of_rows).numpy()
    classes = _labels(method, labels, len(images))

    def of_rows(rows: Tensor) -> Tensor:
        x = as_image_tensor(images[rows.numpy()], device)
        return method.encode(x, None if classes is None else classes[rows].to(device))

    return in_chunks(len(images), of_rows).numpy()


def decode(method: Method, codes: np.ndarray, labels: np.ndarray | None = None) -> ImageArray:
    """Images uint8 (n, H, W, C) from latents (n, ...) or codes (n, L), such as `encode` returns."""
    if isinstance(method, Tokenizes):
        return ImageArray(_from_codes(method, codes), method.made("decode"))
    if not isinstance(method, Encodes) or not isinstance(method, Samples):
        raise UsageError(f"{method.name} cannot encode, so it has no codes to decode")
    shape = tuple(method.latents([0]).shape[1:])
    if codes.shape[1:] != shape or len(codes) == 0:
        raise UsageError(
            f"codes of this {method.name} have the shape (n, {', '.join(map(str, shape))}) (got {codes.shape})"
        )
    latents = torch.from_numpy(np.asarray(codes, np.float32))
    images = generate_images(method, latents, _labels(method, labels, len(codes)))
    return ImageArray(images, method.made("decode"))


@torch.no_grad()
def _from_codes(method: Tokenizes, codes: np.ndarray) -> np.ndarray:
    """Images from codes; UsageError for numbers that are not codes of this method."""
    sizes = [grid.size for grid in method.grids() for _ in range(grid.height * grid.width)]
    if codes.ndim != 2 or codes.shape[1] != len(sizes) or len(codes) == 0:
        raise UsageError(f"codes of this {method.name} have the shape (n, {len(sizes)}) (got {codes.shape})")
    if codes.dtype.kind not in "iu":
        raise UsageError(f"codes of this {method.name} are integers (got {codes.dtype})")
    wrong = np.argwhere((codes < 0) | (codes >= np.array(sizes)))
    if len(wrong):
        row, place = wrong[0]
        raise UsageError(
            f"code {codes[row, place]} at place {place} of image {row} is out of range:"
            f" at this place, codes of this {method.name} are 0 to {sizes[place] - 1}"
        )
    rows_of_codes, device = torch.from_numpy(codes.astype(np.int64)), method.device
    return to_uint8(in_chunks(len(codes), lambda rows: method.from_codes(rows_of_codes[rows].to(device))))


def _labels(method: Method, labels: np.ndarray | None, count: int) -> Tensor | None:
    if not isinstance(method, Samples) or method.labels([0]) is None:
        return None
    if labels is None or len(labels) != count:
        raise UsageError(f"this {method.name} is class-conditional, so each of the {count} images needs a label")
    return torch.as_tensor(np.asarray(labels), dtype=torch.int64)
