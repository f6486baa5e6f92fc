"""Methods by name: two of one name are told apart, and a class that is defined again takes the place of itself."""

from __future__ import annotations

import pytest

from ganvas import method, registry
from ganvas.method import Method


@pytest.fixture(autouse=True)
def _registry_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.method_names()
    monkeypatch.setattr(method, "REGISTERED", dict(method.REGISTERED))


def test_two_methods_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match=r"DCGAN.* both have the name dcgan"):
        type("Mine", (Method,), {"name": "dcgan", "title": "mine", "paper": "none"})


def test_a_class_defined_again_takes_its_own_place() -> None:
    """As in a notebook, where a cell runs twice."""
    stated = {"name": "mine", "title": "mine", "paper": "none"}
    type("Mine", (Method,), stated)
    again = type("Mine", (Method,), stated)
    assert method.REGISTERED["mine"] is again
