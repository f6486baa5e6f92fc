"""How figures look: on a terminal a table, else lines that scripts can follow, with --json one JSON object."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ganvas.doctor import Diagnosis
    from ganvas.figure import Figure
    from ganvas.run import Run

TABLE_COLUMNS = 140  # columns of a table where no terminal sets them


def write_json(content: Mapping[str, object]) -> None:
    """The one JSON object of `--json`. NaN and the infinities become null."""
    from ganvas.strict_json import dumps

    typer.echo(dumps(dict(content), indent=2))


def update_report(run: Run) -> None:
    """Writes a run's report anew, where there is one: it shows what was found since."""
    from ganvas.report import write_report

    if (run.folder / "report.html").is_file():
        write_report(run.folder)


def short_number(value: object) -> str:
    """A number in as many digits as mean something: 3.21, 0.15, 114.2, 2000."""
    if value is None:
        return "-"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value + 0:.3g}"  # + 0: no "-0"


def metrics_line(metrics: Mapping[str, Figure]) -> str:
    """ "FD[digits] 3.21 (reference 0.15) coverage 0.8 (reference 0.96)"; a metric without a reference has no brackets."""
    words: list[str] = []
    for name, figure in metrics.items():
        words += [name, short_number(figure.value)]
        if figure.reference is not None:
            words.append(f"(reference {short_number(figure.reference)})")
    return " ".join(words)


def print_metrics(metrics: Mapping[str, Figure]) -> None:
    """All metrics with reference and sample count: a table on a terminal, one line each elsewhere."""
    if not metrics:
        return
    from ganvas.figure import warnings_of

    inputs = sorted({figure.input_is for figure in metrics.values() if figure.input is not None})
    if not sys.stdout.isatty():
        for name, figure in metrics.items():
            typer.echo(f"{name} {short_number(figure.value)} ({_compared_with(figure)}, n {short_number(figure.n)})")
            for words, value in _baselines(figure).items():
                typer.echo(f"{name} of {words} {short_number(value)} (n {short_number(figure.n)})")
        for warning, names in warnings_of(metrics).items():
            typer.echo(f"warning: {', '.join(names)}: {warning}")
        return
    rows = []
    for name, figure in metrics.items():
        beside = figure.input if inputs else figure.reference
        mark = "*" if figure.warning else ""
        rows.append((name + mark, short_number(figure.value), short_number(beside), short_number(figure.n)))
        for words, value in _baselines(figure).items():
            rows.append((f"  of {words}", short_number(value), "", short_number(figure.n)))
    print_table(("metric", "value", "input" if inputs else "reference", "n"), rows, right=(1, 2, 3))
    for warning in warnings_of(metrics):
        typer.echo(f"* warning: {warning}")
    if inputs:
        typer.echo(f"input: the same measure of what the method was given ({', '.join(inputs)})")
    else:
        typer.echo("reference: the same measure of held-out real images")


def _baselines(figure: Figure) -> dict[str, float]:
    """What simpler means score by the same measure."""
    return dict(figure.details.get("baselines", {}))


def _compared_with(figure: Figure) -> str:
    """What stands beside the value: what the method was given, how a likelihood was computed, or the reference."""
    if figure.input is not None:
        return f"{figure.input_is} {short_number(figure.input)}"
    if "bound_or_exact" in figure.details:  # likelihoods have no reference
        return str(figure.details["bound_or_exact"])
    return f"reference {short_number(figure.reference)}"


def columns(piped: int, most: int) -> int:
    """Columns of text on stdout: those of the terminal up to `most`, or `piped` where there is none."""
    if not sys.stdout.isatty():
        return piped
    return min(shutil.get_terminal_size().columns, most)


def clock_time(seconds: float) -> str:
    """ "3:20", "1:02:05"."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"


def print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), wide: int = TABLE_COLUMNS
) -> None:
    """A table of texts on stdout; `right` are the columns of numbers. `wide` columns where it is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:  # a heading alone says nothing
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    shown = Console(highlight=False, width=None if sys.stdout.isatty() else wide)
    with shown.capture() as text:
        shown.print(table)
    lines = [line.rstrip() for line in text.get().splitlines()]
    typer.echo("\n".join(line for line in lines if line))


def print_facts(facts: Mapping[str, object]) -> None:
    """Name and value, one pair a line, names in one column."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value}")


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """The diagnosis in words, the surest finding first, notes at the end."""
    if diagnosis.healthy is not False:
        typer.echo(f"doctor: {diagnosis.line}")
    for finding in diagnosis.findings:
        head = "doctor" if finding.level == "fault" else "note"
        typer.echo(f"{head}: {finding.name} (confidence {finding.confidence:.0%})")
        typer.echo(f"  {finding.meaning}")
        numbers = "; ".join(f"{name} {short_number(value)}" for name, value in finding.evidence.items())
        typer.echo(f"  evidence: {numbers}")
        why = f" ({finding.change.text})" if finding.change.settings else ""
        typer.echo(f"  change: {finding.change.line}{why}")
