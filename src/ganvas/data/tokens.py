"""Text as token numbers: tokens are characters, or pairs of them that were merged by how often they occur."""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np

from ganvas.data import bytepairs
from ganvas.data.settings import DataSettings
from ganvas.data.spec import Facts
from ganvas.errors import DataError

SHOWN_LINES, SHOWN_COLUMNS = 8, 100  # of the text, on its data card
MAX_UNKNOWN_SHOWN = 8

Merges = tuple[tuple[int, int], ...]


def encode(text: str, tokens: tuple[str, ...], merges: Merges, where: str) -> np.ndarray:
    """Token numbers (T,) int16 of a text; DataError names characters that the vocabulary lacks.

    `tokens` are the characters first, then one for each of `merges`.
    """
    characters = tokens[: len(tokens) - len(merges)]
    numbers = character_numbers(text, characters, where)
    if merges:
        return bytepairs.encode(text, numbered(characters), merges)
    return numbers.astype(np.int16)


def decode(numbers: np.ndarray, tokens: tuple[str, ...]) -> str:
    """The text of token numbers (T,)."""
    return "".join(map(tokens.__getitem__, numbers.tolist()))


def character_numbers(text: str, characters: tuple[str, ...], where: str) -> np.ndarray:
    """The place of each character of a text among `characters`; DataError for those that are not there."""
    points, vocabulary = _code_points(text), _code_points("".join(characters))
    order = np.argsort(vocabulary)
    numbers = order[np.searchsorted(vocabulary, points, sorter=order).clip(max=len(vocabulary) - 1)]
    unknown = points[vocabulary[numbers] != points]
    if len(unknown):
        raise DataError(_unknown_message(unknown, where))
    return numbers


def _unknown_message(unknown: np.ndarray, where: str) -> str:
    values, counts = np.unique(unknown, return_counts=True)
    commonest = np.argsort(-counts, kind="stable")[:MAX_UNKNOWN_SHOWN]
    shown = ", ".join(f"{chr(values[i])!r} ({counts[i]:,} of them)" for i in commonest)
    more = ""
    if len(values) > MAX_UNKNOWN_SHOWN:
        more = f" and {len(values) - MAX_UNKNOWN_SHOWN} more"
    return (
        f"{where} has characters that the vocabulary lacks, so the method never learned of them: {shown}{more}."
        " Replace them, or train on a text that has them"
    )


def characters_of(texts: Iterable[str], where: str) -> tuple[str, ...]:
    """Every character that occurs, by code point."""
    points = np.unique(np.concatenate([np.unique(_code_points(text)) for text in texts]))
    if len(points) > 2**15:
        raise DataError(f"{where} has {len(points):,} different characters, more than {2**15:,}: it is hardly text")
    return tuple(map(chr, points.tolist()))


def learn_merges(text: str, characters: tuple[str, ...], settings: DataSettings) -> Merges:
    """The byte pairs that the settings ask for, in the order of merging; () for tokens that are characters."""
    if settings.tokens == "characters":
        return ()
    if settings.vocabulary <= len(characters):
        raise DataError(
            f"data.vocabulary={settings.vocabulary} leaves no room for byte pairs beside the {len(characters)} characters of"
            " the text: raise it, or choose data.tokens=characters"
        )
    counts = collections.Counter(bytepairs.pieces_of(text))
    return tuple(bytepairs.learn(counts, numbered(characters), settings.vocabulary))


def digest_of(numbers: np.ndarray, tokens: tuple[str, ...], merges: Merges) -> str:
    """Hexadecimal; identifies a text in its tokens."""
    return hashlib.sha256(json.dumps([tokens, merges]).encode() + numbers.tobytes()).hexdigest()


def facts_of(texts: Mapping[str, str], tokens: tuple[str, ...], merges: Merges, changed: list[str]) -> Facts:
    """What the data card says of the text of each split; `changed` tells what was changed while reading."""
    train = texts["train"]
    first_lines = train.split("\n", SHOWN_LINES)[:SHOWN_LINES]
    characters: dict[str, int] = {}
    lines: dict[str, int] = {}
    for split, text in texts.items():
        characters[split] = len(text)
        lines[split] = text.count("\n") + (not text.endswith("\n"))
    return {
        "characters": characters,
        "lines": lines,
        "different_characters": len(tokens) - len(merges),
        "vocabulary": len(tokens),
        "longest_token": max(tokens, key=len),
        "entropy": round(_entropy(train), 4),
        "changed": changed,
        "first_lines": [line[:SHOWN_COLUMNS] for line in first_lines],
    }


def numbered(characters: tuple[str, ...]) -> dict[str, int]:
    """The number of each character."""
    return dict(zip(characters, range(len(characters)), strict=True))


def _entropy(text: str) -> float:
    """Bits per character that knowing how often each occurs leaves open."""
    counts = np.unique(_code_points(text), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _code_points(text: str) -> np.ndarray:
    """(n,) uint32."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
