"""benchmarks/machine_translation.py: cutting into sentences, and sources with the translation memory's answer."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from ganvas.data.kinds.parallel_text import pairs_of
from modules import module_at

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


def test_a_source_is_followed_by_the_translation_of_the_one_most_like_it(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is of the training part, and never its own."""
    pairs = [
        (f"open the {word} now", f"ouvrir {word}") for word in ("window", "file", "door", "box", "green book", "letter")
    ]
    pairs += [
        (f"the {word} is not here", f"{word} absent") for word in ("cat", "old dog", "bird", "brown cow", "fox", "hen")
    ]
    monkeypatch.setattr(bench, "VOCABULARY", 100)
    data = bench.opened({"x": pairs}, tmp_path / "pairs.tsv", 40)
    given = bench.with_memory(data, tmp_path / "memory", 40)
    known = pairs_of(data)
    for part, plain in ((given, known), (bench.held_out(given), pairs_of(bench.held_out(data)))):
        found = pairs_of(part)
        assert [pair[1] for pair in found] == [pair[1] for pair in plain]
        for (source, target), (before, _) in zip(found, plain, strict=True):
            own, memory = source.split(bench.BEFORE_MEMORY)
            assert own == before and memory in {pair[1] for pair in known} - {target}
            assert memory.startswith("ouvrir") == own.startswith("open")


def test_the_memory_answers_where_sources_are_alike(bench: ModuleType, tmp_path: Path) -> None:
    """Of four words and a sign three words and the sign are the same: 2 * 4 / 10."""
    assert bench.alike("Open the old door.", "Open the green door.") == pytest.approx(0.8)
    assert bench.alike("one two", "three four") == 0
    memory = bench.Memory.__new__(bench.Memory)
    memory.answers, memory.alike = ["a", "b", "c"], [0.4, 0.5, 0.9]
    assert memory.or_else(["x", "y", "z"], 0.5) == ["x", "b", "c"]
