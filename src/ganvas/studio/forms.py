"""The form of a training, as JSON Schema made of the settings themselves: a new one appears on the page by itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ganvas.catalog import DEFAULT_METHOD, PURPOSES, catalog, purposes_of
from ganvas.data.settings import DataSettings
from ganvas.files import JsonObject
from ganvas.settings import Setting, as_text, settings_of
from ganvas.studio.jobs import FORM
from ganvas.training.config import TrainConfig

HIDDEN_DATA = ("partner",)  # chosen by id
_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "None": "null"}


@functools.cache
def training_form() -> JsonObject:
    """Purposes, methods with presets and settings, and the settings of data and training."""
    methods = []
    for name, facts in catalog().items():
        settings = [_of_catalog(one) for one in facts["settings"]]
        methods.append(
            {
                "name": name,
                "title": facts["title"],
                "paper": facts["paper"],
                "about": facts["about"],
                "takes": facts["takes"],
                "purposes": purposes_of(dict(facts)),
                "abilities": facts["abilities"],
                "classes": facts["classes"],
                "presets": facts["presets"],
                "settings": settings,
            }
        )
    data = [_of_setting(one) for name, one in settings_of(DataSettings).items() if name not in HIDDEN_DATA]
    options = settings_of(TrainConfig)
    training = [_of_setting(options[name]) for name in FORM]
    return {
        "start": DEFAULT_METHOD, "purposes": list(PURPOSES), "methods": methods, "data_settings": data, "options": training,
        "cores": os.cpu_count() or 1,
    }  # fmt: skip


def _of_setting(one: Setting) -> JsonObject:
    return _field(
        one.name, one.type_name, one.help, one.unit, as_text(one.default) if one.default is not None else "", one.default,
        one.choices, one.minimum, one.maximum, one.above, one.values,
    )  # fmt: skip


def _of_catalog(facts: Mapping[str, Any]) -> JsonObject:
    return _field(
        facts["name"], facts["type"], facts["help"], facts["unit"], facts["default_text"], facts["default"], facts["choices"],
        facts["minimum"], facts["maximum"], facts["above"], facts["allowed"],
    )  # fmt: skip


def _field(
    name: str, type_name: str, help: str, unit: str, default_text: str, default: object, choices: Sequence[object] | None,
    minimum: float | None, maximum: float | None, above: float | None, allowed: str,
) -> JsonObject:  # fmt: skip
    """One setting as a JSON Schema, with what a form shows beside it."""
    types = [_JSON_TYPES[part.strip()] for part in type_name.split("|") if part.strip() in _JSON_TYPES] or ["array"]
    schema: JsonObject = {
        "title": name,
        "type": types[0] if len(types) == 1 else types,
        "description": help,
        "default": default,
    }
    for key, value in (("minimum", minimum), ("maximum", maximum), ("exclusiveMinimum", above)):
        if value is not None:
            schema[key] = value
    if choices:
        schema["enum"] = list(choices)
    if types == ["array"]:
        schema["items"] = {"type": "integer"}
    return {"name": name, "schema": schema, "unit": unit, "default_text": default_text, "allowed": allowed}
