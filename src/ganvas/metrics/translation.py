"""How near translations of held-out images are to their true partners, and to images of the wanted kind, beside copying."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganvas.abilities import Translates
from ganvas.data.batch import as_image_tensor
from ganvas.data.media import to_uint8
from ganvas.defaults import MEASURED
from ganvas.errors import DataError
from ganvas.metrics.evaluate import measure_distances
from ganvas.metrics.readers import Progress
from ganvas.metrics.restoration import decibels

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

AT_ONCE = 64  # images, the last block filled up
COPIED = "copied"

Entry = dict[str, Any]


@torch.no_grad()
def measure_translation(
    method: Translates, data: Dataset, *, samples: int = MEASURED, progress: Progress | None = None
) -> dict[str, Entry]:
    """Of the first `samples` images of the test split, in every direction that the method goes; those of "ba" have names such
    as "L1 ba". Each figure has `input` beside it: the same of the images as they were, copied.

    L1, PSNR       against the true partners, where the test split has them: the mean of |difference|, values in [-1, 1], and the
                   mean over images in dB, over all channels; L1 comes first
    FD, KD         from the training images of the wanted kind (see `measure`)

    DataError where there is no test split with images of both kinds.
    """
    test = data.part("test")
    if test is None or test.partners is None or min(len(test), len(test.partners)) < 2:
        raise DataError(
            f"{data.name} has no test split with two images of each kind to measure translations by: raise data.holdout"
        )
    found: dict[str, Entry] = {}
    for direction in method.directions():
        name = "" if direction == "ab" else f" {direction}"
        found |= {key + name: entry for key, entry in _one_way(method, data, direction, samples, progress).items()}
    return found


def _one_way(
    method: Translates, data: Dataset, direction: str, samples: int, progress: Progress | None
) -> dict[str, Entry]:
    train, test = data.part("train") or data, data.part("test")
    assert test is not None and test.partners is not None
    given, wanted = (test.images, test.partners) if direction == "ab" else (test.partners, test.images)
    given = np.asarray(given[:samples])
    made = translated(method, given, direction, progress)
    kind, held = _kind(train, direction), _kind(test, direction)
    distances = measure_distances(made, kind, held, progress=progress)
    copied = measure_distances(given, kind, held)
    found: dict[str, Entry] = {}
    for name, entry in distances.items():
        value = copied[name]["value"]
        says = f"how far translations are from images of the wanted kind, by their features; {COPIED}: {value:.4g}"
        found[name] = {**entry, "input": value, "help": says}
    if test.matched:
        found = _errors(made, given, np.asarray(wanted[:samples])) | found
    return {name: {**entry, "split": test.split, "input_is": COPIED} for name, entry in found.items()}


def translated(method: Translates, images: np.ndarray, direction: str, progress: Progress | None = None) -> np.ndarray:
    """uint8 (n, H, W, C), block by block of one size, so that no image's rounding depends on how many there are."""
    device, made = method.device, []
    for start in range(0, len(images), AT_ONCE):
        rows = np.minimum(np.arange(start, start + AT_ONCE), len(images) - 1)
        made.append(to_uint8(method.translate(as_image_tensor(images[rows], device), direction)))
        if progress:
            progress("translations", min(len(images), start + AT_ONCE), len(images))
    return np.concatenate(made)[: len(images)]


def absolute_errors(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean |difference| of each pair of images uint8 (N, H, W, C), values in [-1, 1]: (N,) from 0 to 2."""
    return np.abs(made.astype(np.float64) - wanted).mean((1, 2, 3)) / 127.5


def psnr_each(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """PSNR of each pair in dB, (N,), over all channels; of equal images 100."""
    return decibels(np.square((made.astype(np.float64) - wanted) / 255).mean((1, 2, 3)))


def _errors(made: np.ndarray, given: np.ndarray, wanted: np.ndarray) -> dict[str, Entry]:
    n = len(made)
    entries = {
        "L1": (absolute_errors, {"better": "lower"}, "mean |difference| from the true partners, values in [-1, 1]"),
        "PSNR": (
            psnr_each,
            {"better": "higher", "unit": "dB"},
            "how near translations are to the true partners, in dB",
        ),
    }
    found: dict[str, Entry] = {}
    for name, (figure, facts, says) in entries.items():
        value, copied = (float(figure(some, wanted).mean()) for some in (made, given))
        found[name] = {"value": value, "input": copied, "n": n, **facts, "help": f"{says}; {COPIED}: {copied:.4g}"}
    return found


def _kind(part: Dataset, direction: str) -> Dataset:
    """The images that a translation should look like, as a data set of their own; without labels, which are of the others."""
    if direction == "ba":
        return dataclasses.replace(part, labels=None, fingerprint=_told(part.fingerprint, "first"))
    assert part.partners is not None
    told = _told(part.fingerprint, "partners")
    return dataclasses.replace(part, examples=part.partners, labels=None, partners=None, fingerprint=told)


def _told(fingerprint: str, kind: str) -> str:
    return f"{fingerprint} {kind}" if fingerprint else ""
