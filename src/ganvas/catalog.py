"""What is known of every method, from a file: listing methods and completing their names need no torch.

catalog.json holds what `ganvas.registry.describe` says of each method. tools/make_docs.py writes it, and a test compares it
with the registry.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from ganvas.files import JsonObject

CATALOG_FILE = "catalog.json"
DEFAULT_METHOD = "mgan"  # where none is named, and the one to start with


@functools.cache
def catalog() -> Mapping[str, JsonObject]:
    """The facts of each method by its name, in the order of the gallery."""
    text = resources.files("ganvas").joinpath(CATALOG_FILE).read_text(encoding="utf-8")
    return {facts["name"]: facts for facts in json.loads(text)["methods"]}


def setting_rows(facts: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(name, default, allowed, help) of every setting of a method as text, for tables."""
    rows = []
    for one in facts["settings"]:
        unit = f" [{one['unit']}]" if one["unit"] else ""
        rows.append((one["name"], one["default_text"], one["allowed"] or one["type"], one["help"] + unit))
    return rows


# --- what methods are for -----------------------------------------------------------------------------------------------


def _generates(facts: JsonObject) -> bool:
    return "Samples" in facts["abilities"] and "images" in facts["takes"]


PURPOSES: dict[str, Callable[[JsonObject], bool]] = {
    "Generate images": _generates,
    "Generate images of a class": lambda facts: _generates(facts) and facts["classes"] != "no",
    "Translate images": lambda facts: "Translates" in facts["abilities"] and "images" in facts["takes"],
    "Translate texts": lambda facts: "Translates" in facts["abilities"] and "parallel_text" in facts["takes"],
    "Restore images (denoise, upscale, inpaint)": lambda facts: "Restores" in facts["abilities"],
    "Stylise photos": lambda facts: "Stylises" in facts["abilities"],
    "Compress or encode images": lambda facts: bool({"Encodes", "Tokenizes"} & set(facts["abilities"])),
    "Generate sound": lambda facts: "audio" in facts["takes"],
    "Generate text": lambda facts: "text" in facts["takes"],
    "Generate videos": lambda facts: "Samples" in facts["abilities"] and "video" in facts["takes"],
    "Generate volumes (3-D)": lambda facts: "Samples" in facts["abilities"] and "volumes" in facts["takes"],
    "Compute a likelihood": lambda facts: "HasLikelihood" in facts["abilities"],
}


def purposes_of(facts: JsonObject) -> list[str]:
    """What a method is for, in the words of the list."""
    return [purpose for purpose, fits in PURPOSES.items() if fits(facts)]
