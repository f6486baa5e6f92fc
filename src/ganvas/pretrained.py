"""A trained model without its training, to be kept or shared: config.json and model.safetensors in one folder.

    run.save_pretrained("my_model")
    model = ganvas.from_pretrained("my_model")      # a Run that samples, restores, ...
    ganvas sample my_model                          # commands take the folder as any run

config.json         method, settings, shape and classes of the data, figures, SHA-256 of the weights; no path, no machine's name
model.safetensors   the weights that a run samples with (the moving average), by the names of the method's modules

and, where the model is to be shared, what ganvas.hub writes:

README.md           the model card;  samples.png: images of the seeds 0 to 15
manifest.json       SHA-256 of config.json, model.safetensors and samples.png

The folder is read as data: nothing is unpickled.
"""

from __future__ import annotations

import json
from typing import Any

from ganvas.data.builtin_sets import BUILTIN_SETS
from ganvas.files import JsonObject
from ganvas.provenance import last_part, without_places

CONFIG, MODEL = "config.json", "model.safetensors"
LIBRARY = "ganvas"  # what config.json says it is of, so that another library's config.json is told apart
KEPT_FACTS = (
    "format",
    "ganvas",
    "method",
    "preset",
    "settings",
    "data_settings",
    "spec",
    "seed",
    "budget",
    "precision",
    "fingerprint",
    "licence",
    "imported",
    "lacks",
    "facts",
)
PATHS = ("partner",)  # data settings that name a place on one machine


def config_of(info: JsonObject, metrics: JsonObject, sha256: str) -> JsonObject:
    """config.json of a run's settings.json and metrics.json."""
    config: JsonObject = {"library": LIBRARY, "sha256": sha256}
    for name in KEPT_FACTS:
        if name in info:
            config[name] = info[name]
    config["settings"] = {name: _without_folders(value) for name, value in config["settings"].items()}
    of_data = {name: value for name, value in config["data_settings"].items() if name not in PATHS}
    config["data_settings"] = without_machine(of_data)
    if "spec" in config:
        # The names of classes and the tokens of a text are what labels and prompts are read by: they stay as they are.
        config["spec"] = {
            **config["spec"],
            "name": _without_folders(without_places(str(config["spec"].get("name", "")))),
        }
    config["data"] = info["data"] if info["data"] in BUILTIN_SETS else ""
    config["metrics"] = without_machine(metrics.get("metrics", {}))
    return config


def without_machine(node: Any) -> Any:
    """JSON values whose texts name no place and no user of this machine; see `provenance.without_places`."""
    if isinstance(node, dict):
        return {without_places(str(key)): without_machine(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [without_machine(value) for value in node]
    return without_places(node) if isinstance(node, str) else node


def _without_folders(value: object) -> object:
    """A setting's value; of a path its last part only. A setting may hold the settings of another method, as JSON."""
    if not isinstance(value, str):
        return value
    if value.startswith("{"):
        try:
            return json.dumps(_inner(json.loads(value)))
        except (ValueError, RecursionError):
            pass
    return without_places(last_part(value))


def _inner(node: object) -> object:
    if isinstance(node, dict):
        return {key: _inner(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_inner(value) for value in node]
    return _without_folders(node)
