"""`ganvas compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders; those that differ in the seed only are one group."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where the page goes.")] = Path("compare.html"),
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object too.")] = False,
) -> None:
    """Write one page that shows runs side by side: same data, same clock, same metric code, spread over seeds."""
    from ganvas.cli.output import write_json
    from ganvas.errors import UsageError
    from ganvas.report import compare as write_page

    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out takes a FILE.html (got {out})")
    found = write_page(runs, out)
    if json:
        write_json(found)
        return
    _print(found)
    typer.echo(f"{len(runs)} runs compared in {out}")


def _print(found: dict[str, Any]) -> None:
    """One line a measure, one column a group; with several seeds the mean and the standard deviation over them."""
    from ganvas.cli.output import figure, print_table

    def cell(entry: dict[str, Any] | None) -> str:
        if entry is None:
            return "-"
        return figure(entry["mean"]) + (f" ± {figure(entry['std'])}" if entry["std"] is not None else "")

    groups = found["groups"]
    names = list(dict.fromkeys(name for group in groups for name in group["metrics"]))
    references = {name: entry["reference"] for group in groups for name, entry in group["metrics"].items()}
    rows = [(name, *(cell(group["metrics"].get(name)) for group in groups), figure(references[name])) for name in names]
    seeds = ("seeds", *(str(len(group["seeds"])) for group in groups), "")
    print_table(
        ("metric", *(group["name"] for group in groups), "reference"), [seeds, *rows], right=range(1, len(groups) + 2)
    )
