"""How near translations of held-out sentences are to their true translations: chrF and BLEU, beside copying and a translation
memory; and how probable the true ones are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ganvas.abilities import Translates, translated_rows
from ganvas.data.kinds.parallel_text import pairs_of, texts_of_rows
from ganvas.data.near_duplicates import nearest
from ganvas.data.spec import Window
from ganvas.defaults import MEASURED_SAMPLES
from ganvas.errors import DataError
from ganvas.figure import Figure
from ganvas.metrics.extractors import Progress
from ganvas.metrics.likelihood import summary
from ganvas.metrics.store import remembered

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

SENTENCES_PER_CALL = 32
COPIED = "copied"
MEMORY = "translation memory"
NEEDS_SACREBLEU = 'chrF and BLEU are computed by sacrebleu: pip install "ganvas[text]"'


class Scores(NamedTuple):
    """Of some translations against the true ones, in percent; larger is better."""

    chrf: float
    bleu: float


def text_scores(translations: Sequence[str], references: Sequence[str]) -> Scores:
    """chrF2 (Popovic 2015, doi:10.18653/v1/W15-3049) and BLEU (Papineni 2002, doi:10.3115/1073083.1073135) over all sentences, as
    sacrebleu has them by default. DataError without sacrebleu."""
    try:
        import sacrebleu
    except ImportError:
        raise DataError(NEEDS_SACREBLEU) from None
    chrf = sacrebleu.corpus_chrf(translations, [references]).score
    return Scores(float(chrf), float(sacrebleu.corpus_bleu(translations, [references]).score))


def measure_text_translation(
    method: Translates, data: Dataset, *, samples: int = MEASURED_SAMPLES, progress: Progress | None = None
) -> dict[str, Figure]:
    """chrF and BLEU of the first `samples` sentences of the test split, in percent. Each has `input` beside it, the same of the
    sources themselves, and in its details `baselines`, the same of simpler means: the translation of the most similar training
    source.

    chrF is the primary figure. DataError without a test split, and without sacrebleu.
    """
    test = _held_out(data)
    train = data.part("train") or data
    pairs = pairs_of(test.first(samples))
    sources, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    memory = translation_memory(train, test, sources)
    text_scores(memory[:1], references[:1])  # before the work: is sacrebleu there?

    made = translated_rows(method, test.examples[:samples], test.spec.text.first, progress)
    translations = texts_of_rows(made, test.spec.text)
    scores = text_scores(translations, references)
    copied, remembered = text_scores(sources, references), text_scores(memory, references)
    meanings = {
        "chrF": "runs of characters shared with the true translations",
        "BLEU": "runs of words shared with the true translations",
    }
    figures: dict[str, Figure] = {}
    for index, (name, meaning) in enumerate(meanings.items()):
        by_memory = remembered[index]
        figures[name] = Figure(
            scores[index], "higher", len(pairs), input=copied[index], input_is=COPIED, of=100.0, split=test.split,
            help=f"{meaning}, in percent; {COPIED}: {copied[index]:.1f}; translation of the most similar training source:"
            f" {by_memory:.1f}",
            primary=name == "chrF", details={"baselines": {"copying": copied[index], MEMORY: by_memory}},
        )  # fmt: skip
    return figures


@torch.no_grad()
def measure_partner_likelihood(
    method: Translates, data: Dataset, *, samples: int = MEASURED_SAMPLES, progress: Progress | None = None
) -> dict[str, Figure]:
    """Bits per character of the true translations of the first `samples` sentences of the test split, given these. DataError
    without a test split."""
    test = _held_out(data)
    count = min(samples, len(test))
    blocks = []
    for start in range(0, count, SENTENCES_PER_CALL):
        batch = test.kind.batch(test, np.arange(start, min(count, start + SENTENCES_PER_CALL)), Window(), method.device)
        assert batch.partner is not None
        blocks.append(method.partner_likelihood(batch.real, batch.partner))
        if progress:
            progress("likelihood", start, count)
    figure = summary(blocks)
    return {figure.unit: figure.replace(split=test.split, primary=False)}


def translation_memory(train: Dataset, test: Dataset, sources: Sequence[str]) -> list[str]:
    """For each of the first sources of `test` the translation of the most similar training source, found once only."""
    known = pairs_of(train)

    def compute() -> dict[str, torch.Tensor]:
        return {"rows": torch.tensor(nearest(sources, [pair[0] for pair in known]))}

    prints = (train.fingerprint, test.fingerprint)
    rows = remembered("translation-memory", [*prints, len(sources)], all(prints), compute)["rows"]
    return [known[row][1] for row in rows.tolist()]


def _held_out(data: Dataset) -> Dataset:
    test = data.part("test")
    if test is None or not len(test):
        raise DataError(f"{data.name} has no test split with sentences to measure translations by: raise data.holdout")
    return test
