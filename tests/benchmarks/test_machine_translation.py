"""benchmarks/machine_translation.py: cutting into sentences, the parts, and where the translation memory answers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from ganvas.abilities import Likelihood
from ganvas.data.kinds.parallel_text import pairs_of
from modules import module_at

WORDS = ["window", "file", "door", "box", "letter", "cat", "bird", "cow", "hen", "lamp", "tree", "stone"] * 5
PLACE = Path(__file__).parents[2] / "benchmarks" / "machine_translation.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return module_at(PLACE)


def test_messages_are_cut_where_both_sides_have_as_many_sentences(bench: ModuleType) -> None:
    assert bench.in_sentences("One. Two!\nThree", "Un. Deux !\nTrois") == [
        ("One.", "Un."),
        ("Two!", "Deux !"),
        ("Three", "Trois"),
    ]
    assert bench.in_sentences("One. Two.", "Un et deux.") == [("One. Two.", "Un et deux.")]


def test_pairs_to_choose_by_are_of_the_training_part(bench: ModuleType, tmp_path: Path) -> None:
    pairs = [(f"open {word} {number} times", f"ouvrir {word}") for number, word in enumerate(WORDS)]
    data = bench.opened({"x": pairs}, tmp_path / "pairs.tsv", 40)
    validated = bench.opened({"x": pairs}, tmp_path / "pairs.tsv", 40, validate=True)
    parts = [set(pairs_of(part)) for part in (data, validated, bench.held_out(validated))]
    assert parts[1] and parts[2]
    assert not parts[1] & parts[2] and parts[1] | parts[2] <= parts[0]


def test_the_memory_answers_where_it_is_surer(bench: ModuleType) -> None:
    """Of four words and a sign three words and the sign are the same: 2 * 4 / 10."""
    assert bench.alike("Open the old door.", "Open the green door.") == pytest.approx(0.8)
    assert bench.alike("one two", "three four") == 0
    memory = bench.Memory.__new__(bench.Memory)
    memory.answers, memory.alike = ["a", "b", "c"], [0.4, 0.5, 0.9]
    assert memory.or_else(["x", "y", "z"], [0.3, 0.6, 0.9]) == ["a", "y", "c"]


def test_certainty_is_the_mean_probability_of_a_token(bench: ModuleType) -> None:
    """Here each source token s is followed by its own with probability 1/s; a translation without an end gets one."""

    class Method:
        def partner_likelihood(self, images: torch.Tensor, partners: torch.Tensor) -> Likelihood:
            assert (partners[:, -1] == 0).all()
            nats = images[:, 0].double().log() * ((partners != 0).sum(1) + 1)
            return Likelihood(nats, "nats")

    sources = np.array([[2, 0]] * 40 + [[5, 0]])
    translations = np.array([[1, 0, 0]] * 40 + [[1, 1, 1]])
    assert bench.certainty(Method(), sources, translations, 0) == pytest.approx([0.5] * 40 + [0.2])
