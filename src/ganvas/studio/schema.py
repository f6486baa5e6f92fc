"""A small part of JSON Schema: the same declaration checks a request and stands in the OpenAPI file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ganvas.errors import UsageError, nearest

Schema = dict[str, Any]
MAX_DEPTH = 12  # of nested objects and lists
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),),
}  # fmt: skip


def text(help: str = "", *, longest: int = 200, shortest: int = 0, pattern: str = "") -> Schema:
    """A string of bounded length."""
    schema: Schema = {"type": "string", "maxLength": longest}
    if shortest:
        schema["minLength"] = shortest
    if pattern:
        schema["pattern"] = pattern
    return _with_help(schema, help)


def integer(help: str = "", *, minimum: int | None = None, maximum: int | None = None) -> Schema:
    """An integer within limits."""
    return _with_help(_limited({"type": "integer"}, minimum, maximum), help)


def number(help: str = "", *, minimum: float | None = None, maximum: float | None = None) -> Schema:
    """A finite number within limits."""
    return _with_help(_limited({"type": "number"}, minimum, maximum), help)


def boolean(help: str = "") -> Schema:
    """true or false."""
    return _with_help({"type": "boolean"}, help)


def one_of(choices: Sequence[str], help: str = "") -> Schema:
    """One of several strings."""
    return _with_help({"type": "string", "enum": list(choices)}, help)


def array(items: Schema, *, most: int, least: int = 0, help: str = "") -> Schema:
    """A list of bounded length."""
    return _with_help({"type": "array", "items": items, "minItems": least, "maxItems": most}, help)


def obj(properties: Mapping[str, Schema], *, required: Sequence[str] = (), help: str = "") -> Schema:
    """An object with these properties and no others."""
    schema = {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False,
    }  # fmt: skip
    return _with_help(schema, help)


def mapping(values: Schema, *, most: int, help: str = "") -> Schema:
    """An object with any names."""
    return _with_help({"type": "object", "additionalProperties": values, "maxProperties": most}, help)


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def check(schema: Schema, value: object, where: str = "the request", depth: int = 0) -> None:
    """UsageError that says what is wrong where; nothing where `value` fits."""
    if depth > MAX_DEPTH:
        raise UsageError(f"{where} is nested too deeply: at most {MAX_DEPTH} levels are read")
    if "$self" in schema:  # a schema that holds itself
        schema = schema["$self"]()
    kinds = schema.get("type")
    if kinds is not None:
        names = [kinds] if isinstance(kinds, str) else list(kinds)
        if not any(_is(value, name) for name in names):
            raise UsageError(f"{where} must be {' or '.join(map(_article, names))} (got {_shown(value)})")
    if value is None:
        return
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(map(str, schema["enum"]))
        raise UsageError(f"{where} must be one of {choices} (got {_shown(value)}){nearest(str(value), schema['enum'])}")
    if isinstance(value, str):
        _check_text(schema, value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(schema, value, where)
    elif isinstance(value, list) and "items" in schema:
        _check_list(schema, value, where, depth)
    elif isinstance(value, dict) and "additionalProperties" in schema:
        _check_object(schema, value, where, depth)


def _check_text(schema: Schema, value: str, where: str) -> None:
    if len(value) > schema.get("maxLength", math.inf):
        raise UsageError(f"{where} is longer than {schema['maxLength']} characters")
    if len(value) < schema.get("minLength", 0):
        raise UsageError(f"{where} is empty")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        raise UsageError(f"{where} must match {schema['pattern']} (got {_shown(value)})")
    if any(
        (ord(sign) < 32 and sign not in "\n\t") or 0xD800 <= ord(sign) < 0xE000 or ord(sign) == 127 for sign in value
    ):
        raise UsageError(f"{where} holds control characters, which no name or text has")


def _check_number(schema: Schema, value: float, where: str) -> None:
    if not math.isfinite(value):
        raise UsageError(f"{where} must be a finite number (got {value})")
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not low <= value <= high:
        limits = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise UsageError(f"{where} must be {limits} (got {value:g})")


def _check_list(schema: Schema, value: list[Any], where: str, depth: int) -> None:
    least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    if not least <= len(value) <= most:
        raise UsageError(f"{where} must have {least} to {most} entries (got {len(value)})")
    for number, item in enumerate(value):
        check(schema["items"], item, f"{where}[{number}]", depth + 1)


def _check_object(schema: Schema, value: dict[str, Any], where: str, depth: int) -> None:
    if len(value) > schema.get("maxProperties", math.inf):
        raise UsageError(f"{where} has more than {schema['maxProperties']} entries")
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", False)
    for name in schema.get("required", ()):
        if name not in value:
            raise UsageError(f"{where} lacks {name}")
    for name, item in value.items():
        _check_text({"maxLength": 100}, name, f"a name in {where}")
        inner = f"{name}" if where == "the request" else f"{where}.{name}"
        if name in properties:
            check(properties[name], item, inner, depth + 1)
        elif isinstance(others, dict):
            check(others, item, inner, depth + 1)
        else:
            known = ", ".join(properties) or "none"
            raise UsageError(f"{where} has no {_shown(name)}{nearest(name, properties)} (there are: {known})")


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, int):
        return -(2**63) <= value < 2**63
    if name == "number" and isinstance(value, int):
        return abs(value) < 2**63
    return isinstance(value, _TYPES[name])


def _article(name: str) -> str:
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else words[:57] + "..."


def _with_help(schema: Schema, help: str) -> Schema:
    return {**schema, "description": help} if help else schema


def _limited(schema: Schema, minimum: float | None, maximum: float | None) -> Schema:
    if minimum is not None:
        schema["minimum"] = minimum
    if maximum is not None:
        schema["maximum"] = maximum
    return schema
