"""`ganvas data`: what a data set holds, and a sheet of its images, before any training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ganvas.data import Dataset


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
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A data setting, such as fit=pad or data.fit=pad. May be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where the contact sheet goes. Default: contact-NAME.png here."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the sheet as one JSON object.")] = False,
) -> None:
    """Show a data set: counts, shape, classes, channels, what is broken; and draw a contact sheet.

    Of text: characters, tokens, vocabulary and the first lines.
    """
    from ganvas.cli.opening import open_shown
    from ganvas.cli.output import write_json
    from ganvas.data import contact_sheet, write_png
    from ganvas.errors import UsageError

    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"--out takes a FILE.png for the contact sheet (got {out})")
    dataset = open_shown(source, read_settings(size, assignments or []))
    if dataset.spec.kind == "text":
        _tell_of_text(dataset, out, json)
        return
    place = out or Path(f"contact-{re.sub(r'[^A-Za-z0-9._-]+', '-', dataset.name)}.png")
    sheet = dataset.sheet()
    write_png(place, contact_sheet(dataset))
    if json:
        write_json({**sheet, "contact_sheet": str(place)})
        return
    show(dataset, sheet)
    typer.echo(f"contact sheet written to {place}")


def _tell_of_text(dataset: Dataset, out: Path | None, json: bool) -> None:
    from ganvas.cli.output import write_json
    from ganvas.errors import UsageError

    if out is not None:
        raise UsageError(f"{dataset.source} is text, and a contact sheet is of images: omit --out")
    sheet = dataset.sheet()
    if json:
        write_json(sheet)
        return
    show_text(dataset, sheet)


def show_text(dataset: Dataset, sheet: dict[str, Any]) -> None:
    """The sheet of a text as tables, and its first lines."""
    from ganvas.cli.output import figure, print_facts

    def of_splits(name: str) -> str:
        return ", ".join(f"{count:,} {split}" for split, count in sheet[name].items())

    characters = sum(sheet["characters"].values()) / max(1, sum(sheet["counts"].values()))
    facts = {
        "name": sheet["name"], "source": sheet["source"], "characters": of_splits("characters"),
        "lines": of_splits("lines"), "tokens": f"{of_splits('counts')} ({figure(characters)} characters each)",
        "vocabulary": f"{sheet['vocabulary']:,} ({sheet['different_characters']:,} of them are characters of the whole text)",
        "longest token": repr(sheet["longest_token"]),
        "entropy": f"{figure(sheet['entropy'])} bits per character, from how often each occurs",
        "changed": "; ".join(sheet["changed"]) or "nothing",
        "settings": ", ".join(f"{name}={sheet['settings'][name]}" for name in ("tokens", "vocabulary", "holdout")),
        "fingerprint": sheet["fingerprint"][:16],
    }  # fmt: skip
    print_facts(facts)
    typer.echo("first lines:")
    for line in sheet["first_lines"]:
        typer.echo("  " + "".join(one if one.isprintable() else "\ufffd" for one in line))


def read_settings(size: str | None, assignments: list[str]) -> dict[str, Any]:
    """Data settings of --size and --set; here the prefix `data.` may be omitted."""
    from ganvas.cli.config import check_data_settings, read_assignments
    from ganvas.errors import UsageError

    _, given = read_assignments([text if text.startswith("data.") else f"data.{text}" for text in assignments])
    if size is not None and "size" in given:
        raise UsageError("the size is given twice: by --size and by --set size")
    return check_data_settings(given | ({"size": size} if size is not None else {}))


def show(dataset: Dataset, sheet: dict[str, Any]) -> None:
    """The sheet as tables."""
    from ganvas.cli.output import print_facts
    from ganvas.data.settings import OF_KIND

    spec = dataset.spec
    counts = ", ".join(f"{count} {name}" for name, count in sheet["counts"].items())
    repeated = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sheet["duplicates"].items())
    idle = [name for kind, names in OF_KIND.items() if kind != spec.kind for name in names]
    facts = {
        "name": sheet["name"], "source": sheet["source"], spec.unit: counts,
        **(_of_clips(dataset, sheet) if spec.kind == "audio" else _of_images(dataset, sheet)),
        "classes": f"{len(spec.classes)}" if spec.classes else "none (no labels)",
        "duplicates": repeated,
        "memory": ", ".join(f"{size / 2**20:.1f} MiB {name}" for name, size in sheet["bytes"].items()),
        "settings": ", ".join(f"{name}={value}" for name, value in sheet["settings"].items() if name not in idle),
        "fingerprint": sheet["fingerprint"][:16],
    }  # fmt: skip
    print_facts(facts)
    if "channels" in sheet:
        _show_channels(sheet["channels"])
    _show_classes(sheet["classes"])
    for file, reason in sheet["problems"]:
        typer.echo(f"left out: {file}: {reason}")


def _of_images(dataset: Dataset, sheet: dict[str, Any]) -> dict[str, str]:
    from ganvas.cli.output import figure

    spec = dataset.spec
    return {
        "shape": f"{spec.channels} channel{'s' * (spec.channels > 1)}, {spec.height} high, {spec.width} wide",
        "pairs": "yes" if spec.paired else "no, partners are drawn apart" if spec.unpaired else "no",
        "total variance": figure(sheet["total_variance"]),
    }


def _of_clips(dataset: Dataset, sheet: dict[str, Any]) -> dict[str, str]:
    from ganvas.cli.output import figure

    spec = dataset.spec
    were = ", ".join(f"{name} {figure(value)} s" for name, value in sheet["original_seconds"].items())
    rates = ", ".join(f"{count} at {rate}" for rate, count in sheet["original_rates"].items())
    changes = ", ".join(f"{what}: {count}" for what, count in sheet["converted"].items())
    return {
        "rate": f"{spec.rate} samples a second (files: {rates}"
        + (f"; {sheet['rate_from']})" if "rate_from" in sheet else ")"),
        "length": f"{spec.width} samples, {figure(spec.width / spec.rate)} s ({sheet['length_rule']})",
        "files": were,
        "converted": changes or "nothing",
    }


def _show_channels(channels: list[dict[str, Any]]) -> None:
    from ganvas.cli.output import figure, print_table

    print_table(
        ("channel", "least", "greatest", "mean", "deviation"),
        [
            (str(index), *(figure(row[key]) for key in ("min", "max", "mean", "std")))
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
