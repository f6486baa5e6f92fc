"""How near translations of held-out images are to their true partners, and to images of the wanted kind, beside copying."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganvas.abilities import Translates
from ganvas.data.batch import as_image_tensor
from ganvas.data.media import to_uint8
from ganvas.defaults import CHUNK, MEASURED_SAMPLES
from ganvas.errors import DataError
from ganvas.figure import Figure
from ganvas.metrics.evaluate import measure_distances
from ganvas.metrics.extractors import Progress
from ganvas.metrics.restoration import psnr_each

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

COPIED = "copied"


@torch.no_grad()
def measure_translation(
    method: Translates, data: Dataset, *, samples: int = MEASURED_SAMPLES, progress: Progress | None = None
) -> dict[str, Figure]:
    """Of the first `samples` images of the test split, in every direction that the method knows; figures of "ba" have names such
    as "L1 ba". Each figure has `input` beside it: the same of the images as they were, copied.

    L1, PSNR       against the true partners, where the test split has them: the mean of |difference|, values in [-1, 1], and the
                   mean over images in dB, over all channels
    FD, KD         from the training images of the wanted kind (see `measure`)

    The primary figure is L1 of the first direction; without true partners, the Fréchet distance of the first direction.
    DataError where there is no test split with images of both kinds.
    """
    test = data.part("test")
    if test is None or test.partners is None or min(len(test), len(test.partners)) < 2:
        raise DataError(
            f"{data.name} has no test split with two images of each kind to measure translations by: raise data.holdout"
        )
    figures: dict[str, Figure] = {}
    for direction in method.directions():
        suffix = "" if direction == "ab" else f" {direction}"
        for name, figure in _of_direction(method, data, direction, samples, progress).items():
            figures[name + suffix] = figure.replace(primary=not figures)
    return figures


def _of_direction(
    method: Translates, data: Dataset, direction: str, samples: int, progress: Progress | None
) -> dict[str, Figure]:
    train, test = data.part("train") or data, data.part("test")
    assert test is not None and test.partners is not None
    sources, targets = (test.images, test.partners) if direction == "ab" else (test.partners, test.images)
    sources = np.asarray(sources[:samples])
    outputs = translated(method, sources, direction, progress)
    figures: dict[str, Figure] = {}

    # Errors against the true partners, where there are some.
    if test.matched:
        figures |= _errors(outputs, sources, np.asarray(targets[:samples]))

    # Distances from images of the wanted kind.
    kind, held_out = _kind(train, direction), _kind(test, direction)
    distances = measure_distances(outputs, kind, held_out, progress=progress)
    copied = measure_distances(sources, kind, held_out)
    for name, figure in distances.items():
        value = copied[name].value
        meaning = f"how far translations are from images of the wanted kind, by their features; {COPIED}: {value:.4g}"
        figures[name] = figure.replace(input=value, help=meaning)
    return {name: figure.replace(split=test.split, input_is=COPIED) for name, figure in figures.items()}


def translated(method: Translates, images: np.ndarray, direction: str, progress: Progress | None = None) -> np.ndarray:
    """uint8 (n, H, W, C), block by block of one size, so that no image's rounding depends on how many there are."""
    device = method.device
    outputs: list[np.ndarray] = []
    for start in range(0, len(images), CHUNK):
        rows = np.minimum(np.arange(start, start + CHUNK), len(images) - 1)
        outputs.append(to_uint8(method.translate(as_image_tensor(images[rows], device), direction)))
        if progress:
            progress("translations", min(len(images), start + CHUNK), len(images))
    return np.concatenate(outputs)[: len(images)]


def absolute_errors(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean |difference| of each pair of images uint8 (N, H, W, C), values in [-1, 1]: (N,) from 0 to 2."""
    return np.abs(made.astype(np.float64) - wanted).mean((1, 2, 3)) / 127.5


def _errors(outputs: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> dict[str, Figure]:
    l1 = float(absolute_errors(outputs, targets).mean())
    l1_copied = float(absolute_errors(sources, targets).mean())
    psnr = float(psnr_each(outputs, targets).mean())
    psnr_copied = float(psnr_each(sources, targets).mean())
    return {
        "L1": Figure(
            l1,
            "lower",
            len(outputs),
            input=l1_copied,
            help=f"mean |difference| from the true partners, values in [-1, 1]; {COPIED}: {l1_copied:.4g}",
        ),
        "PSNR": Figure(
            psnr,
            "higher",
            len(outputs),
            input=psnr_copied,
            unit="dB",
            help=f"how near translations are to the true partners, in dB; {COPIED}: {psnr_copied:.4g}",
        ),
    }


def _kind(part: Dataset, direction: str) -> Dataset:
    """The images that a translation should look like, as a data set of their own; without labels, which are of the others."""
    if direction == "ba":
        return dataclasses.replace(part, labels=None, fingerprint=_extended(part.fingerprint, "first"))
    assert part.partners is not None
    fingerprint = _extended(part.fingerprint, "partners")
    return dataclasses.replace(part, examples=part.partners, labels=None, partners=None, fingerprint=fingerprint)


def _extended(fingerprint: str, kind: str) -> str:
    return f"{fingerprint} {kind}" if fingerprint else ""
