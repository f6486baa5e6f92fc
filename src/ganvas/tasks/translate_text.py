"""Translation of texts with a trained method, line by line."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ganvas.abilities import Translates, translated_rows
from ganvas.data.kinds import KINDS
from ganvas.data.kinds.parallel_text import lengths, rows_of, texts_of_rows
from ganvas.data.parallel import BLANKS
from ganvas.errors import DataError, RunError
from ganvas.method import Method

MAX_TOKENS = 1024  # of a line


def takes_texts(method: Method) -> bool:
    """Whether it translates texts rather than images."""
    return isinstance(method, Translates) and KINDS[method.spec.kind].is_parallel


@torch.no_grad()
def translate_texts(method: Method, texts: Sequence[str], where: str = "the text") -> list[str]:
    """Translations of texts by a method in eval mode, on its device; each line of a text for itself, blank lines stay.

    A translation depends on its line alone. DataError names characters that the training never had, and a line that is too
    long; RunError where the method translates no texts.
    """
    if not isinstance(method, Translates) or not takes_texts(method):
        raise RunError(f"{method.name} was trained on {method.spec.kind}, and does not translate texts")
    facts = method.spec.text
    lines = [line for text in texts for line in text.split("\n")]
    cleaned = [BLANKS.sub(" ", line).strip(" ") for line in lines]
    wanted = [index for index, line in enumerate(cleaned) if line]
    rows = rows_of([cleaned[index] for index in wanted], facts, where)
    for index, size in zip(wanted, lengths(rows, facts.first).tolist(), strict=True):
        if size > MAX_TOKENS:
            raise DataError(
                f"line {index + 1} of {where} has {size:,} tokens, more than {MAX_TOKENS:,}: put each sentence on its own line"
            )
    found = [""] * len(lines)
    if wanted:
        for index, line in zip(wanted, texts_of_rows(translated_rows(method, rows, facts.first), facts), strict=True):
            found[index] = line
    done: list[str] = []
    for text in texts:
        count = text.count("\n") + 1
        done.append("\n".join(found[:count]))
        found = found[count:]
    return done
