"""Which tokens translate which: a lexicon counted over parallel text, before any training.

Two models, of the translation given the source and of the source given the translation, each say that every token comes from one
of the other side, whichever (IBM model 1: Brown 1993, Computational Linguistics 19(2)). They are learned together by
expectation-maximisation, each believing what both believe (Liang 2006, Alignment by Agreement, NAACL).
"""

from __future__ import annotations

import numpy as np

ROUNDS = 6  # of expectation and maximisation
CELLS = 20_000_000  # pairs of tokens of the sentences that are read
SEEN = 1.5  # expected occurrences of a translation, at least: what a single sentence suggests is mostly wrong
ITSELF = 0.5  # occurrences that every token has as its own translation, before any is counted


def lexicon(
    sources: np.ndarray, targets: np.ndarray, end: int, tokens: int, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `kept` most probable translations of each token, (V, K) int64, and their probabilities (V, K) float32, which sum to 1.

    sources (N, S) and targets (N, T) are token numbers below `tokens`, filled up with `end`, which is not translated.
    """
    ours, theirs, places, other_places = cells(sources, targets, end)
    pairs, numbers = np.unique(ours.astype(np.int64) * tokens + theirs, return_inverse=True)
    first, second = pairs // tokens, pairs % tokens
    forwards = backwards = np.ones(len(pairs))
    counts = np.zeros(len(pairs))
    for _ in range(ROUNDS):
        p, q = forwards[numbers], backwards[numbers]
        p /= np.bincount(other_places, p)[other_places]  # over the tokens of the source
        q /= np.bincount(places, q)[places]
        counts = np.bincount(numbers, p * q, minlength=len(pairs))
        forwards = counts / np.maximum(np.bincount(first, counts, minlength=tokens)[first], 1e-12)
        backwards = counts / np.maximum(np.bincount(second, counts, minlength=tokens)[second], 1e-12)
    return most_probable(first, second, counts, tokens, kept)


def cells(sources: np.ndarray, targets: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of a token and a token of its sentence's translation: the two tokens, and the numbers of their places in all of
    the text. Of a text with more than CELLS of them its first sentences."""
    sizes = [(side == end).argmax(1).astype(np.int64) for side in (sources, targets)]
    n = int(np.searchsorted((sizes[0] * sizes[1]).cumsum(), CELLS, side="right"))
    starts = [size[:n].cumsum() - size[:n] for size in sizes]
    parts: list[np.ndarray] = []
    for row in range(n):
        length, other = int(sizes[0][row]), int(sizes[1][row])
        part = np.empty((4, length, other), np.int64)
        part[0], part[1] = sources[row, :length, None], targets[row, None, :other]
        part[2] = starts[0][row] + np.arange(length)[:, None]
        part[3] = starts[1][row] + np.arange(other)
        parts.append(part.reshape(4, -1))
    found = np.concatenate(parts, 1) if parts else np.empty((4, 0), np.int64)
    return found[0], found[1], found[2], found[3]


def most_probable(
    first: np.ndarray, second: np.ndarray, counts: np.ndarray, tokens: int, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `kept` most frequent `second` of each `first`, with their shares. Rare ones are left out, and a token that is left
    without any is its own translation."""
    own = np.arange(tokens)
    often = counts >= SEEN
    first, second = np.concatenate([first[often], own]), np.concatenate([second[often], own])
    counts = np.concatenate([counts[often], np.full(tokens, ITSELF)])
    order = np.lexsort((-counts, first))
    first, second, counts = first[order], second[order], counts[order]
    place = np.arange(len(first)) - np.searchsorted(first, first)
    inside = place < kept
    numbers = np.repeat(own[:, None], kept, 1)
    shares = np.zeros((tokens, kept))
    numbers[first[inside], place[inside]] = second[inside]
    shares[first[inside], place[inside]] = counts[inside]
    return numbers, (shares / shares.sum(1, keepdims=True)).astype(np.float32)
