"""How well codes that were found without labels agree with classes that people gave."""

from __future__ import annotations

import numpy as np


def code_agreement(codes: np.ndarray, classes: np.ndarray) -> float:
    """Share of examples whose code is the one matched to their class, in [0, 1].

    codes and classes are integers (N,), from 0. Each code is matched to one class at most and the other way round, such that the
    share is at its largest. Chance gives a little more than 1 / (number of codes).
    """
    counts = cross_table(codes, classes)
    matched = best_matching(counts)
    return float(sum(counts[code, class_] for code, class_ in enumerate(matched) if class_ >= 0) / counts.sum())


def cross_table(codes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How often each code met each class, int64 (largest code + 1, largest class + 1)."""
    codes, classes = np.asarray(codes, np.int64), np.asarray(classes, np.int64)
    if codes.shape != classes.shape or codes.ndim != 1 or codes.size == 0 or min(codes.min(), classes.min()) < 0:
        raise ValueError(f"codes and classes must be as many, (N,) and from 0 (got {codes.shape} and {classes.shape})")
    counts = np.zeros((codes.max() + 1, classes.max() + 1), np.int64)
    np.add.at(counts, (codes, classes), 1)
    return counts


def best_matching(worth: np.ndarray) -> list[int]:
    """For each row of worth (R, C) its column, or -1, no column twice, such that the sum of worth is largest.

    The Hungarian method (Kuhn 1955) in its shortest-path form: rows come in one by one, each along the path that costs least at
    the present prices, on which earlier rows may change their column. O(n^3) for n = max(R, C).
    """
    worth = np.asarray(worth, float)
    rows, columns = worth.shape
    size = max(rows, columns)
    cost = np.zeros((size, size))
    cost[:rows, :columns] = -worth
    row_price, column_price = np.zeros(size), np.zeros(size)
    owner = np.full(size, -1)  # the row of each column
    for row in range(size):
        column, came_from = _cheapest_free_column(cost, row, owner, row_price, column_price)
        while column >= 0:  # back along the path: each column goes to the row that reached it
            reached_by, before = came_from[column]
            owner[column], column = reached_by, before
    matched = [-1] * rows
    for column, row in enumerate(owner[:columns].tolist()):
        if row < rows:
            matched[row] = column
    return matched


def _cheapest_free_column(
    cost: np.ndarray, row: int, owner: np.ndarray, row_price: np.ndarray, column_price: np.ndarray
) -> tuple[int, dict[int, tuple[int, int]]]:
    """The column where the path from `row` ends, and for each column that it saw: (the row that reached it, the column before).

    Moves the prices such that all edges of the path have a reduced cost of 0, and none a negative one.
    """
    size = len(cost)
    distance, done = np.full(size, np.inf), np.zeros(size, bool)
    came_from: dict[int, tuple[int, int]] = {}
    here, before, travelled = row, -1, 0.0
    while True:
        reduced = travelled + cost[here] - row_price[here] - column_price
        for column in np.flatnonzero(~done & (reduced < distance)).tolist():
            distance[column], came_from[column] = reduced[column], (here, before)
        before = int(np.where(done, np.inf, distance).argmin())
        travelled, done[before] = distance[before], True
        if owner[before] < 0:
            break
        here = int(owner[before])
    row_price[row] += travelled
    for column in np.flatnonzero(done).tolist():
        if owner[column] >= 0:
            row_price[owner[column]] += travelled - distance[column]
        column_price[column] -= travelled - distance[column]
    return before, came_from
