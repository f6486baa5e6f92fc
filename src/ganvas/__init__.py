"""ganvas: from a folder of images to a trained, measured and usable generative model.

    import ganvas
    run = ganvas.train("r3gan", "digits", minutes=5)
    images = run.sample(64, seed=0)                # uint8 (64, 28, 28, 1)

Importing this is light: torch comes with the first use of a name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ganvas.errors import GanvasError
from ganvas.version import __version__

_homes = {
    "Batch": "ganvas.data.batch",
    "Callback": "ganvas.training.callbacks",
    "DataSpec": "ganvas.data.spec",
    "Dataset": "ganvas.data",
    "Method": "ganvas.method",
    "Run": "ganvas.run",
    "TrainConfig": "ganvas.training.config",
    "Update": "ganvas.method",
    "compare": "ganvas.report",
    "create": "ganvas.registry",
    "from_pretrained": "ganvas.run",
    "load": "ganvas.run",
    "open_data": "ganvas.data",
    "preset": "ganvas.registry",
    "setting": "ganvas.settings",
    "train": "ganvas.api",
}

__all__ = sorted([*_homes, "GanvasError", "__version__"])

if TYPE_CHECKING:
    from ganvas.api import train
    from ganvas.data import Dataset, open_data
    from ganvas.data.batch import Batch
    from ganvas.data.spec import DataSpec
    from ganvas.method import Method, Update
    from ganvas.registry import create, preset
    from ganvas.report import compare
    from ganvas.run import Run, from_pretrained, load
    from ganvas.settings import setting
    from ganvas.training.callbacks import Callback
    from ganvas.training.config import TrainConfig


def __getattr__(name: str) -> Any:
    if name in _homes:
        return getattr(importlib.import_module(_homes[name]), name)
    if name in ("data", "doctor", "foreign", "hub", "losses", "methods", "metrics", "networks", "tasks", "training"):
        return importlib.import_module(f"ganvas.{name}")
    raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
