"""A figure: one measured number, and what it takes to read it. A run keeps figures by name, in metrics.json and in its log."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from ganvas.files import JsonObject

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Figure:
    """A measured number, on which side it is better, and what to compare it with.

    `reference` is what held-out real data score by the same measure, a perfect generator's figure; `input` is what the method was
    given scores by itself, and `input_is` says in words what that is.
    """

    value: float
    better: Better | None = None
    n: int | None = None
    """How many samples or examples were measured."""
    reference: float | None = None
    reference_n: int | None = None
    """How many held-out examples the reference is of."""
    reference_from: str = ""
    """Where those come from, in words."""
    value_at_reference_n: float | None = None
    """The value of as many samples as the reference has, where those are fewer than n: the fair one to compare with it."""
    input: float | None = None
    input_is: str = ""
    of: float | None = None
    """The largest value that there can be, such as the number of modes in the data."""
    unit: str = ""
    split: str = ""
    """The part of the data that was measured."""
    network: str = ""
    """The feature network, with a hash of its weights."""
    help: str = ""
    """What the figure says, where its name alone does not."""
    note: str = ""
    warning: str = ""
    """Why the figure says less than its name promises, and what to do about it; it stands in every table of figures."""
    primary: bool = False
    """The figure that `best/` goes by and that runs are compared by; see `primary_figure`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """How it was measured, by keys that only this measure has; plain values."""

    def as_dict(self) -> JsonObject:
        """Plain values for JSON: fields that say nothing are omitted, details stand among the others."""
        values = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            says_nothing = value is None or value is False or value == ""
            if one.name != "details" and not says_nothing:
                values[one.name] = value
        return values | dict(self.details)

    @classmethod
    def from_dict(cls, entry: Mapping[str, object]) -> Figure:
        """A figure from `as_dict`. What has an unexpected type is omitted, and unknown keys become details. ValueError where
        there is no finite value."""
        if not is_number(entry.get("value")):
            raise ValueError(f"a figure needs a finite value (got {entry.get('value')!r})")
        declared = {one.name: str(one.type) for one in dataclasses.fields(cls)}
        del declared["details"]
        fields: JsonObject = {}
        details: JsonObject = {}
        for key, value in entry.items():
            if key not in declared:
                details[str(key)] = value
            elif _fits(declared[key], value):
                fields[key] = value
        return cls(**fields, details=details)

    def replace(self, **changes: Any) -> Figure:
        """The same figure with other values in some fields."""
        return dataclasses.replace(self, **changes)

    def is_better_than(self, value: float) -> bool:
        """Whether this figure lies on the better side of `value`; False where neither side is better."""
        if self.better == "lower":
            return self.value < value
        return self.better == "higher" and self.value > value


def warnings_of(figures: Mapping[str, Figure]) -> dict[str, list[str]]:
    """Each warning once, with the names of the figures it concerns."""
    found: dict[str, list[str]] = {}
    for name, figure in figures.items():
        if figure.warning:
            found.setdefault(figure.warning, []).append(name)
    return found


def primary_figure(figures: Mapping[str, Figure]) -> str | None:
    """The name of a run's main figure: `best/` goes by it, and runs are compared by it. None without figures.

    It is the first that its measure marked as primary. Where none is marked: the first Fréchet distance, else the first figure
    that has a better side, else the first of all.
    """
    for name, figure in figures.items():
        if figure.primary:
            return name
    for name, figure in figures.items():
        if name.startswith(("FD", "FID")) and figure.better != "higher":
            return name
    for name, figure in figures.items():
        if figure.better:
            return name
    return next(iter(figures), None)


def distance_figure(figures: Mapping[str, Figure]) -> str | None:
    """The name of the figure that says how far samples are from the data: it falls towards what held-out real data score.

    The primary figure need not be one: an error against true partners stays far above 0 in the best of trainings.
    """
    for name, figure in figures.items():
        if figure.better == "lower" and figure.reference is not None:
            return name
    return None


def read_figures(metrics: object) -> dict[str, Figure]:
    """The well-formed figures among the "metrics" of a file or of a row in a log; a bare number becomes a figure."""
    figures: dict[str, Figure] = {}
    if not isinstance(metrics, dict):
        return figures
    for name, entry in metrics.items():
        content = entry if isinstance(entry, dict) else {"value": entry}
        if is_number(content.get("value")):
            figures[str(name)] = Figure.from_dict(content)
    return figures


def figures_as_dict(figures: Mapping[str, Figure]) -> dict[str, JsonObject]:
    """Plain values for JSON, by name."""
    return {name: figure.as_dict() for name, figure in figures.items()}


def is_number(value: object) -> TypeGuard[int | float]:
    """True for finite numbers that fit a float; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 <= value <= 1e300


def _fits(declared: str, value: object) -> bool:
    """Whether a value from a file may stand in a field that is declared as "float | None", "str" and so on."""
    kind = declared.removesuffix(" | None")
    if kind == "float":
        return is_number(value)
    if kind == "int":
        return is_number(value) and float(value).is_integer()
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "Better":
        return value in ("lower", "higher")
    return isinstance(value, str)
