"""Parallel text: sentences and their translations, rows of token numbers in one vocabulary.

A data set holds (N, S) sources as examples and (N, T) translations as partners, int16; a batch the same as int64, S and T
those of its longest rows. A row is the tokens of a sentence, then the token of a line's end, with which it is filled up. Every
sentence begins with a blank, so that its first word has the token of that word elsewhere; `texts_of_rows` takes it off again.

In a DataSpec it has no size: channels, height and width are 1, and `count` is of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data import tokens
from ganvas.data.kinds.base import Coded, Split
from ganvas.data.kinds.common import counts_in_words
from ganvas.data.kinds.text import KindOfTexts
from ganvas.data.spec import Card, DataSpec, TextFacts, Window

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

COUNTED_TOKENS = 32  # of a sentence on which the cost of a step is counted
SHOWN_PAIRS = 6  # on the data card
SHOWN_COLUMNS = 60  # characters of each side there

Pairs = Sequence[tuple[str, str]]


class ParallelText(KindOfTexts):
    name = "parallel_text"
    samples = "translations"
    hub_task = "translation"
    settings = ("vocabulary", "longest", "direction", "partner", "pairs")
    wanted = MappingProxyType({"pairs": "columns", "vocabulary": 2000})
    is_parallel = True

    less = "a smaller data.longest"

    def places(self, spec: DataSpec, window: int) -> int:
        return 2 * COUNTED_TOKENS

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        rows = random.integers(0, len(spec.text.tokens), (spec.count, COUNTED_TOKENS)).astype(np.int16)
        end = spec.text.first
        rows[rows == end] = (end + 1) % len(spec.text.tokens)
        rows[:, -1] = end
        return rows

    def noise_partners(self, examples: np.ndarray) -> np.ndarray:
        return examples[::-1].copy()

    def examples_in_words(self, spec: DataSpec) -> str:
        return "parallel text"

    def shown_settings(self, names: Sequence[str], foreign: frozenset[str]) -> list[str]:
        return ["vocabulary", "longest", "direction", "partner", "holdout"]

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        # Other text comes in a vocabulary of its own first (see `recoded`), which must have room for its characters.
        return {**settings, "partner": None, "vocabulary": 32768}

    def recoded(self, data: Split, spec: DataSpec) -> dict[str, Coded] | None:
        if data.spec.text == spec.text:
            return None
        splits: dict[str, Pairs] = {}
        for name in ("train", "test"):
            part = data.part(name)
            if part is not None:
                splits[name] = pairs_of(part)
        return coded(
            data.name, data.source, splits, spec.text.tokens, spec.text.merges, data.settings.longest,
            list(data.facts.get("changed", ())),
        )  # fmt: skip

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import ParallelFeed

        assert data.partners is not None
        return ParallelFeed(
            data.examples, data.partners, end=data.spec.text.first, batch_size=batch_size, **more
        )  # fmt: skip

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        import torch

        from ganvas.data.batch import Batch

        assert data.partners is not None
        sides: list[Tensor] = []
        for side in (data.examples, data.partners):
            chosen = np.asarray(side[rows])
            longest = int(lengths(chosen, data.spec.text.first).max(initial=1))
            sides.append(torch.from_numpy(chosen[:, :longest].astype(np.int64)).to(device))
        return Batch(sides[0], partner=sides[1])

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        return {
            self.unit: counts_in_words(card["counts"]),
            "characters": counts_in_words(card["characters"]),
            "vocabulary": f"{card['vocabulary']:,} tokens for both sides ({card['different_characters']:,} are characters)",
            "longest": f"{card['longest_row']} tokens",
            "copies": f"{number(100 * card['copies'])} % of translations are their source",
            "changed": "; ".join(card["changed"]) or "nothing",
        }

    def excerpt(self, card: Card) -> list[str]:
        return card["first_pairs"]

    def finished(self, samples: Tensor, spec: DataSpec) -> list[str]:
        return texts_of_rows(samples.cpu().numpy(), spec.text)


# --- rows -----------------------------------------------------------------------------------------------------


def lengths(rows: np.ndarray, end: int) -> np.ndarray:
    """Tokens of each row (N, S), its first `end` included: (N,)."""
    return (rows == end).argmax(1) + 1


def rows_of(texts: Sequence[str], facts: TextFacts, where: str) -> np.ndarray:
    """Token numbers (N, S) int16 of sentences without line breaks, S that of the longest; DataError names characters that the
    vocabulary lacks."""
    if not texts:
        return np.empty((0, 1), np.int16)
    joined = tokens.encode("".join(f" {text}\n" for text in texts), facts.tokens, facts.merges, where)
    ends = np.flatnonzero(joined == facts.first)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    rows = np.full((len(texts), sizes.max()), facts.first, np.int16)
    rows[np.arange(rows.shape[1]) < sizes[:, None]] = joined
    return rows


def texts_of_rows(rows: np.ndarray, facts: TextFacts) -> list[str]:
    """The sentences of token numbers (N, S), each up to its first line's end."""
    texts: list[str] = []
    for row in rows.tolist():
        length = row.index(facts.first) if facts.first in row else len(row)
        texts.append("".join(facts.tokens[number] for number in row[:length]).removeprefix(" "))
    return texts


def pairs_of(data: Split) -> list[tuple[str, str]]:
    """The sentences of a split and their translations."""
    assert data.partners is not None
    facts = data.spec.text
    return list(zip(texts_of_rows(data.examples, facts), texts_of_rows(data.partners, facts), strict=True))


def coded(
    name: str,
    where: str,
    splits: Mapping[str, Pairs],
    vocabulary: tuple[str, ...],
    merges: tokens.Merges,
    longest: int,
    changed: list[str],
) -> dict[str, Coded]:
    """Every split in numbers, read-only, without pairs that have more than `longest` tokens on a side: `facts` count them."""
    text = TextFacts(vocabulary, merges)
    characters = {split: sum(len(side) for pair in pairs for side in pair) for split, pairs in splits.items()}
    every = [pair for pairs in splits.values() for pair in pairs]
    shared = {
        "characters": characters,
        "different_characters": len(vocabulary) - len(merges),
        "vocabulary": len(vocabulary),
        "copies": round(sum(one == other for one, other in every) / max(1, len(every)), 4),
        "changed": changed,
        "first_pairs": [_shown(pair) for pair in next(iter(splits.values()))[:SHOWN_PAIRS]],
    }
    parts: dict[str, Coded] = {}
    for split, pairs in splits.items():
        sides = [rows_of([pair[side] for pair in pairs], text, where) for side in (0, 1)]
        sizes = np.stack([lengths(rows, text.first) for rows in sides])
        kept = (sizes <= longest + 1).all(0)  # the line's end is none of a sentence's own tokens
        chosen: list[np.ndarray] = []
        for rows, size in zip(sides, sizes, strict=True):
            rows = np.ascontiguousarray(rows[kept, : size[kept].max(initial=1)])
            rows.setflags(write=False)
            chosen.append(rows)
        spec = DataSpec(name, 1, 1, 1, int(kept.sum()), kind=ParallelText.name, paired=True, text=text)
        facts = {
            **shared,
            "too_long": int((~kept).sum()),
            "longest_row": int(max(rows.shape[1] for rows in chosen)) - 1,
        }
        digest = tokens.digest_of(np.concatenate([rows.ravel() for rows in chosen]), vocabulary, merges)
        parts[split] = Coded(spec, chosen[0], digest, facts, chosen[1])
    return parts


def _shown(pair: tuple[str, str]) -> str:
    return "  ->  ".join(side[:SHOWN_COLUMNS] for side in pair)
