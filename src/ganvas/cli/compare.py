"""`ganvas compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganvas.cli import completion
from ganvas.files import JsonObject


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            autocompletion=completion.runs,
            help="Run folders; those that differ in the seed only are one group.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where the page goes.")] = Path("compare.html"),
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object too.")] = False,
) -> None:
    """Write one page that shows runs side by side: same data, same metric code, spread over seeds.

    Figures of different numbers of samples are compared at equal ones where the runs hold such values, else shown and not ranked.
    """
    from ganvas.cli.output import write_json
    from ganvas.errors import UsageError
    from ganvas.report import compare as write_page

    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out takes a FILE.html (got {out})")
    table = write_page(runs, out)
    if json:
        write_json(table)
        return
    _print(table)
    typer.echo(f"{len(runs)} runs compared in {out}")


def _print(table: JsonObject) -> None:
    """One line per measure, one column per group; with several seeds the mean and the standard deviation over them."""
    from ganvas.cli.output import print_table, short_number

    def cell(entry: JsonObject | None) -> str:
        if entry is None:
            return "-"
        if not entry["ranked"]:
            pairs = zip(entry["values"], entry["counts"], strict=True)
            return ", ".join(f"{short_number(value)} (n {short_number(count)})" for value, count in pairs)
        return short_number(entry["mean"]) + (f" ± {short_number(entry['std'])}" if entry["std"] is not None else "")

    groups = table["groups"]
    names = list(dict.fromkeys(name for group in groups for name in group["metrics"]))
    references = {name: entry["reference"] for group in groups for name, entry in group["metrics"].items()}
    warnings = {
        name: entry["warning"] for group in groups for name, entry in group["metrics"].items() if entry["warning"]
    }
    rows: list[tuple[str, ...]] = []
    for name in names:
        cells = [cell(group["metrics"].get(name)) for group in groups]
        rows.append((name + ("*" if name in warnings else ""), *cells, short_number(references[name])))
    seeds = ("seeds", *(str(len(group["seeds"])) for group in groups), "")
    print_table(
        ("metric", *(group["name"] for group in groups), "reference"), [seeds, *rows], right=range(1, len(groups) + 2)
    )
    for warning in dict.fromkeys(warnings.values()):
        typer.echo(f"* warning: {warning}")
    for note in table["notes"]:
        typer.echo(note)
