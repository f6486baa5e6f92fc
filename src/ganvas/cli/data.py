"""`ganvas data`: what a data set contains, and a grid of its images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import JsonOption, set_option
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from ganvas.data import Dataset
    from ganvas.provenance import Provenance


def data(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder, .zip, .npz, .npy or IDX file, a text, or a set by name, such as digits."
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(help="Height and width, as --set data.size: 64, or 48x64 (H x W)."),
    ] = None,
    assignments: Annotated[list[str] | None, set_option("A data setting, such as fit=pad or data.fit=pad.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where the grid goes. Default: grid-NAME.png here."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a data set: counts, shape, classes, channels, what is broken; and write a grid of its images.

    Of text: characters, tokens, vocabulary and the first lines. Of a single image or .wav file: what made it, where its
    metadata say it (run, hash of the weights, seed, settings), and the command that makes it again.
    """
    from ganvas.cli.config import read_data_settings
    from ganvas.cli.opening import open_shown
    from ganvas.cli.output import short_number, write_json
    from ganvas.data import example_grid, write_png
    from ganvas.errors import UsageError

    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"--out takes a FILE.png for the grid (got {out})")
    if _is_single(source):
        _show_provenance(Path(source), json)
        return
    dataset = open_shown(source, read_data_settings(size, assignments or []))
    if out is not None and not dataset.kind.has_example_grid:
        raise UsageError(f"{dataset.source} is {dataset.spec.kind}, and a grid is of images: omit --out")
    card = dataset.card()
    place = None
    if dataset.kind.has_example_grid:
        place = out or Path(f"grid-{re.sub(r'[^A-Za-z0-9._-]+', '-', dataset.name)}.png")
        write_png(place, example_grid(dataset), _provenance(dataset))
    described = dataset.kind.describe(dataset.spec, card, short_number)
    if json:
        grid = {} if place is None else {"example_grid": str(place)}
        write_json({**card, "described": described, "excerpt": excerpt(dataset, card), **grid})
        return
    show(dataset, card, described)
    if place is not None:
        typer.echo(f"grid written to {place}")


def _provenance(dataset: Dataset) -> Provenance:
    """Of the grid: the data, and the settings that are not at their defaults."""
    from ganvas.data.settings import chosen
    from ganvas.provenance import Provenance

    settings = {name: value for name, value in chosen(dataset.settings).items() if isinstance(value, str | int | float)}
    return Provenance("data", inputs=(dataset.source,), settings=settings)


def _is_single(source: str) -> bool:
    """Whether this is one image or one .wav."""
    from ganvas.data.file_kinds import IMAGES, WAV

    path = Path(source)
    return path.suffix.lower() in IMAGES | WAV and path.is_file()


def _show_provenance(path: Path, json: bool) -> None:
    from ganvas.cli.output import print_facts, write_json
    from ganvas.tasks.like import provenance_of

    made = provenance_of(path)
    if json:
        write_json({**made.as_dict(), "command_line": made.command_line(), "needs": made.needs()})
        return
    facts: JsonObject = {"file": path.name, **made.as_dict()}
    for name in ("options", "settings"):
        if name in facts:
            facts[name] = ", ".join(f"{key}={value}" for key, value in facts[name].items())
    if "inputs" in facts:
        facts["inputs"] = ", ".join(facts["inputs"])
    print_facts({**facts, "made by": made.command_line(), "needed": "; ".join(made.needs()) or "nothing else"})


def excerpt(dataset: Dataset, card: JsonObject) -> list[str]:
    """Of a text, or of pairs of texts, without signs that would move a terminal's cursor; of other data none."""
    return ["".join(one if one.isprintable() else "\ufffd" for one in line) for line in dataset.kind.excerpt(card)]


def show(dataset: Dataset, card: JsonObject, described: dict[str, str]) -> None:
    """The data card as tables, and the first lines of a text."""
    from ganvas.cli.output import print_facts
    from ganvas.data.kinds import shown_settings

    settings = shown_settings(dataset.kind, list(card["settings"]))
    print_facts(
        {
            "name": card["name"],
            "source": card["source"],
            **described,
            "settings": ", ".join(f"{name}={card['settings'][name]}" for name in settings),
            "fingerprint": card["fingerprint"][:16],
        }
    )
    if "channels" in card:
        _show_channels(card["channels"])
    _show_classes(card["classes"])
    for note in card["notes"]:
        typer.echo(f"note: {note}")
    for file, reason in card["problems"]:
        typer.echo(f"omitted: {file}: {reason}")
    lines = excerpt(dataset, card)
    if lines:
        typer.echo("first lines:")
    for line in lines:
        typer.echo(f"  {line}")


def _show_channels(channels: list[JsonObject]) -> None:
    from ganvas.cli.output import print_table, short_number

    print_table(
        ("channel", "least", "greatest", "mean", "deviation"),
        [
            (str(index), *(short_number(row[key]) for key in ("min", "max", "mean", "std")))
            for index, row in enumerate(channels)
        ],
        right=(1, 2, 3, 4),
    )


def _show_classes(classes: dict[str, dict[str, int]], most: int = 40) -> None:
    from ganvas.cli.output import print_table

    names = list(classes["train"])
    if not names:
        return
    rows = [(name, *(str(counts.get(name, 0)) for counts in classes.values())) for name in names[:most]]
    print_table(("class", *classes), rows, right=tuple(range(1, len(classes) + 1)))
    if len(names) > most:
        typer.echo(f"and {len(names) - most} classes more")
