"""`ganvas train --dry-run`: what is settled before the first step, and what the training will take. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ganvas.cli.output import clock_time, print_facts, print_table, write_json
from ganvas.files import JsonObject
from ganvas.settings import as_text
from ganvas.training.expectation import Expectation, expect
from ganvas.training.image_size import size_sentence
from ganvas.training.manifest import count_parameters
from ganvas.training.memory import in_words as memory_in_words

if TYPE_CHECKING:
    from torch import nn

    from ganvas.training.session import Session


def show(session: Session, *, json: bool) -> None:
    """Prints what would be trained, from the leading process."""
    if not session.engine.leads:
        return
    facts = facts_of(session)
    expected = expect(session)
    facts["expected"] = expected.as_dict()
    if json:
        write_json(facts)
        return
    spec = session.data.spec
    size = session.data.kind.size(spec)

    # The facts, by name.
    method, data = facts["method"], f"{facts['data']}: {facts['count']} {spec.unit}"
    if session.config.preset:
        method += f", preset {session.config.preset}"
    if size:
        data += f", {size}"
    limits = []
    for name, limit in facts["budget"].items():
        if limit is not None:
            limits.append(f"{limit:g} {name}")
    print_facts(
        {
            "method": method, "data": data, "run": facts["run"], "budget": ", ".join(limits), "seed": facts["seed"],
            "device": facts["device"], "precision": f"{facts['precision']} ({facts['why_precision']})",
            "compiled": "yes" if facts["compiled"] else "no", "processes": session.engine.ranks,
            "expected": in_words(expected, spec.unit),
        }
    )  # fmt: skip

    for note in session.data.notes:
        typer.echo(f"data: {note}")

    # Tables of settings and networks.
    settings = [(name, as_text(value)) for name, value in facts["settings"].items()]
    print_table(("setting", "value"), settings)
    networks = [(name, str(row["layers"]), f"{row['parameters']:,}") for name, row in facts["networks"].items()]
    networks.append(("all", "", f"{session.parameters:,}"))
    print_table(("network", "layers", "parameters"), networks, right=(1, 2))
    sentence = size_sentence(session.size, session.data)
    if sentence:
        typer.echo(sentence)
    typer.echo("Nothing was written.")


def in_words(expected: Expectation, unit: str) -> str:
    """ "920 images/s, 51,000 images in 1,600 steps, 1:00 all told (0:52 of training), 620 MB of memory" """
    rate = expected.images_per_second
    counted = f"{expected.images:,} {unit} in {expected.steps:,} steps"
    times = f"{clock_time(expected.seconds)} all told ({clock_time(expected.training_seconds)} of training)"
    return f"{rate:,.0f} {unit}/s, {counted}, {times}, {memory_in_words(expected.memory_bytes)} of memory"


def facts_of(session: Session) -> JsonObject:
    """What settings.json would hold, and what else is known before the first step."""
    spec = session.data.spec
    networks = {name: _size(network) for name, network in session.method.named_children()}
    more = {"shape": list(spec.shape), "count": spec.count, "notes": session.data.notes, "networks": networks}
    return {"dry_run": True, "run": str(session.folder), **session.info(), **more}


def _size(network: nn.Module) -> dict[str, int]:
    """`layers` are modules with parameters of their own."""
    layers = 0
    for layer in network.modules():
        if list(layer.parameters(recurse=False)):
            layers += 1
    return {"layers": layers, "parameters": count_parameters(network)}
