"""Byte-pair tokens: the pairs of neighbours that occur most often in a text become tokens of their own, one after the other.

After Gage (1994) and Sennrich, Haddow and Birch (2016, arXiv:1508.07909). The pairs are of characters rather than of bytes,
so that each token is text. No pair reaches over the end of a piece: a word with the blank before it, a run of signs, a run of
blanks; so the work is on the different pieces and how often each occurs, not on the text.
"""

from __future__ import annotations

import heapq
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

Pair = tuple[int, int]

# Every character belongs to one piece. A piece ends after 32 characters: a text without blanks would be one word.
PIECE = re.compile(r" ?\w{1,32}| ?[^\s\w]{1,32}|\s{1,32}(?!\S)|\s{1,32}")


def pieces_of(text: str) -> Iterable[str]:
    """The pieces of a text in order; joined they are the text."""
    for match in PIECE.finditer(text):
        yield match.group()


def learn(pieces: Mapping[str, int], numbers: Mapping[str, int], vocabulary: int) -> list[Pair]:
    """The pairs of tokens to merge, in order, until there are `vocabulary` tokens or no pair occurs twice.

    `pieces` are counts, `numbers` the token of each character, 0 to V - 1; merge i makes token V + i. Of pairs that occur
    equally often the one of smaller numbers is first.
    """
    words: list[list[int]] = []
    for piece in pieces:
        words.append([numbers[character] for character in piece])
    counts = list(pieces.values())
    totals: dict[Pair, int] = defaultdict(int)
    places: dict[Pair, set[int]] = defaultdict(set)
    for index, word in enumerate(words):
        for pair in pairwise(word):
            totals[pair] += counts[index]
            places[pair].add(index)
    queue = [(-total, pair) for pair, total in totals.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    while len(numbers) + len(merges) < vocabulary and queue:
        total, pair = heapq.heappop(queue)
        if -total != totals[pair]:  # an older count; the newer one is queued too
            continue
        if -total < 2:
            break
        token = len(numbers) + len(merges)
        merges.append(pair)
        changed: set[Pair] = set()
        for index in places.pop(pair):
            changed |= _merge_in(words, index, pair, token, counts[index], totals, places)
        for other in changed:
            if totals[other] > 0:
                heapq.heappush(queue, (-totals[other], other))
    return merges


def _merge_in(
    words: list[list[int]], index: int, pair: Pair, token: int, count: int, totals: dict[Pair, int],
    places: dict[Pair, set[int]],
) -> set[Pair]:  # fmt: skip
    """Merges `pair` in one word and keeps the counts right; returns the pairs whose count changed."""
    old = words[index]
    new = merged(old, pair, token)
    words[index] = new
    before, after = Counter(pairwise(old)), Counter(pairwise(new))
    changed: set[Pair] = set()
    for other in before.keys() | after.keys():
        if before[other] == after[other]:
            continue
        changed.add(other)
        totals[other] += (after[other] - before[other]) * count
        if after[other] and not before[other]:
            places[other].add(index)
    return changed


def merged(word: Sequence[int], pair: Pair, token: int) -> list[int]:
    """The word with each occurrence of the pair, from the left, as one token."""
    result: list[int] = []
    for number in word:
        if result and number == pair[1] and result[-1] == pair[0]:
            result[-1] = token
        else:
            result.append(number)
    return result


def join(word: list[int], ranks: Mapping[Pair, int], first: int) -> list[int]:
    """The word (numbers of characters) after all merges, the earliest learned first; merge i makes token `first` + i."""
    while len(word) > 1:
        rank, pair = min((ranks.get(pair, len(ranks)), pair) for pair in pairwise(word))
        if rank == len(ranks):
            break
        word = merged(word, pair, first + rank)
    return word


def encode(text: str, numbers: Mapping[str, int], merges: Sequence[Pair]) -> np.ndarray:
    """Token numbers (T,) int16 of a text of known characters. Each different piece is worked out once."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens_of_piece: dict[str, array[int]] = {}
    tokens = array("h")
    for piece in pieces_of(text):
        if piece not in tokens_of_piece:
            characters = [numbers[character] for character in piece]
            tokens_of_piece[piece] = array("h", join(characters, ranks, len(numbers)))
        tokens.extend(tokens_of_piece[piece])
    return np.array(tokens, dtype=np.int16)


def texts_of(characters: Sequence[str], merges: Sequence[Pair]) -> tuple[str, ...]:
    """The text of every token."""
    tokens = list(characters)
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return tuple(tokens)
