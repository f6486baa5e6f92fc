"""`ganvas methods`: the methods by what they are for, and all that one of them can be told."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ganvas.catalog import DEFAULT_METHOD, PURPOSES, catalog, purposes_of, setting_rows
from ganvas.cli import completion
from ganvas.cli.options import JsonOption

Facts = dict[str, Any]
LIST_COLUMNS = 80  # columns where no terminal says how many there are
MAX_LIST_COLUMNS = 110
NAME_COLUMNS = 15  # columns of a method's name


def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=completion.methods,
            help="Show this method in full. Default: list all methods.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the methods by what they are for, or show one: its paper, its settings, its presets."""
    if name is not None:
        facts = describe(name)
        _print_json(facts) if json else _print_one(facts)
    elif json:
        _print_json({"start": DEFAULT_METHOD, "methods": [_summary(facts) for facts in catalog().values()]})
    else:
        _print_all()


def describe(name: str) -> Facts:
    """All facts of a method as plain values; UsageError offers the nearest name."""
    facts = catalog().get(name)
    if facts is None:  # one of its own, or a mistake
        from ganvas.registry import describe

        facts = describe(name)
    return dict(facts)


def _summary(facts: Facts) -> Facts:
    return {
        "name": facts["name"], "title": facts["title"], "paper": facts["paper"], "for": purposes_of(facts),
        "takes": facts["takes"], "abilities": facts["abilities"], "classes": facts["classes"],
        "presets": [preset["name"] for preset in facts["presets"]],
    }  # fmt: skip


def _print_json(content: Facts) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))  # which holds no NaN


# --- what methods are for -------------------------------------------------------------------------------------------------


NEEDS_NO_TRAINING = {"Stylise photos": "Without training: ganvas stylise PHOTO --style PAINTING --out FILE"}


def _print_all() -> None:
    """Each purpose with its methods; a method that stands further up already is only named."""
    lines = [f"Start with {DEFAULT_METHOD}, the default:   ganvas train --data FOLDER"]
    lines += ["Another method:                 ganvas train METHOD --data FOLDER"]
    shown: set[str] = set()
    for purpose, fits in PURPOSES.items():
        fitting = [facts for facts in catalog().values() if fits(facts)]
        lines += ["", purpose]
        for facts in fitting:
            if facts["name"] not in shown:
                lines += _entry(facts)
        again = [facts for facts in fitting if facts["name"] in shown]
        lines += _named_again(again, purpose, alone=len(again) == len(fitting))
        if purpose in NEEDS_NO_TRAINING:
            lines.append(f"  {NEEDS_NO_TRAINING[purpose]}")
        shown |= {facts["name"] for facts in fitting}
    lines += ["", "One of them in full: ganvas methods NAME"]
    typer.echo("\n".join(lines))


def _entry(facts: Facts) -> list[str]:
    """A method in one line or more: name, title, first author and year."""
    authors, _, rest = facts["paper"].partition(" et al.")
    first_author = re.split(r",| and | \d", authors)[0]
    year = re.search(r"\d{4}", authors + rest)
    start = f"  {facts['name']:<{NAME_COLUMNS - 2}} "
    return textwrap.wrap(
        f"{facts['title']} ({first_author} {year[0] if year else ''})".replace(" )", ")"),
        _columns(), initial_indent=start, subsequent_indent=" " * len(start),
    )  # fmt: skip


def _named_again(methods: list[Facts], purpose: str, *, alone: bool) -> list[str]:
    """The names of methods that were described above; those that need a setting for this purpose apart."""
    by_setting = purpose == "Generate images of a class"
    named: dict[str, list[str]] = {}
    for facts in methods:
        how = "" if alone else "also: "
        if by_setting and facts["classes"] == "conditional":
            how = "with --set conditional=true: "
        named.setdefault(how, []).append(facts["name"])
    lines = []
    for how, names in sorted(named.items()):  # those that need no setting first
        lines += _wrapped([f"{how}{', '.join(names)}"], indent="  ", more="    ")
    return lines


# --- one of them ----------------------------------------------------------------------------------------------------------


def _print_one(facts: Facts) -> None:
    from ganvas.cli.output import print_table
    from ganvas.settings import as_text

    name = facts["name"]
    lines = _wrapped([f"{name}: {facts['title']}", facts["paper"]])
    lines += _wrapped([f"For: {'; '.join(purposes_of(facts))}.", f"Learns from: {', '.join(facts['takes'])}."])
    for paragraph in facts["about"].split("\n\n"):
        lines += ["", *_paragraph(paragraph)]
    typer.echo("\n".join([*lines, "", "Settings, by --set NAME=VALUE:"]))
    print_table(("setting", "default", "allowed", "what it is"), setting_rows(facts), wide=LIST_COLUMNS)
    lines = ["Presets, by --preset NAME:"]
    for preset in facts["presets"]:
        values = ", ".join(f"{key}={as_text(value)}" for key, value in preset["settings"].items()) or "the defaults"
        lines += _wrapped([f"{preset['name']}: {' '.join(preset['help'].split())}"], indent="  ", more="    ")
        lines += _wrapped([values], indent="    ")
    typer.echo("\n".join(lines))


def rows_of(owner: object) -> list[tuple[str, str, str, str]]:
    """(name, default, allowed, help) of every setting of a dataclass, for tables. None is shown as auto."""
    from ganvas.settings import table

    rows = []
    for name, default, allowed, text in table(owner):
        rows.append((name, "auto" if default == "None" else default, allowed, text))
    return rows


def _columns() -> int:
    from ganvas.cli.output import columns

    return columns(LIST_COLUMNS, MAX_LIST_COLUMNS)


def _paragraph(text: str) -> list[str]:
    """A paragraph of a docstring; one in columns, or with a list, stays as it is written."""
    if re.search(r"\n[ *-]|\S {3,}\S", text):
        return text.splitlines()
    return _wrapped([text])


def _wrapped(texts: Iterable[str], *, indent: str = "", more: str | None = None) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(
            " ".join(text.split()), _columns(), initial_indent=indent, subsequent_indent=indent if more is None else more,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return lines
