"""The catalogue says of each method what the registry says."""

from __future__ import annotations

import json

import pytest

from ganvas.catalog import DEFAULT_METHOD, catalog, setting_rows
from ganvas.cli.methods import rows_of
from ganvas.registry import describe, find, method_names


def test_it_lists_the_methods_of_the_registry_and_the_default_first() -> None:
    assert sorted(catalog()) == method_names()
    assert next(iter(catalog())) == DEFAULT_METHOD


@pytest.mark.parametrize("name", method_names())
def test_it_says_what_the_registry_says(name: str) -> None:
    facts = dict(catalog()[name])
    assert facts.pop("classes") in ("yes", "no", "conditional")
    assert facts == json.loads(json.dumps(describe(name))), "stale: run `make docs`"
    assert setting_rows(facts) == rows_of(find(name))
