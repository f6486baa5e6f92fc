"""The API as an OpenAPI 3.1 file, made of the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ganvas.files import JsonObject
from ganvas.studio.http import Endpoint
from ganvas.studio.schema import Schema
from ganvas.version import __version__

PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")


def pattern_of(endpoints: Iterable[Endpoint]) -> re.Pattern[str]:
    """Matches the paths of some endpoints."""
    paths = [PARAMETER.sub(".+" if ":path}" in one.path else "[^/]+", one.path) for one in endpoints]
    return re.compile("|".join(paths) or r"(?!)")


def openapi(endpoints: Iterable[Endpoint]) -> JsonObject:
    """The document."""
    paths: JsonObject = {}
    for one in endpoints:
        if one.path.startswith("/api"):
            paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ganvas studio",
            "version": __version__,
            "description": 'The jobs and runs of a studio for programs. Refusals are {"error": sentence}.',
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "not needed on loopback"}},
            "schemas": {
                "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
            },
        },
    }


def _operation(one: Endpoint) -> JsonObject:
    parameters: list[JsonObject] = []
    for name in PARAMETER.findall(one.path):
        parameters.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    for name, declared in one.query.items():
        parameters.append({"name": name, "in": "query", "required": False, "schema": declared})
    operation: JsonObject = {
        "summary": one.summary,
        "operationId": f"{one.method.lower()}_{re.sub('[^a-z]+', '_', one.path.lower()).strip('_')}",
        "responses": {
            "2XX": {"description": "as asked", "content": {one.answer: {}}},
            "4XX": {
                "description": "refused",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if one.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": plain(one.body)}}}
    if one.raw:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    if not one.open:
        operation["security"] = [{}, {"token": []}]
    return operation


def plain(schema: Schema) -> JsonObject:
    """A schema without what only our own check understands."""
    if "$self" in schema:
        return {"type": "object", "description": "of the same form"}
    values: JsonObject = {}
    for name, value in schema.items():
        if isinstance(value, dict) and name == "properties":
            values[name] = {key: plain(inner) for key, inner in value.items()}
        elif isinstance(value, dict):
            values[name] = plain(value)
        else:
            values[name] = value
    return values
