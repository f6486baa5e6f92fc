"""A trained model without its training, to be kept or shared: config.json and model.safetensors in one folder.

    run.save_pretrained("my_model")
    model = ganvas.from_pretrained("my_model")      # a Run that samples, restores, ...
    ganvas sample my_model                          # commands take the folder as any run

config.json         method, settings, shape and classes of the data, figures, SHA-256 of the weights; no path, no machine's name
model.safetensors   the weights that a run samples with (the moving average), by the names of the method's modules

The folder is read as data: nothing is unpickled.
"""

from __future__ import annotations

from ganvas.data.builtin_sets import SETS
from ganvas.files import JsonObject
from ganvas.provenance import last_part

CONFIG, MODEL = "config.json", "model.safetensors"
LIBRARY = "ganvas"  # what config.json says it is of, so that another library's config.json is told apart
KEPT = (
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
)
PATHS = ("partner",)  # data settings that name a place on one machine


def config_of(info: JsonObject, metrics: JsonObject, sha256: str) -> JsonObject:
    """config.json of a run's settings.json and metrics.json."""
    config: JsonObject = {"library": LIBRARY, "sha256": sha256}
    for name in KEPT:
        if name in info:
            config[name] = info[name]
    config["settings"] = {name: _without_folders(value) for name, value in config["settings"].items()}
    config["data_settings"] = {name: value for name, value in config["data_settings"].items() if name not in PATHS}
    config["data"] = info["data"] if info["data"] in SETS else ""
    config["metrics"] = metrics.get("metrics", {})
    return config


def _without_folders(value: object) -> object:
    """A setting's value; of a path its last part only."""
    return last_part(value) if isinstance(value, str) else value
