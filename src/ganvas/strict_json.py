"""JSON as every reader takes it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np


def dumps(content: object, indent: int | None = None) -> str:
    """Strict JSON: NaN and the infinities become null, since no other reader takes them."""
    return json.dumps(_strict(content), indent=indent, allow_nan=False)


def _strict(node: object) -> object:
    if isinstance(node, dict):
        return {str(key): _strict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_strict(value) for value in node]
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not math.isfinite(node):
        return None
    if isinstance(node, Path):
        return str(node)
    return node
