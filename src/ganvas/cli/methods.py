"""`ganvas methods`: what can be trained, and every setting of it."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated, Any

import typer


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One method, in full. Without it: the list.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
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
    """All that is known of a method, as plain values."""
    from ganvas.registry import find, presets
    from ganvas.settings import settings_of

    method = find(name)
    defaults = method().settings()
    settings = [
        {
            "name": key,
            "default": known.default,
            "type": known.type_name,
            "allowed": known.values,
            "unit": known.unit,
            "help": known.help,
        }
        for key, known in settings_of(method).items()
    ]
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
    """(name, default, allowed, help) of every setting, for tables. None reads as auto, which is what it does."""
    from ganvas.settings import table

    return [
        (name, "auto" if default == "None" else default, allowed, text) for name, default, allowed, text in table(owner)
    ]


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
