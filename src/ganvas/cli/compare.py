"""`ganvas compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; those that differ in the seed only are one group.", show_default=False)],
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
    typer.echo(f"{len(runs)} runs compared in {out}")
