"""The metadata of a file come from somebody else."""

from __future__ import annotations

import json

import pytest

from ganvas.draws import Draw
from ganvas.errors import DataError
from ganvas.export.facts import ModelFacts, facts_from

FACTS = ModelFacts(
    "sample", "cgan", 1, 28, 28, data="digits", classes=("a", "b"), class_cuts=(0.25,), draws=(Draw("normal", 8),),
    codes=(("c1", "categorical", 8, 3),), settings={"z_dim": 8},
)  # fmt: skip


def test_facts_survive_a_file() -> None:
    assert facts_from(FACTS.text(), "m.onnx") == FACTS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("part", "delete"),
        ("channels", 10**9),
        ("height", -1),
        ("width", "28"),
        ("multiple", 0),
        ("scale", 1000),
        ("draws", [{"kind": "normal", "size": 10**15}]),
        ("draws", [{"kind": "evil", "size": 1}]),
        ("draws", [{"kind": "uniform", "size": 1, "low": "x"}]),
        ("draws", 7),
        ("draws", []),
        ("class_cuts", [0.9, 0.1]),
        ("class_cuts", [0.1, 0.2]),
        ("classes", [1, 2]),
        ("codes", [["a"]]),
        ("alpha", "red"),
        ("output", "float64"),
        ("method", 3),
        ("format", 99),
    ],
)
def test_what_cannot_be_is_refused(key: str, value: object) -> None:
    content = {**json.loads(FACTS.text()), key: value}
    with pytest.raises(DataError, match=r"m\.onnx.*export it anew|m\.onnx.*Export it anew"):
        facts_from(json.dumps(content), "m.onnx")


@pytest.mark.parametrize("text", ["", "[]", "nul", "{}", "[" * 100_000, '{"format": 1}'])
def test_what_is_no_json_of_ours_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"m\.onnx"):
        facts_from(text, "m.onnx")


def test_a_foreign_file_is_told() -> None:
    with pytest.raises(DataError, match="was not written by ganvas export"):
        facts_from(None, "m.onnx")
    with pytest.raises(DataError, match="never writes"):
        facts_from("x" * (5 * 2**20), "m.onnx")
