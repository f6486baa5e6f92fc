"""Translation of texts with a trained method, line by line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ganvas.abilities import SENTENCES_PER_CALL, Translates, translated_rows
from ganvas.data.kinds import KINDS
from ganvas.data.kinds.parallel_text import Pairs, lengths, rows_of, texts_of_rows
from ganvas.data.parallel import BLANKS
from ganvas.data.translation_memory import answers, surer
from ganvas.errors import DataError, RunError
from ganvas.method import Method

MAX_TOKENS = 1024  # of a line


def takes_texts(method: Method) -> bool:
    """Whether it translates texts rather than images."""
    return isinstance(method, Translates) and KINDS[method.spec.kind].is_parallel


@torch.no_grad()
def translate_texts(
    method: Method, texts: Sequence[str], where: str = "the text", known: Pairs | None = None
) -> list[str]:
    """Translations of texts by a method in eval mode, on its device; each line of a text for itself, blank lines stay.

    A translation depends on its line alone. With `known`, pairs of texts, the translation of the most similar source of them
    takes the place of the method's where it is the surer one: where the share of words that the line and this source have in
    common is at least the mean probability of a token of the method's translation (`certainty`). DataError names characters
    that the training never had, and a line that is too long; RunError where the method translates no texts.
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
        made = translated_rows(method, rows, facts.first)
        translations = texts_of_rows(made, facts)
        if known is not None:
            memory = answers([cleaned[index] for index in wanted], known)
            translations = surer(translations, certainty(method, rows, made), memory)
        for index, line in zip(wanted, translations, strict=True):
            found[index] = line
    done: list[str] = []
    for text in texts:
        count = text.count("\n") + 1
        done.append("\n".join(found[:count]))
        found = found[count:]
    return done


@torch.no_grad()
def certainty(method: Translates, sources: np.ndarray, translations: np.ndarray) -> list[float]:
    """The geometric mean of the probabilities of each translation's tokens, its end included; token numbers (n, S) and (n, T)."""
    end = method.spec.text.first
    translations = np.pad(translations, ((0, 0), (0, 1)), constant_values=end)  # one as long as may be has no end
    certain: list[float] = []
    for start in range(0, len(sources), SENTENCES_PER_CALL):
        rows = [side[start : start + SENTENCES_PER_CALL].astype(np.int64) for side in (sources, translations)]
        nats = method.partner_likelihood(*(torch.from_numpy(side).to(method.device) for side in rows)).nats
        certain += np.exp(-nats.double().cpu().numpy() / lengths(rows[1], end)).tolist()
    return certain
