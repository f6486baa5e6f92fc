"""Directions kept with a run: RUN/editing/directions.json says what they are and do, directions.safetensors holds their vectors.

They belong to the weights they were found with, whose SHA-256 they name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ganvas.errors import RunError, UsageError
from ganvas.files import JsonObject, explained, read_json, write_bytes, write_text
from ganvas.strict_json import dumps
from ganvas.tasks.directions import Direction, Effect

EDITING_FOLDER = "editing"
DIRECTIONS_FORMAT = 1
MAX_DIRECTIONS_BYTES = 64 * 2**20  # bytes of either file


def save_directions(folder: Path, weights: str, directions: Sequence[Direction], facts: JsonObject) -> Path:
    """Writes the directions of a run; returns the JSON file. `weights` names the run's weights, `facts` are of the measuring."""
    vectors = {direction.name: direction.vector.contiguous() for direction in directions}
    content = {
        "format": DIRECTIONS_FORMAT,
        "weights": weights,
        **facts,
        "directions": [one.as_dict() for one in directions],
    }
    place = folder / EDITING_FOLDER
    write_bytes(place / "directions.safetensors", save(vectors))
    write_text(place / "directions.json", dumps(content, indent=2))
    return place / "directions.json"


def saved_directions(folder: Path, weights: str) -> dict[str, Direction]:
    """The directions of a run by name, {} where none are saved, or only those of other weights. RunError for damaged files."""
    place = folder / EDITING_FOLDER
    if not (place / "directions.json").is_file():
        return {}
    content, vectors = _read(place / "directions.json"), _vectors(place / "directions.safetensors")
    if content.get("weights") != weights:
        return {}
    found: dict[str, Direction] = {}
    try:
        for one in content["directions"]:
            effects = {
                str(name): Effect(float(effect["change"]), float(effect["deviations"]))
                for name, effect in one["effects"].items()
            }
            share = one["share"]
            name = str(one["name"])
            found[name] = Direction(
                name, str(one["space"]), vectors[name], float(one["scale"]), str(one["how"]),
                None if share is None else float(share), effects,
            )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{place / 'directions.json'} is damaged ({error}): delete it and find the directions again"
        ) from error
    return found


def check_name(name: str) -> str:
    """UsageError unless a direction can have this name: letters, digits and . _ - : space, starting with a letter."""
    if not name or not name[0].isalpha() or not all(one.isalnum() or one in "._-: " for one in name):
        raise UsageError(
            f"a direction's name starts with a letter and holds letters, digits and . _ - : (got {name!r})"
        )
    return name


def _read(path: Path) -> JsonObject:
    content = read_json(path, "delete it and find the directions again")
    if content.get("format") != DIRECTIONS_FORMAT:
        raise RunError(f"{path} is not a file of directions that this version reads: find the directions again")
    return content


def _vectors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with explained(path, "read"):
            if path.stat().st_size > MAX_DIRECTIONS_BYTES:
                raise RunError(f"{path} is larger than {MAX_DIRECTIONS_BYTES} bytes, so it is not one of ours")
            return load(path.read_bytes())
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}): find the directions again") from error
