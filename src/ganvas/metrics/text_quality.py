"""Quality and variety of generated texts: BLEU against real texts and against each other, and the Fréchet distance of features of
a language model.

A text here is a list of tokens, words or characters. BLEU of generated texts rises with quality and says nothing of variety;
self-BLEU (Zhu 2018, arXiv:1802.01886) rises where texts resemble each other. Either alone can be had for nothing, by a lower or
a higher temperature (Caccia 2018, arXiv:1811.02549): compare methods at equal values of the other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.metrics.frechet import distance_of_features

Tokens = Sequence[Hashable]
Gram = tuple[Hashable, ...]
ROWS_PER_CALL = 256


def bleu(texts: Sequence[Tokens], references: Sequence[Tokens], order: int = 4) -> float:
    """BLEU in percent of all `texts` together (Papineni 2002, doi:10.3115/1073083.1073135), each with all `references`.

    The geometric mean of the clipped precisions of 1 to `order` tokens, times the brevity penalty by the reference nearest in
    length; not smoothed. DataError without texts or references.
    """
    _refuse_none(texts, references)
    lengths = sorted({len(reference) for reference in references})
    matched, total = [0] * order, [0] * order
    for n in range(1, order + 1):
        most: Counter[Gram] = Counter()
        for reference in references:
            most |= ngrams(reference, n)
        for text in texts:
            counts = ngrams(text, n)
            total[n - 1] += counts.total()
            matched[n - 1] += sum(min(count, most[gram]) for gram, count in counts.items())
    nearest = sum(_nearest(lengths, len(text)) for text in texts)
    return _score(matched, total, sum(map(len, texts)), nearest)


def self_bleu(texts: Sequence[Tokens], order: int = 4) -> float:
    """BLEU in percent of `texts`, each with all the others as its references (Zhu 2018, sec. 3.2), all together. Large where
    texts resemble each other. DataError for fewer than two texts."""
    _refuse_none(texts, texts[1:])
    matched, total = [0] * order, [0] * order
    for n in range(1, order + 1):
        each = [ngrams(text, n) for text in texts]
        first, second, holder = _two_largest(each)
        for index, counts in enumerate(each):
            total[n - 1] += counts.total()
            for gram, count in counts.items():
                others = second[gram] if holder[gram] == index else first[gram]
                matched[n - 1] += min(count, others)
    occurrences = Counter(map(len, texts))
    nearest = 0
    for length in map(len, texts):
        others = sorted(other for other, count in occurrences.items() if count > (other == length))
        nearest += _nearest(others, length)
    return _score(matched, total, sum(map(len, texts)), nearest)


def ngrams(text: Tokens, n: int) -> Counter[Gram]:
    """How often each run of n tokens occurs in a text."""
    return Counter(tuple(text[start : start + n]) for start in range(len(text) - n + 1))


def _two_largest(each: Sequence[Counter[Gram]]) -> tuple[Counter[Gram], Counter[Gram], dict[Gram, int]]:
    """Of every run the largest count in one text, the second largest, and which text has the largest."""
    first: Counter[Gram] = Counter()
    second: Counter[Gram] = Counter()
    holder: dict[Gram, int] = {}
    for index, counts in enumerate(each):
        for gram, count in counts.items():
            if count > first[gram]:
                second[gram], first[gram], holder[gram] = first[gram], count, index
            elif count > second[gram]:
                second[gram] = count
    return first, second, holder


def _nearest(lengths: Sequence[int], length: int) -> int:
    """The nearest of sorted `lengths`, the smaller of two."""
    return min(lengths, key=lambda other: (abs(other - length), other))


def _score(matched: Sequence[int], total: Sequence[int], length: int, reference: int) -> float:
    if not all(matched):
        return 0.0
    mean = sum(math.log(part / whole) for part, whole in zip(matched, total, strict=True)) / len(matched)
    return 100 * math.exp(mean + min(0.0, 1 - reference / length))


def _refuse_none(texts: Sequence[Tokens], references: Sequence[Tokens]) -> None:
    if not len(texts) or not len(references):
        raise DataError("BLEU takes texts and other texts to compare them with: one of both is empty")


# --- features of a language model ---------------------------------------------------------------------------------------------


class LanguageModel(Protocol):
    """A network over tokens."""

    def outputs(self, tokens: Tensor) -> Tensor:
        """The last layer's outputs (T, N, width) after each of `tokens` (T, N) int64."""
        ...


@torch.no_grad()
def text_features(network: LanguageModel, texts: Tensor) -> Tensor:
    """What a trained language model makes of texts (n, L) int64: the outputs of its last layer, averaged over tokens,
    (n, width)."""
    parts = [network.outputs(block.T).mean(0).float() for block in texts.split(ROWS_PER_CALL)]
    return torch.cat(parts)


def text_distance(network: LanguageModel, texts: Tensor, real: Tensor) -> float:
    """The squared Fréchet distance between texts (n, L) and real ones (m, L) by `text_features`; 0 for equal sets."""
    return distance_of_features(text_features(network, texts), text_features(network, real))
