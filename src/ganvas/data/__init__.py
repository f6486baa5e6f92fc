"""Images in, batches out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganvas.data.batch import Batch
    from ganvas.data.dataset import Dataset
    from ganvas.data.examples import example_grid
    from ganvas.data.image import png_bytes, read_image, write_png
    from ganvas.data.image_array import ImageArray
    from ganvas.data.image_grid import grid
    from ganvas.data.metadata import read_provenance
    from ganvas.data.open import open_data
    from ganvas.data.settings import DataSettings
    from ganvas.data.spec import DataSpec

_HOMES = {
    "Batch": "batch",
    "DataSettings": "settings",
    "DataSpec": "spec",
    "Dataset": "dataset",
    "ImageArray": "image_array",
    "example_grid": "examples",
    "grid": "image_grid",
    "open_data": "open",
    "png_bytes": "image",
    "read_image": "image",
    "read_provenance": "metadata",
    "write_png": "image",
}

__all__ = [
    "Batch",
    "DataSettings",
    "DataSpec",
    "Dataset",
    "ImageArray",
    "example_grid",
    "grid",
    "open_data",
    "png_bytes",
    "read_image",
    "read_provenance",
    "write_png",
]


def __getattr__(name: str) -> object:
    """Names are fetched when they are first asked for: reading an image needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
