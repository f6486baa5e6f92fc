"""A translation memory: known pairs of sentences, of which the one whose source is most like a new sentence answers for it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from ganvas.data.near_duplicates import nearest

WORD = re.compile(r"\w+|[^\w\s]")


class Answer(NamedTuple):
    """What the memory has for a sentence."""

    translation: str
    alike: float
    """How much the sentence and the source of this translation have in common, from 0 to 1."""


def answers(sources: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[Answer]:
    """For each source the translation of the most similar one of `pairs`."""
    known = [pair[0] for pair in pairs]
    rows = zip(sources, nearest(sources, known), strict=True)
    return [Answer(pairs[row][1], alike(source, known[row])) for source, row in rows]


def alike(one: str, other: str) -> float:
    """Words and signs that two sentences have in the same order, over the mean of how many they have."""
    return difflib.SequenceMatcher(None, WORD.findall(one), WORD.findall(other), autojunk=False).ratio()


def surer(translations: Sequence[str], certain: Sequence[float], memory: Sequence[Answer]) -> list[str]:
    """The memory's answer where its source is alike by at least how `certain` a network is of its own translation, from 0 to 1;
    `translations` elsewhere."""
    rows = zip(translations, certain, memory, strict=True)
    return [answer.translation if answer.alike >= least else own for own, least, answer in rows]
