"""`ganvas studio`: everything in a browser page, on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ganvas.cli import completion


def studio(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", autocompletion=completion.paths, help="The folder in which the runs are.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="Port of the page; 0: a free one.")] = 8790,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but this machine's own (loopback) asks for a token.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --host: a host name that the page is opened under. May be repeated."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATA", help="A folder or file of this machine that trainings may use. May be repeated."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open the studio: train, explore, use and measure models in a browser page. Nothing leaves this machine.

    Trainings are put into a queue that survives closed tabs and a restart. Ctrl-C ends the studio: the running training is saved,
    and continues when the studio is started again.
    """
    from ganvas.errors import MissingExtra, UsageError

    if sys.platform == "win32":
        raise UsageError("the studio runs on Linux and macOS: on Windows start it inside of WSL")
    try:
        from ganvas.studio.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise MissingExtra(
            f"the studio needs the package {error.name}, which is not installed: pip install 'ganvas[studio]'"
        ) from None
    from ganvas.studio.config import StudioConfig

    config = StudioConfig(
        runs.expanduser().resolve(),
        host,
        port,
        tuple(path.expanduser().resolve() for path in data or ()),
        tuple(name or ()),
    )
    serve(config, open_page=open_page)
