"""Codes against classes: examples by hand, and the matching against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from ganvas.metrics.codes import best_matching, code_agreement, cross_table


def test_renamed_classes_agree_wholly() -> None:
    assert code_agreement(np.array([2, 2, 0, 1, 1]), np.array([0, 0, 1, 2, 2])) == 1.0


def test_a_greedy_choice_is_not_the_best() -> None:
    """Counts [[4, 3], [3, 0]]: the largest cell first gives 4 + 0 of 10; the other pairing 3 + 3."""
    codes = np.repeat([0, 0, 1], [4, 3, 3])
    classes = np.repeat([0, 1, 0], [4, 3, 3])
    assert cross_table(codes, classes).tolist() == [[4, 3], [3, 0]]
    assert code_agreement(codes, classes) == 0.6


def test_more_codes_than_classes_and_fewer() -> None:
    """Three codes for one class: only one of them can be it. One code for three classes: only one can be meant."""
    assert code_agreement(np.array([0, 1, 2, 2]), np.zeros(4, int)) == 0.5
    assert code_agreement(np.zeros(4, int), np.array([0, 1, 2, 2])) == 0.5
    assert best_matching(np.array([[1.0], [3.0], [2.0]])) == [-1, 0, -1]
    assert best_matching(np.array([[1.0, 3.0, 2.0]])) == [1]


def test_matching_is_as_good_as_scipys() -> None:
    random = np.random.default_rng(0)
    for rows, columns in [(1, 1), (2, 5), (7, 7), (10, 10), (12, 4), (20, 20)]:
        for _ in range(10):
            worth = random.integers(0, 8, (rows, columns)).astype(float)  # small numbers: many ties
            matched = best_matching(worth)
            taken = [column for column in matched if column >= 0]
            assert len(taken) == len(set(taken)) == min(rows, columns)
            ours = sum(worth[row, column] for row, column in enumerate(matched) if column >= 0)
            assert ours == worth[linear_sum_assignment(worth, maximize=True)].sum()


def test_bad_input_is_refused() -> None:
    for codes, classes in [([0, 1], [0]), ([], []), ([-1], [0]), ([[0]], [[0]])]:
        with pytest.raises(ValueError, match="codes and classes must be as many"):
            code_agreement(np.array(codes, int), np.array(classes, int))
