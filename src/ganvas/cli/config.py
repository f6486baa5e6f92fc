"""What `ganvas train` is asked for: the command line over a --config file.

A config file is .toml or .json. Its keys are those of the table below, and three tables: `settings` (of the
method), `data_settings` (of the data) and `budget` (minutes, images, steps). A run's own settings.json is such a
file; what it tells about that run only (versions, device, fingerprint, ...) is passed over. The command line beats
the file; a budget on the command line replaces the file's, and so does a preset the file's preset and settings.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import stat
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.errors import UsageError, nearest
from ganvas.files import explained
from ganvas.settings import Setting, change, check, setting, settings_of

LARGEST = 2**20  # bytes of a config file
BUDGET = ("minutes", "images", "steps")
TABLES = ("settings", "data_settings", "budget")
# What a run's settings.json holds about that one run. The device is where it ran, not where the next one should.
ABOUT_A_RUN = (
    "format", "ganvas", "spec", "fingerprint", "versions", "command", "git", "parameters", "networks", "device",
    "machine", "why_precision", "compiled", "measure_samples", "processes", "threads",
)  # fmt: skip


@dataclasses.dataclass
class Wish:
    """One training as it was asked for; None where nothing was said."""

    method: str | None = setting(None, "which method; `ganvas methods` lists them")
    data: str | None = setting(None, "what to train on")
    out: str | None = setting(None, "the run folder to make")
    minutes: float | None = setting(None, "budget in minutes of training", minimum=0)
    images: int | None = setting(None, "budget in training images drawn", minimum=1)
    steps: int | None = setting(None, "budget in steps", minimum=1)
    preset: str | None = setting(None, "a preset of the method")
    seed: int | None = setting(None, "number that all random draws follow from", minimum=0)
    device: str | None = setting(None, "auto, cpu, cuda, cuda:N or mps")
    precision: str | None = setting(None, "number format of the networks", choices=("auto", "fp32", "bf16"))
    compile: str | None = setting(None, "whether networks are compiled", choices=("auto", "on", "off"))
    checkpoint_every: int | None = setting(None, "steps between two checkpoints", minimum=1)
    evaluate_every: int | None = setting(None, "steps between two measurements", minimum=1)
    codes: str | None = setting(None, "the run whose codes are learned")
    resume: str | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    data_settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def budget(self) -> dict[str, Any]:
        """The limits that were given."""
        return {name: getattr(self, name) for name in BUDGET if getattr(self, name) is not None}


def read_config(path: Path) -> Wish:
    """The wish in a file, its own keys and the data's checked. UsageError names the file and the key."""
    content = _parse(path)
    try:
        _refuse_endless_numbers(content, "")
        return _wish(content)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def check_settings(path: Path, wish: Wish, method: str) -> None:
    """Checks a file's table `settings` against the method that is going to be trained."""
    from ganvas.registry import create

    try:
        owner = create(method, wish.preset)
        change(owner, strict(owner, wish.settings, "settings."), where="settings.")
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def merge(file: Wish, line: Wish) -> Wish:
    """The command line over the file."""
    over = {name: value for name in settings_of(Wish) if (value := getattr(line, name)) is not None}
    if line.budget:
        file = dataclasses.replace(file, **dict.fromkeys(BUDGET))
    kept = {} if line.preset else file.settings
    return dataclasses.replace(
        file, **over, resume=line.resume, settings={**kept, **line.settings},
        data_settings={**file.data_settings, **line.data_settings},
    )  # fmt: skip


