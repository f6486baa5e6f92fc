"""The doctor's findings, and the figures with their references."""

from __future__ import annotations

import shlex

import numpy as np

from ganvas.doctor import Finding, Plot, diagnose
from ganvas.errors import GanvasError
from ganvas.figure import Figure, read_figures, warnings_of
from ganvas.metrics.method_metrics import unmeasured
from ganvas.report.chart import Line, line_chart
from ganvas.report.log import Log
from ganvas.report.markup import DASH, Content, Html, Section, described, facts, folded, number, section, table, tag
from ganvas.report.measured import Measured, best
from ganvas.report.measures import explanation, value_text
from ganvas.run import Run


def doctor_section(run: Run) -> Section:
    """What the log says is wrong; empty for a run without a log."""
    title = "What the doctor says"
    try:
        diagnosis = diagnose(run)
    except GanvasError:
        return section("doctor", title)
    if not diagnosis.findings:
        line = f"{diagnosis.line[:1].upper()}{diagnosis.line[1:]}."
        return section("doctor", title, tag("p", line, class_="note"))
    if diagnosis.healthy:
        lead = "No trouble found. What is unusual: the numbers, and the change that would make it usual."
    else:
        lead = "What the log says is wrong, the surest first: the numbers, and the one change to make."
    return section("doctor", title, [_finding(run, one) for one in diagnosis.findings], lead=lead)


def _finding(run: Run, finding: Finding) -> Html:
    change = finding.change
    kind = "Note: " if finding.level == "note" else ""
    advice: list[Content] = [change.line]
    if change.settings:
        apply = tag("code", f"ganvas doctor {shlex.quote(str(run.folder))} --apply")
        advice = [tag("code", change.line), " (", change.text, "). Or: ", apply]
    return tag(
        "article",
        tag("h3", f"{kind}{finding.name.replace('_', ' ').capitalize()}, {finding.confidence:.0%}"),
        tag("p", finding.meaning),
        facts((name, number(value)) for name, value in finding.evidence.items()),
        tag("p", tag("b", "Change: "), advice, "."),
        tag("div", _plot(finding.plot), class_="charts") if finding.plot else None,
    )


def _plot(plot: Plot | None) -> Html | None:
    if plot is None:
        return None
    lines: list[Line] = []
    for colour, (name, steps, values) in enumerate(plot.lines):
        lines.append(Line(name, steps, values, colour, dots=True))
    return line_chart(plot.title, lines, x_label="step")


def measures_section(run: Run, log: Log, measured: Measured) -> Section:
    """A table of all figures, how they were measured, and a chart of each over the training."""
    figures = measured.figures
    if not figures:
        return section("measures", "Measures", tag("p", _how_to_measure(run), class_="note"))
    lead = "The reference is what held-out real images score in place of samples: what a perfect generator would get."
    sources = sorted({figure.reference_from for figure in figures.values() if figure.reference_from})
    if sources:
        lead += f" They are: {'; '.join(sources)}."
    how = folded("How they were measured", facts((name, _conditions(figure)) for name, figure in figures.items()))
    charts = None
    if len(log.evaluated) > 1:
        charts = tag("div", [_chart(name, figure, log) for name, figure in figures.items()], class_="charts")
    return section("measures", "Measures", charts, _table(measured, best(run)), how, lead=lead)


def _how_to_measure(run: Run) -> str:
    why = unmeasured(str(run.info.get("method")))
    if why:
        return f"None: {why}."
    return f"None yet. Measure it with: ganvas evaluate {shlex.quote(str(run.folder))}"


def _table(measured: Measured, kept: Measured) -> Html:
    """Of the newest weights and, where they are kept, of the best ones."""
    head: list[Content] = ["Measure", f"Step {number(measured.step)}"]
    if kept.figures:
        head.append(f"Best, step {number(kept.step)}")
    head += ["Reference", "Samples", "Better", "Meaning"]
    rows: list[list[Content]] = []
    for name, figure in measured.figures.items():
        row: list[Content] = [f"{name} *" if figure.warning else name, value_text(figure)]
        if kept.figures:
            row.append(number(kept.figures[name].value) if name in kept.figures else DASH)
        row += [number(figure.reference), number(figure.n), figure.better or DASH, explanation(name, figure)]
        rows.append(row)
    for warning in warnings_of(measured.figures):
        rows.append(["* Warning", *[""] * (len(head) - 2), tag("strong", warning)])
    numeric = range(1, 5 if kept.figures else 4)
    return table(head, rows, caption="Measures of the samples", numeric=numeric)


def _conditions(figure: Figure) -> str:
    """What makes two figures comparable: network, counts, rules."""
    elsewhere = ("value", "reference", "better", "help", "primary", "warning")
    conditions: list[str] = []
    for key, value in figure.as_dict().items():
        if key not in elsewhere:
            conditions.append(f"{key} {described(value)}")
    return ", ".join(conditions)


def _chart(name: str, figure: Figure, log: Log) -> Html:
    steps: list[float] = []
    values: list[float] = []
    for row in log.evaluated:
        evaluated = read_figures(row.get("metrics")).get(name)
        steps.append(float(row["step"]))
        values.append(float(evaluated.value) if evaluated else np.nan)
    line = Line(name, np.array(steps), np.array(values), 0, dots=True)
    note = f"{figure.better} is better" if figure.better else None
    return line_chart(name, [line], x_label="step", reference=figure.reference, note=note)
