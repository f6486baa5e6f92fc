"""A setting is written once, as a field of a dataclass; flags, help, settings.json, tables and checks come from it.

@dataclass
class DataSettings:
    fit: str = setting("crop", "how an image meets the size", choices=("crop", "pad", "stretch"))

change(DataSettings(), {"fit": "pad"})        # a checked copy; UsageError names an unknown key or a bad value
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ganvas.errors import UsageError, nearest, shortened
from ganvas.synonyms import SETTING_SYNONYMS, meant

T = TypeVar("T")
LIST = tuple[int, ...]
Value = bool | int | float | str | tuple[int, ...] | None
"""What a setting can be."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is known of one hyperparameter."""

    name: str
    type: object
    default: object
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] | None = None
    unit: str = ""
    above: float | None = None
    """Lower limit that is no allowed value itself."""
    metavar: str = ""
    """How a help page shows the value: RUN, STEPS."""
    flag: str = ""
    """The option of a command line, where it is not the name: --samples."""
    may_be_empty: bool = False
    """A list may have no values, written none."""
    odd: bool = False
    """Only odd numbers: kernels that have a middle, so that padding keeps the size of an image."""
    fewer_is_fine: bool = False
    """Of an integer of at least 1: a small one is a choice, or takes more time, and results are no worse for it. The doctor says
    nothing of it then, where it warns of other counts far below all presets."""
    when: str = ""
    """What another setting must be for this one to have an effect: "augment=ada", "kind=jpeg,mix" (one of these) or "gamma" (on:
    anything but 0, False, "none" and an empty list). See `has_effect`."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of integers."""
        return self.type == LIST

    @property
    def option(self) -> str:
        """Its option on a command line: "--checkpoint-every"."""
        return self.flag or f"--{self.name.replace('_', '-')}"

    @property
    def type_name(self) -> str:
        """How the type reads in help and error texts: "float", "int | None"."""
        if self.is_list:
            return "integers joined by -"
        if isinstance(self.type, type):
            return self.type.__name__
        return str(self.type).replace("NoneType", "None")

    @property
    def values(self) -> str:
        """The allowed values in words: "one of a, b", ">= 0", or ""."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        parts = []
        if self.above is not None:
            parts.append(f"> {self.above:g}")
        elif self.minimum is not None:
            parts.append(f">= {self.minimum:g}")
        if self.maximum is not None:
            parts.append(f"<= {self.maximum:g}")
        if self.odd:
            parts.append("odd")
        limits = " and ".join(parts)
        if not self.is_list or not limits:
            return limits
        empty = ", or none" if self.may_be_empty else ""
        return f"integers {limits} joined by -{empty}"


def setting(
    default: object,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[Value] | None = None,
    unit: str = "",
    above: float | None = None,
    metavar: str = "",
    flag: str = "",
    may_be_empty: bool = False,
    odd: bool = False,
    fewer_is_fine: bool = False,
    when: str = "",
) -> Any:
    """A dataclass field that carries its own help and checks. `minimum` and `maximum` are allowed values themselves, and
    limits of each value of a list.

    A list of integers is a field of type tuple[int, ...]: 96-48-24 or 96,48,24 on a command line, a list in JSON.
    """
    facts = {
        "help": help, "minimum": minimum, "maximum": maximum, "unit": unit, "above": above, "metavar": metavar, "flag": flag,
        "may_be_empty": may_be_empty, "odd": odd, "fewer_is_fine": fewer_is_fine, "when": when,
        "choices": tuple(choices) if choices else None,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata={"setting": facts})


def settings_of(owner: object) -> dict[str, Setting]:
    """Every setting of a dataclass (or of an instance), in the order it was written."""
    return dict(_settings_of_class(owner if isinstance(owner, type) else type(owner)))


@functools.cache
def _settings_of_class(cls: type[Any]) -> dict[str, Setting]:
    types_of = typing.get_type_hints(cls)
    settings = {}
    for field in dataclasses.fields(cls):
        if "setting" in field.metadata:
            facts = field.metadata["setting"]
            settings[field.name] = Setting(field.name, types_of[field.name], field.default, **facts)
    return settings


def has_effect(name: str, declared: Mapping[str, Setting], values: Mapping[str, object]) -> bool:
    """Whether a setting has an effect where the others have these `values`, as far as that is declared (`Setting.when`). The
    setting that it depends on must have one itself."""
    other, _, choices = declared[name].when.partition("=")
    if not other:
        return True
    value = values.get(other, declared[other].default)
    met = value in choices.split(",") if choices else value is None or (bool(value) and value != "none")
    return met and has_effect(other, declared, values)


def as_dict(owner: object) -> dict[str, Any]:
    """The settings of an instance as plain values, ready for JSON."""
    return {name: getattr(owner, name) for name in settings_of(owner)}


def change(owner: T, values: Mapping[str, object], *, where: str = "") -> T:
    """A copy of the dataclass instance `owner` with `values` checked and put in. Strings are read as on a command line.

    `where` goes in front of a key in messages ("data." for data settings).
    """
    settings = settings_of(owner)
    keys = [where + key for key in settings]
    checked = {}
    for name, value in values.items():
        if name not in settings:
            of_data = [] if where else [key for key in SETTING_SYNONYMS.values() if key.startswith("data.")]
            hint = meant(where + name, [*keys, *of_data], SETTING_SYNONYMS)
            raise UsageError(f"unknown setting {where}{name}{hint} (there are: {', '.join(keys)})")
        checked[name] = check(settings[name], value, where=where)
    return type(owner)(**{**as_dict(owner), **checked})


def check(declared: Setting, value: object, *, where: str = "") -> Value:
    """`value` as the setting's type, or a UsageError that names the setting, the value and what it takes."""
    name = where + declared.name
    wanted = f"{name} must be {declared.values or declared.type_name}"
    try:
        read = _read(declared.type, value)
    except (TypeError, ValueError):
        kind = "such as 96-48-24" if declared.is_list else f"a value of type {declared.type_name}"
        raise UsageError(f"{wanted}, {kind} (got {shortened(repr(value))})") from None
    if read is None:
        return None
    if isinstance(read, tuple):
        if not read and not declared.may_be_empty:
            raise UsageError(f"{wanted}, such as 96-48-24 (got none)")
        for one in read:
            _check_limits(declared, one, name, f"{wanted} (got {shortened(repr(value))})")
        return read
    if declared.choices and read not in declared.choices:
        raise UsageError(f"{wanted} (got {shortened(repr(value))}){nearest(str(value), map(str, declared.choices))}")
    if isinstance(read, float) and not math.isfinite(read):
        raise UsageError(f"{name} must be a finite number (got {shortened(repr(value))})")
    _check_limits(declared, read, name, f"{wanted} (got {shortened(repr(value))})")
    return read


