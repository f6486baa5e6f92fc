"""`ganvas train --dry-run`: everything that is settled before the first step, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ganvas.cli.output import print_facts, print_table, write_json

if TYPE_CHECKING:
    from torch import nn

    from ganvas.training.session import Session

# Of settings.json; the rest of it is about a run that takes place.
KEPT = (
    "method", "preset", "settings", "data", "data_settings", "seed", "budget", "device", "precision",
    "why_precision", "compiled", "parameters",
)  # fmt: skip


def show(plan: Session, *, json: bool) -> None:
    """Prints the plan, from the leading process."""
    if not plan.engine.leads:
        return
    facts = facts_of(plan)
    if json:
        write_json(facts)
        return
    spec = plan.data.spec
    size = plan.data.kind.size(spec)
    budget = ", ".join(f"{limit:g} {name}" for name, limit in facts["budget"].items() if limit is not None)
    print_facts(
        {
            "method": facts["method"] + (f", preset {plan.preset}" if plan.preset else ""),
            "data": f"{facts['data']}: {facts['count']} {spec.unit}" + (f", {size}" if size else ""),
            "run": facts["run"], "budget": budget, "seed": facts["seed"], "device": facts["device"],
            "precision": f"{facts['precision']} ({facts['why_precision']})",
            "compiled": "yes" if facts["compiled"] else "no", "processes": plan.engine.ranks,
        }
    )  # fmt: skip
    settings = [(name, "auto" if value is None else str(value)) for name, value in facts["settings"].items()]
    print_table(("setting", "value"), settings)
    networks = [(name, str(row["layers"]), f"{row['parameters']:,}") for name, row in facts["networks"].items()]
    print_table(("network", "layers", "parameters"), [*networks, ("all", "", f"{plan.parameters:,}")], right=(1, 2))
    typer.echo("Nothing was written.")


def facts_of(plan: Session) -> dict[str, Any]:
    """The plan as plain values."""
    info, spec = plan.info(), plan.data.spec
    networks = {name: _size(network) for name, network in plan.method.named_children()}
    facts = {"dry_run": True, "run": str(plan.folder), **{name: info[name] for name in KEPT}}
    return {**facts, "shape": list(spec.shape), "count": spec.count, "networks": networks}


def _size(network: nn.Module) -> dict[str, int]:
    """`layers` are modules with parameters of their own."""
    layers = sum(any(True for _ in layer.parameters(recurse=False)) for layer in network.modules())
    return {"layers": layers, "parameters": sum(parameter.numel() for parameter in network.parameters())}
