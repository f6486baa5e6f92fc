"""Text: (window + 1) token numbers a row in a batch, one long row (T,) in a data set, UTF-8 on the disk.

In a DataSpec text has no size: channels, height and width are 1, and `count` is of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data import tokens
from ganvas.data.kinds.base import Coded, Kind, Split
from ganvas.data.settings import DataSettings
from ganvas.data.spec import Card, DataSpec, TextFacts, Window
from ganvas.errors import DataError, UsageError
from ganvas.files import write_text
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

MAX_JOINED_TEXTS = 16  # texts at most in one file
SEPARATOR = "\n\n" + "-" * 40 + "\n\n"  # between two of them


class KindOfTexts(Kind[str, list[str]]):
    """What kinds have in common whose samples are texts: how these are shown and written."""

    suffix = ".txt"
    has_example_grid = False

    def image_grid(self, samples: list[str], spec: DataSpec) -> None:
        return None

    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        return spec.height, spec.width

    def text(self, samples: list[str]) -> str | None:
        return samples[0]

    def write(self, path: Path, sample: str, spec: DataSpec, provenance: Provenance | None = None) -> None:
        write_text(path, sample)

    def write_joined(
        self, stem: Path, samples: list[str], spec: DataSpec, provenance: Provenance | None = None
    ) -> None:
        write_text(stem.with_suffix(self.suffix), SEPARATOR.join(samples[:MAX_JOINED_TEXTS]) + "\n")

    def arrays(self, samples: list[str], spec: DataSpec) -> dict[str, np.ndarray]:
        return {"texts": np.array(samples)}


class Text(KindOfTexts):
    name = "text"
    samples = "texts"
    hub_task = "text-generation"
    settings = ("tokens", "vocabulary")

    less = "a smaller window"

    def places(self, spec: DataSpec, window: int) -> int:
        return window

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        length = 2 * spec.count * (window + 1) + 1  # a row of a batch for each of the count
        return random.integers(0, len(spec.text.tokens), length).astype(np.int32)

    def examples_in_words(self, spec: DataSpec) -> str:
        return "text"

    def check_settings(self, settings: DataSettings) -> None:
        if settings.tokens == "characters" and settings.vocabulary != DataSettings().vocabulary:
            raise UsageError("data.vocabulary is for data.tokens=bytepairs: choose that too, or omit it")

    def shown_settings(self, names: Sequence[str], foreign: frozenset[str]) -> list[str]:
        return [*self.settings, "holdout"]

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        # Other text comes in a vocabulary of its own first: see `recoded`.
        like = dict(settings)
        for name in self.settings:
            like.pop(name, None)
        return like

    def recoded(self, data: Split, spec: DataSpec) -> dict[str, Coded] | None:
        if data.spec.text.tokens == spec.text.tokens:
            return None
        texts = {}
        for split in ("train", "test"):
            part = data.part(split)
            if part is not None:
                texts[split] = tokens.decode(part.examples, part.spec.text.tokens)
        # All splits at once, so that one error names every character that is missing.
        tokens.character_numbers(
            "".join(texts.values()), spec.text.tokens[: len(spec.text.tokens) - len(spec.text.merges)], data.source
        )
        return coded(
            data.name, data.source, texts, spec.text.tokens, spec.text.merges, list(data.facts.get("changed", ()))
        )

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import LineFeed, TextFeed

        if window.from_lines:
            starts = self._line_ends(data, window.tokens)
            return LineFeed(data.examples, starts, batch_size=batch_size, window=window.tokens, **more)
        return TextFeed(data.examples, batch_size=batch_size, window=window.tokens, **more)

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        import torch

        from ganvas.data.batch import Batch

        starts = rows * window.tokens
        if window.from_lines:
            starts = self._line_ends(data, window.tokens)[rows]
        places = starts[:, None] + np.arange(window.tokens + 1)
        return Batch(torch.from_numpy(data.examples[places].astype(np.int64)).to(device))

    def count(self, data: Split, window: Window) -> int:
        if window.from_lines:
            return len(self._line_ends(data, window.tokens))
        return (len(data.examples) - 1) // window.tokens

    def _line_ends(self, data: Split, tokens: int) -> np.ndarray:
        """Places of tokens that end a line and have `tokens` tokens after them. DataError where there are none."""
        ends = [number for number, token in enumerate(data.spec.text.tokens) if token.endswith("\n")]
        places = np.flatnonzero(np.isin(data.examples[: max(0, len(data.examples) - tokens)], ends))
        if not len(places):
            raise DataError(
                f"{data.name} has no line with {tokens} tokens after its start: put one example on each line, or choose a"
                " smaller window"
            )
        return places

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        def of_splits(name: str) -> str:
            return ", ".join(f"{count:,} {split}" for split, count in card[name].items())

        characters_per_token = sum(card["characters"].values()) / max(1, sum(card["counts"].values()))
        return {
            "characters": of_splits("characters"),
            "lines": of_splits("lines"),
            "tokens": f"{of_splits('counts')} ({number(characters_per_token)} characters each)",
            "vocabulary": f"{card['vocabulary']:,} ({card['different_characters']:,} of them are characters of the whole text)",
            "longest token": repr(card["longest_token"]),
            "entropy": f"{number(card['entropy'])} bits per character, from how often each occurs",
            "changed": "; ".join(card["changed"]) or "nothing",
        }

    def excerpt(self, card: Card) -> list[str]:
        return card["first_lines"]

    def finished(self, samples: Tensor, spec: DataSpec) -> list[str]:
        return to_texts(samples, spec.text.tokens)


def to_texts(numbers: Tensor, vocabulary: tuple[str, ...]) -> list[str]:
    """(n, L) token numbers as n texts."""
    texts: list[str] = []
    for row in numbers.long().tolist():
        texts.append("".join(vocabulary[number] for number in row))
    return texts


def coded(
    name: str,
    where: str,
    texts: Mapping[str, str],
    vocabulary: tuple[str, ...],
    merges: tokens.Merges,
    changed: list[str],
) -> dict[str, Coded]:
    """The text of every split as token numbers (T,) int16, read-only."""
    facts = tokens.facts_of(texts, vocabulary, merges, changed)
    splits = {}
    for split, text in texts.items():
        numbers = tokens.encode(text, vocabulary, merges, where)
        numbers.setflags(write=False)
        spec = DataSpec(name, 1, 1, 1, len(numbers), kind=Text.name, text=TextFacts(vocabulary, merges))
        splits[split] = Coded(spec, numbers, tokens.digest_of(numbers, vocabulary, merges), facts)
    return splits
