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

from ganvas.errors import UsageError, nearest
from ganvas.files import JsonObject, explained
from ganvas.settings import Setting, Value, change, check, settings_of
from ganvas.training.config import BUDGET_UNITS, NOT_RECORDED, TrainConfig

MAX_CONFIG_BYTES = 2**20  # bytes of a config file
TABLES = ("settings", "data_settings", "budget")


def config_of(given: Mapping[str, object], assignments: Sequence[str], path: Path | None = None) -> TrainConfig:
    """The command line over the config file at `path`, checked as far as it can be without data.

    `given` are the options by name; None and False say that one was not given. `assignments` are the words of --set.
    """
    settings, data_settings = read_assignments(assignments)
    line: JsonObject = {}
    for name, value in given.items():
        if value is not None and value is not False:
            line[name] = value
    TrainConfig(**line)  # a wrong option is refused whatever the file holds
    file = read_config(path) if path else TrainConfig()
    config = file.merged({**line, "settings": settings, "data_settings": data_settings})
    if path and "preset" not in line:  # which would replace the file's settings
        check_settings(path, file, config)
    return dataclasses.replace(config, data_settings=check_data_settings(config.data_settings))


def read_config(path: Path) -> TrainConfig:
    """The config in a file, its own keys and the data's checked. UsageError names the file and the key."""
    content = _parse(path)
    try:
        _refuse_endless_numbers(content, "")
        return _config(content)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def check_settings(path: Path, file: TrainConfig, config: TrainConfig) -> None:
    """Checks a file's table `settings` against the method that is going to be trained, where that is known."""
    from ganvas.registry import create
    from ganvas.training.run_folder import find_run

    method = config.method
    if method is None and (run := find_run(config)):
        method = run.info["method"]
    if method is None:
        return
    try:
        owner = create(str(method), file.preset)
        change(owner, strict(owner, dict(file.settings), "settings."), where="settings.")
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def read_assignments(assignments: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """--set lr=1e-3 --set data.fit=pad as ({"lr": "1e-3"}, {"fit": "pad"})."""
    settings: dict[str, str] = {}
    data_settings: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name:
            raise UsageError(f"--set takes NAME=VALUE, such as lr=0.001 or data.fit=pad (got {assignment!r})")
        table = settings
        if name.startswith("data."):
            table = data_settings
        key = name.removeprefix("data.")
        if key in table:
            raise UsageError(f"--set {name} is given twice: as {table[key]} and as {value}")
        table[key] = value
    return settings, data_settings


def read_data_settings(size: str | None, assignments: list[str]) -> dict[str, Value]:
    """Data settings of --size and --set of a command that takes no others: the prefix `data.` may be omitted."""
    prefixed = ["data." + text.removeprefix("data.") for text in assignments]
    _, given = read_assignments(prefixed)
    if size is not None:
        if "size" in given:
            raise UsageError("the size is given twice: by --size and by --set size")
        given["size"] = size
    return check_data_settings(given)


def check_data_settings(values: Mapping[str, object]) -> dict[str, Value]:
    """The same keys with their values read and checked."""
    from ganvas.data import DataSettings

    checked = change(DataSettings(), values, where="data.")
    return {name: getattr(checked, name) for name in values}


def strict(owner: object, values: JsonObject, where: str) -> JsonObject:
    """The values as they are; UsageError where a file has text in place of a number (a command line is text)."""
    settings = settings_of(owner)
    for name, value in values.items():
        if isinstance(value, str) and name in settings and not _takes_text(settings[name], value):
            raise UsageError(
                f"{where}{name} must be a value of type {settings[name].type_name}, not the text {value!r}"
            )
    return values


# --- reading ----------------------------------------------------------------------------------------------------


def _config(content: JsonObject) -> TrainConfig:
    is_of_a_run = "format" in content and "fingerprint" in content
    keys = [*settings_of(TrainConfig), *TABLES]
    values: JsonObject = {}
    tables: dict[str, JsonObject] = {}
    for name, value in content.items():
        if is_of_a_run and (name in NOT_RECORDED or name not in keys):
            continue  # a fact about that run, such as the device where it ran
        if name not in keys:
            raise UsageError(f"unknown key {name}{nearest(name, keys)} (there are: {', '.join(keys)})")
        if name in TABLES:
            tables[name] = _table(name, value)
        else:
            values[name] = value
    budget = _budget(tables.get("budget", {}))
    twice = sorted(budget.keys() & values.keys())
    if twice:
        raise UsageError(f"{twice[0]} is given twice: as {twice[0]} and as budget.{twice[0]}")
    return TrainConfig(
        **strict(TrainConfig, values, ""),
        **budget,
        settings=tables.get("settings", {}),
        data_settings=_data_settings(tables.get("data_settings", {})),
    )


def _table(name: str, value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be a table of names and values (got {value!r})")
    return value


def _budget(table: JsonObject) -> JsonObject:
    settings = settings_of(TrainConfig)
    for name in table:
        if name not in BUDGET_UNITS:
            raise UsageError(
                f"unknown key budget.{name}{nearest(name, BUDGET_UNITS)} (there are: {', '.join(BUDGET_UNITS)})"
            )
    values = strict(TrainConfig, table, "budget.")
    return {name: check(settings[name], value, where="budget.") for name, value in values.items()}


def _data_settings(table: JsonObject) -> dict[str, Value]:
    if not table:
        return {}
    from ganvas.data import DataSettings

    checked = change(DataSettings(), strict(DataSettings, table, "data_settings."), where="data_settings.")
    return {name: getattr(checked, name) for name in table}


def _takes_text(setting: Setting, value: str) -> bool:
    options = (setting.type,)
    if isinstance(setting.type, types.UnionType):
        options = typing.get_args(setting.type)
    if str in options or setting.is_list:
        return True
    return types.NoneType in options and value.strip().lower() in ("none", "null", "auto")


def _parse(path: Path) -> JsonObject:
    readers = {".toml": _parse_toml, ".json": _parse_json}
    if path.suffix.lower() not in readers:
        raise UsageError(f"--config reads .toml and .json files (got {path})")
    with explained(path, "read"):
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"--config {path} is not a file")
        if about.st_size > MAX_CONFIG_BYTES:
            raise UsageError(f"--config {path} is larger than {MAX_CONFIG_BYTES} bytes, so it is not a config file")
        content = path.read_bytes()
    try:
        parsed = readers[path.suffix.lower()](content.decode())
    except RecursionError:
        raise UsageError(f"{path}: tables are nested too deeply") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(parsed, dict):
        raise UsageError(f"{path} must hold a JSON object, and holds a {type(parsed).__name__}")
    return parsed


def _parse_toml(text: str) -> JsonObject:
    try:
        return tomllib.loads(text + "\n")  # else a mistake in the last line has no line number
    except tomllib.TOMLDecodeError as error:
        message = f"not valid TOML: {error}"
        line = re.search(r"at line (\d+)", str(error))
        if line:
            message += f": {text.splitlines()[int(line[1]) - 1].strip()}"
        raise UsageError(message) from None


class _Pairs(list[tuple[str, object]]):
    """A JSON object as it was written, so that a key that comes twice is seen."""


def _parse_json(text: str) -> object:
    try:
        return _plain(json.loads(text, object_pairs_hook=_Pairs), "")
    except json.JSONDecodeError as error:
        raise UsageError(f"not valid JSON: {error}") from None


def _plain(node: object, where: str) -> object:
    if isinstance(node, _Pairs):
        plain: dict[str, object] = {}
        for name, value in node:
            if name in plain:
                raise UsageError(f"{where}{name} is given twice")
            plain[name] = _plain(value, f"{where}{name}.")
        return plain
    if isinstance(node, list):
        return [_plain(value, where) for value in node]
    return node


def _refuse_endless_numbers(node: object, where: str) -> None:
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, list):
        children = enumerate(node)
    else:
        return
    for name, value in children:
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{where}{name} must be a finite number (got {value})")
        _refuse_endless_numbers(value, f"{where}{name}.")
