"""data/translation_memory.py: how alike sentences are, and where the memory answers."""

from __future__ import annotations

import pytest

from ganvas.data.translation_memory import Answer, alike, answers, surer


def test_likeness_counts_words_and_signs_in_the_same_order() -> None:
    """Of four words and a sign three words and the sign are the same: 2 * 4 / 10."""
    assert alike("Open the old door.", "Open the green door.") == pytest.approx(0.8)
    assert alike("one two", "three four") == 0
    assert alike("one two", "two one") == 0.5


def test_the_most_similar_source_answers() -> None:
    pairs = [("open the file", "ouvrir"), ("close the window", "fermer")]
    assert answers(["close a window", "open the file"], pairs) == [("fermer", pytest.approx(2 / 3)), ("ouvrir", 1)]


def test_the_memory_answers_where_it_is_surer() -> None:
    memory = [Answer("a", 0.4), Answer("b", 0.5), Answer("c", 0.9)]
    assert surer(["x", "y", "z"], [0.3, 0.6, 0.9], memory) == ["a", "y", "c"]
