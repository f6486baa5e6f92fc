"""`ganvas methods`: the methods and all their settings."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated, Any

import typer

from ganvas.cli.options import JsonOption


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this method in full. Default: list all methods.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the methods, or show one: its paper, its settings, its presets."""
    from ganvas.cli.output import print_table, write_json
    from ganvas.registry import find, method_names

    if name is not None:
        facts = describe(name)
        write_json(facts) if json else _print(facts)
        return
    listed = [{"name": known, "title": find(known).title, "paper": find(known).paper} for known in method_names()]
    if json:
        write_json({"methods": listed})
        return
    print_table(("method", "what it is", "paper"), [(row["name"], row["title"], row["paper"]) for row in listed])
    typer.echo("One of them in full: ganvas methods NAME")


def describe(name: str) -> dict[str, Any]:
    """Title, paper, description, settings and presets of a method, as plain values."""
    from ganvas.registry import find, presets
    from ganvas.settings import settings_of

    method = find(name)
    defaults = method().settings()
    settings = []
    for key, one in settings_of(method).items():
        facts = {"name": key, "default": one.default, "type": one.type_name, "allowed": one.values, "unit": one.unit}
        settings.append({**facts, "help": one.help})
    variants = []
    for preset, make in presets(name).items():
        changed = {key: value for key, value in make().settings().items() if value != defaults[key]}
        variants.append({"name": preset, "help": inspect.cleandoc(make.__doc__ or ""), "settings": changed})
    about = inspect.cleandoc(sys.modules[method.__module__].__doc__ or method.__doc__ or "")
    return {
        "name": name,
        "title": method.title,
        "paper": method.paper,
        "about": about,
        "settings": settings,
        "presets": variants,
    }


def rows_of(owner: Any) -> list[tuple[str, str, str, str]]:
    """(name, default, allowed, help) of every setting, for tables. None is shown as auto."""
    from ganvas.settings import table

    rows = []
    for name, default, allowed, text in table(owner):
        rows.append((name, "auto" if default == "None" else default, allowed, text))
    return rows


def _print(facts: dict[str, Any]) -> None:
    from ganvas.cli.output import print_table
    from ganvas.registry import find
    from ganvas.settings import as_text

    name = facts["name"]
    typer.echo(f"{name}: {facts['title']}\n{facts['paper']}\n\n{facts['about']}\n\nSettings, by --set NAME=VALUE:")
    print_table(("setting", "default", "allowed", "what it is"), rows_of(find(name)))
    typer.echo("Presets, by --preset NAME:")
    for preset in facts["presets"]:
        values = ", ".join(f"{key}={as_text(value)}" for key, value in preset["settings"].items()) or "the defaults"
        typer.echo(f"  {preset['name']}: {' '.join(preset['help'].split())}\n    {values}")
