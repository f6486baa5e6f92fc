"""Settings: written once, read from a command line or a file, refused with a sentence."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from ganvas.errors import UsageError
from ganvas.settings import as_dict, change, setting, settings_of, table


@dataclasses.dataclass
class Wishes:
    rate: float = setting(0.5, "learning rate", minimum=0.0, maximum=2.0, unit="a step")
    count: int = setting(3, "how many", minimum=1)
    kind: str = setting("a", "which", choices=("a", "bee"))
    flag: bool = setting(False, "whether")
    gamma: float | None = setting(None, "weight; auto follows the data", minimum=0)
    size: int | str = setting("auto", "pixels")
    widths: tuple[int, ...] = setting((8, 4), "channels", minimum=1)
    codes: tuple[int, ...] = setting((10,), "values", minimum=2, may_be_empty=True)
    kernel: int = setting(3, "side", minimum=1, odd=True)
    own: int = 7  # not a setting


def changed(**values: Any) -> Wishes:
    return change(Wishes(), values)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("rate", "1e-1", 0.1), ("rate", 1, 1.0), ("rate", 0, 0.0), ("rate", "2", 2.0),
        ("count", "12", 12), ("count", 4.0, 4),
        ("kind", "bee", "bee"),
        ("flag", "yes", True), ("flag", "ON", True), ("flag", " 0 ", False), ("flag", True, True),
        ("gamma", "0.25", 0.25), ("gamma", "auto", None), ("gamma", "none", None), ("gamma", None, None),
        ("widths", "96-48-24", (96, 48, 24)), ("widths", "96,48", (96, 48)), ("widths", "320", (320,)),
        ("widths", [8, 4], (8, 4)), ("widths", "(8,)", (8,)), ("widths", 16, (16,)), ("codes", "none", ()),
        ("codes", [], ()), ("kernel", "5", 5),
        ("size", "64", 64), ("size", "48x64", "48x64"), ("size", "auto", "auto"), ("size", 32, 32),
    ],
)  # fmt: skip
def test_values_are_read_as_their_type(name: str, given: Any, expected: Any) -> None:
    value = getattr(changed(**{name: given}), name)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("rate", "fast", r"rate must be >= 0 and <= 2, a value of type float \(got 'fast'\)"),
        ("rate", -0.1, r"rate must be >= 0 and <= 2 \(got -0.1\)"),
        ("rate", 2.1, r"rate must be >= 0 and <= 2"),
        ("rate", math.nan, "rate must be a finite number"),
        ("rate", "inf", "rate must be a finite number"),
        ("rate", True, "rate must be"),
        ("rate", None, "rate must be"),
        ("rate", [1], "rate must be"),
        ("count", 1.5, r"count must be >= 1, a value of type int \(got 1.5\)"),
        ("count", "1.5", "count must be"),
        ("count", 0, r"count must be >= 1 \(got 0\)"),
        ("count", False, "count must be"),
        ("widths", "96-a", r"widths must be integers >= 1 joined by -, such as 96-48-24 \(got '96-a'\)"),
        ("widths", "96-0", r"widths must be integers >= 1 joined by - \(got '96-0'\)"),
        ("widths", "none", r"widths must be integers >= 1 joined by -, such as 96-48-24 \(got none\)"),
        ("widths", [1.5], "widths must be integers"),
        ("codes", "3-1", "codes must be integers >= 2 joined by -, or none"),
        ("kernel", 4, r"kernel must be odd \(got 4\)"),
        ("kind", "be", r"kind must be one of a, bee \(got 'be'\); did you mean bee\?"),
        ("kind", 3, "kind must be one of a, bee"),
        ("flag", "maybe", r"flag must be bool"),
        ("flag", 1, "flag must be bool"),
        ("gamma", -1, r"gamma must be >= 0 \(got -1\)"),
        ("gamma", "strong", "gamma must be >= 0, a value of type"),
        ("size", 1.5, "size must be"),
    ],
)
def test_a_bad_value_is_told(name: str, given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        changed(**{name: given})
    assert caught.value.exit_code == 2


def test_an_unknown_name_is_told_with_the_nearest_and_all_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"unknown setting data\.raet; did you mean data\.rate\? \(there are: data\.rate, data\.count"
    ):
        change(Wishes(), {"raet": 1}, where="data.")
    with pytest.raises(UsageError, match="unknown setting own"):
        changed(own=8)
    with pytest.raises(UsageError, match=r"data\.count must be >= 1"):
        change(Wishes(), {"count": 0}, where="data.")


def test_a_change_is_a_copy() -> None:
    before = Wishes()
    assert change(before, {"count": 9}).count == 9 and before.count == 3
    assert change(before, {}) == before and change(before, {}) is not before


def test_settings_are_known_in_their_order() -> None:
    known = settings_of(Wishes)
    assert (
        list(known)
        == ["rate", "count", "kind", "flag", "gamma", "size", "widths", "codes", "kernel"]
        == list(as_dict(Wishes()))
    )
    assert (
        known["rate"].values == ">= 0 and <= 2"
        and known["kind"].values == "one of a, bee"
        and known["flag"].values == ""
    )
    assert known["gamma"].type_name == "float | None" and known["count"].default == 3


def test_table_shows_the_values_of_an_instance() -> None:
    rows = {row[0]: row for row in table(changed(count=5))}
    assert rows["count"] == ("count", "5", ">= 1", "how many")
    assert rows["rate"][3] == "learning rate [a step]"
    assert {row[0]: row for row in table(Wishes)}["count"][1] == "3"
