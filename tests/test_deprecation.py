"""A name that goes is accepted with one warning."""

from __future__ import annotations

import warnings

import pytest

from ganvas import deprecation
from ganvas.deprecation import deprecated, with_new_names


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecation, "_warned", set())


def test_one_warning_at_the_place_of_the_caller() -> None:
    def old_function() -> None:
        deprecated("old_function", "new_function", until="0.3")

    with pytest.warns(FutureWarning, match="old_function is now called new_function: .* until ganvas 0.3") as caught:
        old_function()
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        old_function()


def test_values_by_their_new_names() -> None:
    with pytest.warns(FutureWarning, match="option speed is now called rate"):
        assert with_new_names({"speed": 1, "size": 2}, {"speed": "rate"}, what="option", until="1.0") == {
            "rate": 1,
            "size": 2,
        }
    with pytest.warns(FutureWarning):
        assert with_new_names({"fix": 1, "repair": 5}, {"fix": "repair"}, what="option", until="1.0") == {"repair": 5}
