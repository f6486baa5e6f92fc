"""`ganvas train --dry-run`: everything that is settled before the first step, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ganvas.cli.output import print_facts, print_table, write_json
from ganvas.settings import as_text

if TYPE_CHECKING:
    from torch import nn

    from ganvas.training.session import Session


def show(session: Session, *, json: bool) -> None:
    """Prints what would be trained, from the leading process."""
    if not session.engine.leads:
        return
    facts = facts_of(session)
    if json:
        write_json(facts)
        return
    spec = session.data.spec
    size = session.data.kind.size(spec)
    budget = ", ".join(f"{limit:g} {name}" for name, limit in facts["budget"].items() if limit is not None)
    print_facts(
        {
            "method": facts["method"] + (f", preset {session.config.preset}" if session.config.preset else ""),
            "data": f"{facts['data']}: {facts['count']} {spec.unit}" + (f", {size}" if size else ""),
            "run": facts["run"], "budget": budget, "seed": facts["seed"], "device": facts["device"],
            "precision": f"{facts['precision']} ({facts['why_precision']})",
            "compiled": "yes" if facts["compiled"] else "no", "processes": session.engine.ranks,
        }
    )  # fmt: skip
    settings = [(name, as_text(value)) for name, value in facts["settings"].items()]
    print_table(("setting", "value"), settings)
    networks = [(name, str(row["layers"]), f"{row['parameters']:,}") for name, row in facts["networks"].items()]
    print_table(("network", "layers", "parameters"), [*networks, ("all", "", f"{session.parameters:,}")], right=(1, 2))
    typer.echo("Nothing was written.")


def facts_of(session: Session) -> dict[str, Any]:
    """What settings.json would hold, and what else is known before the first step."""
    spec = session.data.spec
    networks = {name: _size(network) for name, network in session.method.named_children()}
    more = {"shape": list(spec.shape), "count": spec.count, "networks": networks}
    return {"dry_run": True, "run": str(session.folder), **session.info(), **more}


def _size(network: nn.Module) -> dict[str, int]:
    """`layers` are modules with parameters of their own."""
    layers = sum(any(True for _ in layer.parameters(recurse=False)) for layer in network.modules())
    return {"layers": layers, "parameters": sum(parameter.numel() for parameter in network.parameters())}
