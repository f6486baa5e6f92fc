"""benchmarks/text.py: its n-grams by hand, and one short run of it all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from modules import module_at
from parts import words

PLACE = Path(__file__).parents[2] / "benchmarks" / "text.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return module_at(PLACE)


def test_ngrams_are_numbers(bench: ModuleType) -> None:
    assert bench.coded(np.array([1, 0, 2, 1]), 2, 3).tolist() == [3, 2, 7]
    assert bench.coded(np.array([1, 0, 2, 1]), 1, 3).tolist() == [1, 0, 2, 1]


def test_bigrams_by_hand(bench: ModuleType) -> None:
    """Training text ababa: ab twice and ba twice. None occurs once, so each is discounted by 0.5: after a, b has 1.5 / 2 and
    0.5 / 2 of its share by contexts. There a and b have one context each, all of which is discounted: half and half."""
    train = np.array([0, 1, 0, 1, 0])
    assert bench.kneser_ney(train, np.array([0, 1, 0]), 2, 2) == pytest.approx(-math.log2(0.75 + 0.25 / 2))
    assert bench.kneser_ney(train, np.array([0, 1]), 1, 2) == pytest.approx(-(math.log2(3 / 5) + math.log2(2 / 5)) / 2)


def test_probabilities_sum_to_one(bench: ModuleType) -> None:
    """Over the next token, in known and in unknown contexts."""
    train = np.random.default_rng(0).integers(0, 3, 60)
    for context in ([0, 1], [2, 2], [1, 0]):
        total = 0.0
        for token in range(4):  # token 3 never occurs in training
            one = np.array([*context, token])
            total += 2.0 ** -bench.kneser_ney(train, one, 3, 4)
        assert total == pytest.approx(1.0)


def test_a_short_run(bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        words().source,
        "--minutes",
        "0.01",
        "--preset",
        "tiny",
        "--precision",
        "fp32",
        "--vocabulary",
        "30",
    ]
    bench.main([*line, "--show", "10", "--json"])
    found = json.loads(capsys.readouterr().out)
    names = [row["name"] for row in found["rows"]]
    assert names[0].startswith("1-gram") and names[-2:] == ["rnn_text characters, seed 0", "rnn_text bytepairs, seed 0"]
    assert all(0 < row["bpc"] < 10 for row in found["rows"]) and found["rows"][-1]["vocabulary"] == 30
    assert len(found["rows"][-1]["wrote"]) == 10
