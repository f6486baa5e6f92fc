"""`ganvas push`: a model with its card to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganvas.cli.options import BestOption, JsonOption, RunArgument


def push(
    run: RunArgument,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The model's name on the hub.")],
    licence: Annotated[
        str,
        typer.Option(
            "--licence", "--license", metavar="NAME", help="Licence of the weights, such as cc-by-4.0 or mit."
        ),
    ] = "",
    private: Annotated[bool, typer.Option("--private", help="Only its owner can see a model that is new.")] = False,
    revision: Annotated[str | None, typer.Option(metavar="BRANCH", help="The branch to write. Default: main.")] = None,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the files into a new folder to look at, and upload nothing."),
    ] = None,
    best: BestOption = False,
    json: JsonOption = False,
) -> None:
    """Upload a model to the Hugging Face hub: weights, config, a model card, samples and a manifest.

    The card (README.md) says method, data, figures with their references, the doctor's findings, the audit, licence, limits
    and how to load it. No path, no user name and no training image is uploaded. Login is the hub's own: `hf auth login`, or
    HF_TOKEN. To load it: ganvas sample hf:OWNER/NAME, or ganvas.from_pretrained("OWNER/NAME").
    """
    import warnings

    from ganvas.cli.output import print_facts, write_json
    from ganvas.errors import GanvasWarning
    from ganvas.hub import checked_name
    from ganvas.run import load

    name = checked_name(name)
    opened = load(run)
    if not (licence or opened.info.get("licence")):
        warnings.warn(
            GanvasWarning(
                "no licence is stated, so nobody may use the weights without asking: --licence NAME states one"
            ),
            stacklevel=1,
        )
    if out is not None:
        opened.save_pretrained(out, best=best, card=True, name=name, licence=licence)
        facts = {"name": name, "folder": str(out)}
    else:
        pushed = opened.push_to_hub(
            name, licence=licence, best=best, private=private, revision=revision, message=message
        )
        facts = {"name": name, "url": pushed.url, "revision": pushed.revision}
    if json:
        write_json(facts)
    else:
        print_facts(facts)
