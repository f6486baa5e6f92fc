"""The lexicon of parallel text: what is counted, and what a single sentence suggests."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from ganvas.data import lexicon as module
from ganvas.data.lexicon import cells, lexicon

END = 0


def rows(*texts: list[int]) -> np.ndarray:
    found = np.full((len(texts), max(map(len, texts)) + 1), END, np.int16)
    for row, text in zip(found, texts, strict=True):
        row[: len(text)] = text
    return found


def test_what_occurs_together_is_a_translation() -> None:
    """1 2 3 are 11 12 13, in any order: no sentence says which, all together do."""
    sources = rows([1, 2], [2, 1], [2, 3], [3, 2], [1, 3], [3, 1])
    targets = rows([11, 12], [11, 12], [12, 13], [13, 12], [11, 13], [11, 13])
    tokens, shares = lexicon(sources, targets, END, 14, 3)
    assert tokens.shape == shares.shape == (14, 3)
    assert tokens[1:4, 0].tolist() == [11, 12, 13] and bool((shares[1:4, 0] > 0.8).all())
    assert_allclose(shares.sum(1), 1, rtol=1e-6)


def test_a_single_sentence_is_no_evidence() -> None:
    """4 is in one sentence only: it stays as it is, as the end does, though 14 was beside it."""
    sources, targets = rows([1], [1], [1, 4]), rows([11], [11], [11, 14])
    tokens, shares = lexicon(sources, targets, END, 15, 2)
    assert tokens[[4, END], 0].tolist() == [4, END] and shares[[4, END], 0].tolist() == [1, 1]
    assert tokens[1, 0] == 11


def test_all_pairs_of_a_sentence(monkeypatch) -> None:  # pyright: ignore[reportMissingParameterType]
    sources, targets = rows([1, 2], [3]), rows([11], [13, 14])
    expected = [[1, 2, 3, 3], [11, 11, 13, 14], [0, 1, 2, 2], [0, 0, 1, 2]]
    assert [part.tolist() for part in cells(sources, targets, END)] == expected
    monkeypatch.setattr(module, "CELLS", 3)
    assert [part.tolist() for part in cells(sources, targets, END)] == [part[:2] for part in expected]
