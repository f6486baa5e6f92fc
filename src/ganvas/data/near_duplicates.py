"""Texts that are nearly the same: found by the runs of characters that they share."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

RUN = 4  # characters
NEAR = 0.8  # share of the runs of both that two near-duplicates have in common, at least


def normalised(text: str) -> str:
    """Without what does not make another sentence: case, digits (all are 0), punctuation, blanks. Of a text of signs only, the
    text itself."""
    plain = re.sub(r"\d+", "0", text.casefold())
    plain = " ".join(re.sub(r"[^\w\s]|_", " ", plain).split())
    return plain or text


def runs_of(text: str) -> frozenset[str]:
    """The runs of RUN characters in a normalised text, with a blank before and after."""
    padded = f" {normalised(text)} "
    return frozenset(padded[start : start + RUN] for start in range(max(1, len(padded) - RUN + 1)))


def near_duplicates(texts: Sequence[str], others: Sequence[str], near: float = NEAR) -> np.ndarray:
    """Which of `texts` are near-duplicates of one of `others`, (n,) bool: runs in common over all runs of both >= `near`.

    Exact. A pair so near shares one of the rarest few runs of each (prefix filter: Chaudhuri 2006, doi:10.1109/ICDE.2006.9).
    """
    runs = [runs_of(text) for text in texts]
    other_runs = [runs_of(text) for text in others]
    frequency = Counter(run for each in (*runs, *other_runs) for run in each)

    def rarest(each: frozenset[str]) -> list[str]:
        ordered = sorted(each, key=lambda run: (frequency[run], run))
        return ordered[: len(ordered) - math.ceil(near * len(ordered)) + 1]

    places: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(other_runs):
        for run in rarest(each):
            places[run].append(index)
    found = np.zeros(len(texts), dtype=bool)
    for index, each in enumerate(runs):
        candidates = {place for run in rarest(each) for place in places.get(run, ())}
        found[index] = any(_similarity(each, other_runs[place]) >= near for place in candidates)
    return found


def _similarity(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def nearest(texts: Iterable[str], known: Sequence[str]) -> list[int]:
    """For each text the number of the one in `known` that is most like it: by the cosine of their runs, each weighted by how rare
    it is among `known`. Of equal ones the first; the first of all where nothing is shared."""
    runs = [runs_of(text) for text in known]
    frequency = Counter(run for each in runs for run in each)
    weights = {run: math.log(len(known) / count) + 1e-3 for run, count in frequency.items()}
    places: dict[str, list[int]] = defaultdict(list)
    norms = np.zeros(len(known))
    for index, each in enumerate(runs):
        for run in sorted(each):
            places[run].append(index)
            norms[index] += weights[run] ** 2
    arrays = {run: np.array(rows) for run, rows in places.items()}
    found: list[int] = []
    for text in texts:
        scores = np.zeros(len(known))
        for run in sorted(runs_of(text)):
            if run in arrays:
                scores[arrays[run]] += weights[run] ** 2
        found.append(int((scores / np.sqrt(norms)).argmax()))
    return found
