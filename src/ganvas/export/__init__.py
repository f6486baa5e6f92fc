"""Trained models as files that other programs run: ONNX, torch.export's .pt2, and one HTML page.

    ganvas.export.export_run(run, to="onnx", out="digits.onnx")      # needs torch and the extra [onnx]
    ganvas.export.open_model("digits.onnx").sample(16, seed=0)       # needs onnxruntime and numpy, no torch

Only this package knows ONNX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganvas.export.facts import ModelFacts
    from ganvas.export.runtime import ExportedModel, open_model
    from ganvas.export.write import Exported, export_run

_HOMES = {
    "ExportedModel": "runtime",
    "Exported": "write",
    "ModelFacts": "facts",
    "export_run": "write",
    "open_model": "runtime",
}

__all__ = ["Exported", "ExportedModel", "ModelFacts", "export_run", "open_model"]


def __getattr__(name: str) -> object:
    """Names are fetched when they are first asked for: running an exported model needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
