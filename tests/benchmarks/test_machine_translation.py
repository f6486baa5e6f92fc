"""benchmarks/machine_translation.py: cutting into sentences, and the parts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

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
