"""BLEU, self-BLEU and the distance of texts, against values by hand and sacrebleu."""

from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import DataError
from ganvas.metrics.text_quality import bleu, self_bleu, text_distance, text_features
from ganvas.networks.recurrent import RecurrentText

REFERENCES = ["the cat is on the mat", "there is a cat on the mat", "a dog sleeps", "and the cat sat on it"]
TEXTS = ["the the the cat sat on the mat", "a cat is on it", "the dog is on the mat", "there is the cat"]


def split(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in texts]


def test_bleu_by_hand() -> None:
    """Papineni's example: of seven "the" two count; against a text of six words nothing is too short."""
    assert bleu([["the"] * 7], split(REFERENCES[:2]), order=1) == pytest.approx(100 * 2 / 7)


def test_short_texts_are_penalised() -> None:
    """All words and pairs are right: what is left is exp(1 - 6 / 3)."""
    assert bleu(split(["the cat is"]), split(REFERENCES[:1]), order=2) == pytest.approx(100 * math.exp(-1))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_bleu_is_sacrebleus(order: int) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    judge = sacrebleu.BLEU(max_ngram_order=order, tokenize="none", smooth_method="none", force=True)
    expected = judge.corpus_score(TEXTS, [[reference] * len(TEXTS) for reference in REFERENCES]).score
    assert expected > 10
    assert bleu(split(TEXTS), split(REFERENCES), order) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_self_bleu_is_sacrebleus_of_each_with_the_others(order: int) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    judge = sacrebleu.BLEU(max_ngram_order=order, tokenize="none", smooth_method="none", force=True)
    others = [[text for place, text in enumerate(TEXTS) if place != index] for index in range(len(TEXTS))]
    expected = judge.corpus_score(TEXTS, [list(stream) for stream in zip(*others, strict=True)]).score
    assert expected > 10
    assert self_bleu(split(TEXTS), order) == pytest.approx(expected, abs=1e-6)


def test_equal_texts_have_a_self_bleu_of_100_and_unlike_ones_of_0() -> None:
    assert self_bleu([["a", "b", "c"]] * 3, 2) == pytest.approx(100)
    assert self_bleu([["a", "b"], ["c", "d"]], 2) == 0


def test_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="one of both is empty"):
        bleu([], [["a"]])
    with pytest.raises(DataError, match="one of both is empty"):
        self_bleu([["a"]])


def test_distance_is_0_for_equal_sets_and_grows_with_what_is_replaced() -> None:
    torch.manual_seed(0)
    network = RecurrentText(9, (6,), 5, "lstm", tied=False)
    real = torch.randint(5, (300, 7))
    assert text_features(network, real).shape == (300, 6)
    distances = []
    for share in (0, 0.3, 1):
        texts = torch.where(torch.rand(300, 1) < share, torch.randint(5, 9, (300, 7)), real)
        distances.append(text_distance(network, texts, real))
    assert distances[0] < 1e-6 < distances[1] < distances[2]


def test_features_are_the_mean_over_tokens() -> None:
    """Of a network whose outputs are the logits: the mean logit."""
    torch.manual_seed(0)
    network = RecurrentText(4, (4,), 3, "gru", tied=False)
    network.out.weight.data.copy_(torch.eye(4))
    network.out.bias.data.zero_()
    texts = torch.randint(4, (5, 6))
    logits, _ = network(texts.T)
    torch.testing.assert_close(text_features(network, texts), logits.detach().mean(0))