def read_assignments(assignments: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """--set lr=1e-3 --set data.fit=pad as ({"lr": "1e-3"}, {"fit": "pad"})."""
    settings: dict[str, str] = {}
    data_settings: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name:
            raise UsageError(f"--set takes NAME=VALUE, such as lr=0.001 or data.fit=pad (got {assignment!r})")
        place = data_settings if name.startswith("data.") else settings
        key = name.removeprefix("data.")
        if key in place:
            raise UsageError(f"--set {name} is given twice: as {place[key]} and as {value}")
        place[key] = value
    return settings, data_settings


def check_data_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same keys with their values read and checked."""
    from ganvas.data import DataSettings

    checked = change(DataSettings(), values, where="data.")
    return {name: getattr(checked, name) for name in values}


def strict(owner: Any, values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The values as they are; UsageError where a file has text in place of a number (a command line is text)."""
    known = settings_of(owner)
    for name, value in values.items():
        if isinstance(value, str) and name in known and not _takes_text(known[name], value):
            raise UsageError(f"{where}{name} must be a value of type {known[name].type_name}, not the text {value!r}")
    return values


# --- reading ----------------------------------------------------------------------------------------------------


def _wish(content: dict[str, Any]) -> Wish:
    informed = ABOUT_A_RUN if "format" in content and "fingerprint" in content else ()
    known = settings_of(Wish)
    values: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in content.items():
        if name in TABLES:
            tables[name] = _table(name, value)
        elif name in known and name not in informed:
            values[name] = value
        elif name not in informed:
            raise UsageError(
                f"unknown key {name}{nearest(name, [*known, *TABLES])} (there are: {', '.join([*known, *TABLES])})"
            )
    budget = _budget(tables.get("budget", {}))
    twice = sorted(budget.keys() & values.keys())
    if twice:
        raise UsageError(f"{twice[0]} is given twice: as {twice[0]} and as budget.{twice[0]}")
    checked = {name: check(known[name], value) for name, value in strict(Wish, values, "").items()} | budget
    return Wish(
        **checked,
        settings=tables.get("settings", {}),
        data_settings=_data_settings(tables.get("data_settings", {})),
    )


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be a table of names and values (got {value!r})")
    return value


def _budget(table: dict[str, Any]) -> dict[str, Any]:
    known = settings_of(Wish)
    for name in table:
        if name not in BUDGET:
            raise UsageError(f"unknown key budget.{name}{nearest(name, BUDGET)} (there are: {', '.join(BUDGET)})")
    return {name: check(known[name], value, where="budget.") for name, value in strict(Wish, table, "budget.").items()}


def _data_settings(table: dict[str, Any]) -> dict[str, Any]:
    if not table:
        return {}
    from ganvas.data import DataSettings

    checked = change(DataSettings(), strict(DataSettings, table, "data_settings."), where="data_settings.")
    return {name: getattr(checked, name) for name in table}


def _takes_text(known: Setting, value: str) -> bool:
    options = typing.get_args(known.type) if isinstance(known.type, types.UnionType) else (known.type,)
    return str in options or (types.NoneType in options and value.strip().lower() in ("none", "null", "auto"))


def _parse(path: Path) -> dict[str, Any]:
    readers = {".toml": _parse_toml, ".json": _parse_json}
    if path.suffix.lower() not in readers:
        raise UsageError(f"--config reads .toml and .json files (got {path})")
    with explained(path, "read"):
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"--config {path} is not a file")
        if about.st_size > LARGEST:
            raise UsageError(f"--config {path} is larger than {LARGEST} bytes, so it is not a config file")
        content = path.read_bytes()
    try:
        found = readers[path.suffix.lower()](content.decode())
    except RecursionError:
        raise UsageError(f"{path}: tables are nested too deeply") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} must hold a JSON object, and holds a {type(found).__name__}")
    return found


def _parse_toml(text: str) -> Any:
    try:
        return tomllib.loads(text + "\n")  # else a mistake in the last line has no line number
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        shown = f": {text.splitlines()[int(line[1]) - 1].strip()}" if line else ""
        raise UsageError(f"not valid TOML: {error}{shown}") from None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written, so that a key that comes twice is seen."""


def _parse_json(text: str) -> Any:
    try:
        return _plain(json.loads(text, object_pairs_hook=_Pairs), "")
    except json.JSONDecodeError as error:
        raise UsageError(f"not valid JSON: {error}") from None


def _plain(node: Any, where: str) -> Any:
    if isinstance(node, _Pairs):
        made: dict[str, Any] = {}
        for name, value in node:
            if name in made:
                raise UsageError(f"{where}{name} is given twice")
            made[name] = _plain(value, f"{where}{name}.")
        return made
    return [_plain(value, where) for value in node] if isinstance(node, list) else node


def _refuse_endless_numbers(node: Any, where: str) -> None:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in children:
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{where}{name} must be a finite number (got {value})")
        _refuse_endless_numbers(value, f"{where}{name}.")