def as_text(value: object) -> str:
    """A setting's value as a command line takes it: 96-48-24, auto, 0.5."""
    if value is None:
        return "auto"
    if isinstance(value, tuple | list):
        return "-".join(map(str, value)) or "none"
    return str(value)


def table(owner: object) -> Iterator[tuple[str, str, str, str]]:
    """(name, default, allowed, help) of each setting, as text, for help pages and docs."""
    for name, declared in settings_of(owner).items():
        default = declared.default
        if not isinstance(owner, type):
            default = getattr(owner, name)
        default_text = as_text(default) if declared.is_list else str(default)
        unit = f" [{declared.unit}]" if declared.unit else ""
        yield name, default_text, declared.values or declared.type_name, declared.help + unit


def _read(kind: object, value: object) -> Value:
    """`value` as a `kind`; TypeError or ValueError where it is none."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _read_one_of(typing.get_args(kind), value)
    if kind is bool:
        return _read_bool(value)
    if isinstance(value, bool):
        raise ValueError(value)  # True is an int to Python, not to a reader
    if kind is int:
        return _read_int(value)
    if kind is float:
        if isinstance(value, int | float | str):
            return float(value)
        raise ValueError(value)
    if kind is str:
        if isinstance(value, str):
            return value
        raise ValueError(value)
    if kind == LIST:
        return _read_list(value)
    raise TypeError(kind)


def _read_one_of(kinds: tuple[object, ...], value: object) -> Value:
    """By the first of the kinds that takes the value."""
    empty = value is None or (isinstance(value, str) and value.strip().lower() in ("none", "null", "auto"))
    if empty and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _read(kind, value)
        except (TypeError, ValueError):
            continue
    raise ValueError(value)


def _read_int(value: object) -> int:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError(value)


def _read_list(value: object) -> tuple[int, ...]:
    """(96, 48) of "96-48", "96,48", "(96, 48)", [96, 48] or 96; () of "none"."""
    if isinstance(value, int | float):
        return (_read_int(value),)
    if isinstance(value, str):
        text = value.strip().strip("()[]").rstrip(",")
        if text.lower() == "none":
            return ()
        return tuple(int(part) for part in re.split("[-,]", text))
    if isinstance(value, tuple | list):
        return tuple(map(_read_int, value))
    raise ValueError(value)


def _check_limits(declared: Setting, value: int | float | str, name: str, message: str) -> None:
    if isinstance(value, str):
        return
    if declared.minimum is not None and value < declared.minimum:
        raise UsageError(message)
    if declared.above is not None and value <= declared.above:
        raise UsageError(message)
    if declared.maximum is not None and value > declared.maximum:
        raise UsageError(message)
    if declared.odd and value % 2 == 0:
        raise UsageError(f"{name} must be odd (got {value})")


def _read_bool(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if isinstance(value, bool):
        return value
    raise ValueError(value)
