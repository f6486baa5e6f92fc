"""Python files outside of the package as modules: tools and benchmarks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def module_at(path: Path) -> ModuleType:
    """A file as a module of its own, which imports what lies beside it."""
    found = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(path.parent))
        found.loader.exec_module(module)
    return module
