"""What the shell offers when Tab is pressed: methods, presets, settings, runs, data. No torch is imported for it.

`ganvas --install-completion` sets it up for bash, zsh, fish and PowerShell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import typer

from ganvas.catalog import DEFAULT_METHOD, catalog
from ganvas.files import MAX_SETTINGS_BYTES, JsonObject, parse_json

RUNS = Path("runs")  # where `ganvas train` puts them by default
Offer = list[tuple[str, str]]  # what is offered, and a help text


def methods(incomplete: str) -> Offer:
    """Methods by name, with their titles."""
    return [(name, facts["title"]) for name, facts in catalog().items() if name.startswith(incomplete)]


def presets(ctx: typer.Context, incomplete: str) -> Offer:
    """The presets of the method that was named."""
    offered = []
    for preset in _facts(ctx)["presets"]:
        if preset["name"].startswith(incomplete):
            offered.append((preset["name"], " ".join(preset["help"].split())))
    return offered


def settings(ctx: typer.Context, incomplete: str) -> Offer:
    """NAME= of the method's settings and data.NAME= of the data's; after the =, the values there are."""
    if "=" in incomplete:
        return _values(ctx, incomplete)
    offered = []
    for name, one in _settings(ctx).items():
        if name.startswith(incomplete):
            offered.append((f"{name}=", str(one["help"])))
    return offered


def runs(incomplete: str) -> Offer:
    """Run folders in the folder that is being typed, or in runs/ and here where nothing is typed; and folders on the way."""
    folders = _children(incomplete)
    if not incomplete and RUNS.is_dir():
        folders = [*RUNS.iterdir(), *folders]
    offered: Offer = []
    for folder in sorted(folders):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        info = _info(folder)
        if info is not None:
            offered.append((str(folder), f"{info.get('method')} on {(info.get('spec') or {}).get('name', '')}"))
        elif incomplete:
            offered.append((f"{folder}{os.sep}", ""))
    return offered


def data(incomplete: str) -> Offer:
    """Sets by name, and paths."""
    from ganvas.data.builtin_sets import BUILTIN_SETS
    from ganvas.data.public import PUBLIC_SETS

    offered = [(name, "comes with ganvas") for name in BUILTIN_SETS if name.startswith(incomplete)]
    offered += [(name, "is downloaded once") for name in PUBLIC_SETS if name.startswith(incomplete)]
    return offered + paths(incomplete)


def paths(incomplete: str) -> Offer:
    """Files and folders."""
    offered = []
    for path in sorted(_children(incomplete)):
        if not path.name.startswith("."):
            offered.append((f"{path}{os.sep}" if path.is_dir() else str(path), ""))
    return offered


def one_of(choices: Iterable[object]) -> Callable[[str], Offer]:
    """A function that offers these words."""
    words = [str(choice) for choice in choices]

    def offer(incomplete: str) -> Offer:
        return [(word, "") for word in words if word.startswith(incomplete)]

    return offer


devices = one_of(("auto", "cpu", "cuda", "cuda:0", "xpu", "mps"))


# --- what the command line says so far ------------------------------------------------------------------------------------


def _facts(ctx: typer.Context) -> JsonObject:
    """The method that was named, or that of the run that was named, or the default."""
    # After an option without its value, which is being typed, the parser leaves what stands by position in `args`.
    first = next(iter(ctx.args), None)
    name = ctx.params.get("method") or first
    run = ctx.params.get("run") or first
    if name not in catalog() and run is not None:
        name = (_info(Path(run)) or {}).get("method")
    return catalog().get(str(name)) or catalog()[DEFAULT_METHOD]


def _settings(ctx: typer.Context) -> dict[str, JsonObject]:
    """The settings that --set of this command takes: a training's, those of sampling, or the data's."""
    facts = _facts(ctx)
    of_method = {one["name"]: one for one in facts["settings"]}
    if ctx.info_name == "sample":
        return {name: of_method[name] for name in facts["of_sampling"]}
    prefix = "data." if ctx.info_name == "train" else ""
    of_data = {f"{prefix}{name}": one for name, one in _data_settings().items()}
    return {**of_method, **of_data} if ctx.info_name == "train" else of_data


def _data_settings() -> dict[str, JsonObject]:
    from ganvas.data import DataSettings
    from ganvas.settings import settings_of

    return {name: {"help": one.help, "choices": one.choices} for name, one in settings_of(DataSettings).items()}


def _values(ctx: typer.Context, incomplete: str) -> Offer:
    name, _, start = incomplete.partition("=")
    choices: Sequence[object] = (_settings(ctx).get(name) or {}).get("choices") or ()
    return [(f"{name}={choice}", "") for choice in map(str, choices) if choice.startswith(start)]


# --- folders ---------------------------------------------------------------------------------------------------------------


def _children(incomplete: str) -> list[Path]:
    """What lies in the folder that is being typed and begins with the last part that is."""
    folder, _, start = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else "."))
    try:
        return [path for path in place.iterdir() if path.name.startswith(start)]
    except OSError:
        return []


def _info(folder: Path) -> JsonObject | None:
    """settings.json or config.json of a run; None for any other folder, and for a file that cannot be read."""
    for name in ("settings.json", "config.json"):
        path = folder / name
        try:
            if path.is_file() and path.stat().st_size < MAX_SETTINGS_BYTES:
                info = parse_json(path.read_bytes())
                return info if isinstance(info, dict) and "method" in info else None
        except (OSError, ValueError):
            return None
    return None
