"""Byte pairs against the textbook's example, worked by hand."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ganvas.data.bytepairs import encode, learn, merged, pieces_of, texts_of

ABCD = {"a": 0, "b": 1, "c": 2, "d": 3}


def test_the_textbook_example() -> None:
    """aaabdaaabac: aa occurs most often (token 4). Then ab and 4a occur twice, and ab has the smaller numbers (5); then 45 (6),
    which leaves 6d6ac."""
    merges = learn(Counter(["aaabdaaabac"]), ABCD, 100)
    assert merges == [(0, 0), (0, 1), (4, 5)]  # no pair is left that occurs twice
    assert texts_of(tuple(ABCD), merges) == ("a", "b", "c", "d", "aa", "ab", "aaab")
    assert encode("aaabdaaabac", ABCD, merges).tolist() == [6, 3, 6, 0, 2]
    assert learn(Counter(["aaabdaaabac"]), ABCD, 5) == [(0, 0)], "no more tokens than asked for"


def test_counts_are_of_pieces_and_how_often_they_occur() -> None:
    """ab 5 times, then (ab)c 3 times and cd twice: cd falls to 2 - 0 where abc takes nothing of it."""
    assert learn({"ab": 2, "abc": 3, "cd": 2}, ABCD, 6) == [(0, 1), (4, 2)]
    assert learn({"aab": 1, "abcd": 1}, ABCD, 10) == [(0, 1)], "each other pair occurs once"


def test_merging_goes_from_the_left() -> None:
    assert merged([0, 0, 0], (0, 0), 7) == [7, 0]
    assert merged([0, 1, 0, 1, 1], (0, 1), 7) == [7, 7, 1]
    assert merged([], (0, 1), 7) == []


def slow_learn(pieces: dict[str, int], numbers: dict[str, int], vocabulary: int) -> list[tuple[int, int]]:
    """All pairs counted anew for each merge."""
    words, merges = {piece: [numbers[one] for one in piece] for piece in pieces}, []
    while len(numbers) + len(merges) < vocabulary:
        counts: Counter[tuple[int, int]] = Counter()
        for piece, word in words.items():
            for pair in pairwise(word):
                counts[pair] += pieces[piece]
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        token = len(numbers) + len(merges)
        merges.append(best)
        words = {piece: merged(word, best, token) for piece, word in words.items()}
    return merges


@pytest.mark.parametrize("seed", range(5))
def test_learning_agrees_with_counting_anew(seed: int) -> None:
    draw = random.Random(seed)
    pieces = Counter("".join(draw.choices("abcd", k=draw.randint(1, 12))) for _ in range(200))
    merges = learn(pieces, ABCD, 60)
    assert len(merges) == 56 and merges == slow_learn(dict(pieces), ABCD, 60)


def test_pieces_are_words_with_their_blank_and_join_to_the_text() -> None:
    assert list(pieces_of("Oh no, not  that!\n")) == ["Oh", " no", ",", " not", " ", " that", "!", "\n"]
    long = "x" * 70 + "\t\u00e9\u4e2d_1  \r\n\n" + "?" * 40
    assert "".join(pieces_of(long)) == long and max(map(len, pieces_of(long))) == 33 - 1


def test_any_text_of_known_characters_comes_back() -> None:
    draw = random.Random(1)
    alphabet = "ab c\nd\u00e9\u4e2d.,"
    numbers = {one: number for number, one in enumerate(alphabet)}
    merges = learn(Counter(pieces_of("".join(draw.choices(alphabet, k=3000)))), numbers, 80)
    tokens = texts_of(tuple(alphabet), merges)
    assert len(tokens) == 80
    for _ in range(50):
        text = "".join(draw.choices(alphabet, k=draw.randint(0, 200)))
        found = encode(text, numbers, merges)
        assert found.dtype == np.int16 and "".join(tokens[one] for one in found) == text
        assert len(found) <= len(text)
