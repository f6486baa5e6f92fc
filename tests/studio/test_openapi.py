"""The OpenAPI file is that of the routes, and its documentation is not stale."""

from __future__ import annotations

import json
from pathlib import Path

from ganvas.studio.openapi import openapi
from ganvas.studio.server import endpoints

ROOT = Path(__file__).parents[2]


def test_every_route_is_in_it() -> None:
    document = openapi(endpoints())
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert operations == {(one.method, one.path) for one in endpoints() if one.path.startswith("/api")}
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    for methods in document["paths"].values():
        for one in methods.values():
            assert one["summary"] and "4XX" in one["responses"]


def test_the_documented_file_is_this_one() -> None:
    written = json.loads((ROOT / "docs" / "reference" / "studio-openapi.json").read_text())
    assert written == openapi(endpoints()), "run tools/make_docs.py"
