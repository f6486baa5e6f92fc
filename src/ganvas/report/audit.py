"""A first copy audit: which training images stand nearest to new ones, the most suspicious pair first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganvas.data import DataSettings, open_data
from ganvas.errors import RunError
from ganvas.report.images import thumbnail
from ganvas.report.markup import Html, number, tag
from ganvas.run import Run
from ganvas.settings import change

PAGE_SAMPLES = 16
NEAREST_SHOWN = 5


@dataclass(frozen=True)
class Suspect:
    """One new image (H, W, C) of a seed, and its nearest training images with distance, number and class."""

    seed: int
    image: np.ndarray
    neighbours: list[np.ndarray]
    distances: list[float]
    numbers: list[int]
    classes: list[str]


def copy_audit(run: Run, samples: int = PAGE_SAMPLES, k: int = NEAREST_SHOWN) -> list[Suspect]:
    """Samples of seeds 0, 1, ... beside their `k` nearest training images, by the smallest distance.

    GanvasError where data or weights are gone, or the data are not those that the run was trained on.
    """
    data = open_data(run.info["data"], settings=change(DataSettings(), run.info.get("data_settings", {})))
    if data.fingerprint != run.info.get("fingerprint"):
        raise RunError(f"{run.info['data']} holds other images now than those that this run was trained on")
    from ganvas.metrics import nearest  # brings its feature networks

    images = run.sample(samples, seed=0)
    indices, distances = map(np.asarray, nearest(images, data, min(k, len(data))))
    suspects: list[Suspect] = []
    for seed, row in enumerate(indices):
        neighbours = [np.asarray(data.images[i]) for i in row]
        classes = [""] * len(row)
        if data.labels is not None:
            classes = [data.spec.classes[data.labels[i]] for i in row]
        suspects.append(Suspect(seed, images[seed], neighbours, distances[seed].tolist(), row.tolist(), classes))
    return sorted(suspects, key=lambda suspect: suspect.distances[0])


def audit_list(suspects: list[Suspect]) -> Html:
    """One line a sample: it first, then its neighbours."""
    return tag("ol", [tag("li", _sample(suspect), _neighbours(suspect)) for suspect in suspects], class_="copies")


def _sample(suspect: Suspect) -> Html:
    return tag(
        "figure",
        thumbnail(suspect.image, f"new image of seed {suspect.seed}"),
        tag("figcaption", f"seed {suspect.seed}"),
    )


def _neighbours(suspect: Suspect) -> list[Html]:
    figures: list[Html] = []
    rows = zip(suspect.neighbours, suspect.distances, suspect.numbers, suspect.classes, strict=True)
    for image, distance, index, name in rows:
        about = f"training image {index}"
        if name:
            about += f", class {name}"
        about += f", at distance {number(distance)}"
        figures.append(tag("figure", thumbnail(image, about), tag("figcaption", number(round(distance, 3)))))
    return figures
