"""chrF and BLEU of translations, their baselines, and how probable the true ones are."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.abilities import Likelihood, Translates
from ganvas.data import Dataset
from ganvas.data.kinds.parallel_text import pairs_of
from ganvas.data.near_duplicates import nearest
from ganvas.errors import DataError
from ganvas.method import Method, Update
from ganvas.metrics import measure_partner_likelihood, measure_text_translation, measurements, text_scores
from parts import held_out, sentences


class Answers(Method, Translates):
    """Translates each held-out sentence as `answers` say; a token costs one bit."""

    def __init__(self, data: Dataset, answers: Sequence[Sequence[int]]) -> None:
        torch.nn.Module.__init__(self)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.spec, self.end = data.spec, data.spec.text.first
        test = held_out(data)
        self.answers = {tuple(row): answer for row, answer in zip(self._rows(test.examples), answers, strict=True)}

    def _rows(self, rows: np.ndarray) -> list[tuple[int, ...]]:
        return [tuple(row[: row.index(self.end)]) for row in rows.tolist()]

    def directions(self) -> tuple[str, ...]:
        return ("ab",)

    def multiple(self) -> int:
        return 1

    def updates(self) -> list[Update]:
        return []

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        out = torch.full((len(images), 60), self.end)
        for index, row in enumerate(self._rows(images.numpy())):
            answer = self.answers[row]
            out[index, : len(answer)] = torch.tensor(answer)
        return out

    def partner_likelihood(self, images: Tensor, partners: Tensor) -> Likelihood:
        tokens = (partners != self.end).sum(1) + 1
        return Likelihood(tokens * 0.6931472, "bits_per_character", terms=2 * tokens)


def test_the_true_translations_score_100_and_the_sources_as_copying() -> None:
    pytest.importorskip("sacrebleu", reason='pip install "ganvas[text]"')
    data = sentences()
    test = held_out(data)
    assert test.partners is not None
    perfect = measure_text_translation(Answers(data, test.partners.tolist()), data)
    assert perfect["chrF"].value == pytest.approx(100) and perfect["BLEU"].value == pytest.approx(100)
    assert perfect["chrF"].primary and not perfect["BLEU"].primary and perfect["chrF"].n == len(test)

    copied = measure_text_translation(Answers(data, test.examples.tolist()), data)
    sources, references = zip(*pairs_of(test), strict=True)
    train = pairs_of(data)
    memory = [train[number][1] for number in nearest(sources, [pair[0] for pair in train])]
    for index, name in enumerate(("chrF", "BLEU")):
        assert copied[name].value == copied[name].input == pytest.approx(text_scores(sources, references)[index])
        assert copied[name].details["baselines"]["translation memory"] == pytest.approx(
            text_scores(memory, references)[index]
        )
        assert copied[name].value < copied[name].details["baselines"]["translation memory"] < 100


def test_scores_are_those_of_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu", reason='pip install "ganvas[text]"')
    made, true = ["le chat est sur un tapis", "les chiens"], ["le chat est assis sur un tapis", "les chiens courent"]
    found = text_scores(made, true)
    assert found.bleu == pytest.approx(sacrebleu.corpus_bleu(made, [true]).score)
    assert found.chrf == pytest.approx(sacrebleu.corpus_chrf(made, [true]).score)
    assert 30 < found.bleu < found.chrf < 90


def test_bits_of_the_true_translations() -> None:
    """One bit for each token and two characters for each: half a bit for a character."""
    data = sentences()
    method = Answers(data, held_out(data).examples.tolist())
    figure = measure_partner_likelihood(method, data)["bits_per_character"]
    assert figure.value == pytest.approx(0.5, abs=1e-5) and figure.n == len(held_out(data)) and figure.split == "test"


def test_without_sacrebleu_the_likelihood_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    data = sentences()
    asked = measurements(Answers(data, held_out(data).examples.tolist()), data, lambda n: np.empty(0), samples=5)
    with pytest.raises(DataError, match=r'computed by sacrebleu: pip install "ganvas\[text\]"'):
        asked["translation"]()
    assert asked["likelihood"]()["bits_per_character"].n == 5
