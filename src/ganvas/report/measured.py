"""What a run's files say of it, for every page: its name, its data, its method, and its figures with their step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ganvas import old_names
from ganvas.errors import GanvasError
from ganvas.figure import Figure, read_figures
from ganvas.files import read_json
from ganvas.method import Method
from ganvas.registry import find
from ganvas.run import Run


@dataclass(frozen=True)
class Measured:
    """Figures by name, and the step that they are of; None where that is unknown."""

    figures: Mapping[str, Figure] = field(default_factory=dict)
    step: object = None


def newest(run: Run) -> Measured:
    """metrics.json; empty where there is none or it is damaged."""
    return _read(run.folder / "metrics.json")


def best(run: Run) -> Measured:
    """The figures of the best weights, likewise."""
    return _read(run.folder / "best" / "metrics.json")


def data_name(run: Run) -> str:
    """The short name of the data."""
    return str(run.info["spec"].get("name") or run.info["data"])


def method_class(run: Run) -> type[Method] | None:
    """None where the method is not registered here (somebody's own file)."""
    try:
        return find(run.info["method"])
    except GanvasError:
        return None


def _read(path: Path) -> Measured:
    if not path.is_file():
        return Measured()
    try:
        content = old_names.read_metrics(read_json(path))
    except GanvasError:
        return Measured()
    return Measured(read_figures(content.get("metrics")), content.get("step"))
