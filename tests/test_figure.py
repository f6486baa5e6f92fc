"""Figures: what files hold of them, in this version and in older ones, and which one is the primary."""

from __future__ import annotations

import json
import math

import pytest

from ganvas.figure import Figure, distance_figure, figures_as_dict, primary_figure, read_figures

FULL = Figure(
    4.5, "lower", 100, reference=0.0, reference_n=50, reference_from="50 test images", value_at_reference_n=5.0, input=9.0,
    input_is="copied", of=10, unit="dB", split="test", network="digits 1234", help="what it says", note="a note", primary=True,
    details={"k": 5, "kind": "clusters"},
)  # fmt: skip


def test_a_figure_survives_a_file() -> None:
    assert Figure.from_dict(json.loads(json.dumps(FULL.as_dict()))) == FULL
    assert read_figures(json.loads(json.dumps(figures_as_dict({"FD": FULL})))) == {"FD": FULL}


def test_fields_that_say_nothing_are_omitted_and_zeros_are_kept() -> None:
    assert Figure(0, "lower", 3, reference=0.0).as_dict() == {"value": 0, "better": "lower", "n": 3, "reference": 0.0}
    assert FULL.as_dict()["k"] == 5


@pytest.mark.parametrize("value", [None, "4", True, math.nan, math.inf, 10**400])
def test_what_has_no_finite_value_is_no_figure(value: object) -> None:
    assert read_figures({"FD": {"value": value}, "L1": 0.25}) == {"L1": Figure(0.25)}
    with pytest.raises(ValueError, match="needs a finite value"):
        Figure.from_dict({"value": value})


def test_fields_of_a_wrong_type_are_omitted() -> None:
    entry = {"value": 1, "better": "sideways", "n": "many", "reference": "x", "help": 3, "primary": "yes", "of": None}
    assert Figure.from_dict(entry) == Figure(1)
    assert read_figures([entry]) == {} and read_figures(None) == {}


def test_the_primary_figure_is_the_first_marked_one() -> None:
    figures = {
        "PSNR": Figure(1.0, "higher"),
        "L1": Figure(1.0, "lower", primary=True),
        "FD[digits]": Figure(1.0, "lower"),
    }
    assert primary_figure(figures) == "L1"
    assert primary_figure({**figures, "nats": Figure(1.0, "lower", primary=True)}) == "L1"
    assert primary_figure({}) is None


def test_the_primary_figure_of_earlier_versions() -> None:
    """None was marked: the Fréchet distance, else the first with a better side, else the first."""
    plain, sided = Figure(1.0), Figure(1.0, "higher")
    assert primary_figure({"L1": sided, "FD[digits]": Figure(2.0, "lower")}) == "FD[digits]"
    assert primary_figure({"a": plain, "PSNR": sided}) == "PSNR"
    assert primary_figure({"a": plain, "b": plain}) == "a"


def test_the_better_side() -> None:
    assert Figure(1.0, "lower").is_better_than(2.0) and not Figure(1.0, "lower").is_better_than(1.0)
    assert Figure(3.0, "higher").is_better_than(2.0) and not Figure(3.0).is_better_than(2.0)


def test_the_distance_from_the_data_has_a_reference() -> None:
    """An error against true partners has none: it does not fall to what real data score."""
    figures = {"L1": Figure(0.3, "lower", input=0.5, primary=True), "FD[digits]": Figure(9.0, "lower", reference=0.1)}
    assert distance_figure(figures) == "FD[digits]"
    assert distance_figure({"nats": Figure(90.0, "lower")}) is None
