"""Training curves: losses, gradient norms, logits and speed over the steps."""

from __future__ import annotations

import numpy as np

from ganvas.report.chart import Line, line_chart
from ganvas.report.log import Log
from ganvas.report.markup import Html, Section, section, tag

CURVES_TITLE = "Training curves"


def curves_section(log: Log, unit: str) -> Section:
    """Every number that was logged, over the steps, and the speed."""
    if not len(log):
        return section("curves", CURVES_TITLE, tag("p", "The log holds no numbers yet.", class_="note"))
    charts = [_chart(log, title, keys) for title, keys in groups(log.curves())]
    speed = _chart(log, f"{unit.capitalize()} per second", ["images_per_second"])
    lead = "Of a noisy curve, the thin line is what was logged and the bold one its moving average."
    return section("curves", CURVES_TITLE, tag("div", charts, speed, class_="charts"), lead=lead)


def groups(keys: list[str]) -> list[tuple[str, list[str]]]:
    """Which curves share a chart: all gradient norms, and the logits of real and fake. Others stand alone."""
    by_title: dict[str, list[str]] = {}
    for key in keys:
        update, _, name = key.rpartition("/")
        if name == "gradient_norm":
            title = "Gradient norm of each update"
        elif name in ("real", "fake"):
            title = f"Mean logit of real and fake, {update}"
        else:
            title = f"{name[:1].upper()}{name[1:].replace('_', ' ')}, {update}"
        by_title.setdefault(title, []).append(key)
    order = sorted(by_title, key=lambda title: (not title.startswith("Loss"), title.startswith("Gradient")))
    return [(title, by_title[title]) for title in order]


def _chart(log: Log, title: str, keys: list[str]) -> Html:
    steps = log.column("step")
    lines: list[Line] = []
    for colour, key in enumerate(keys):
        lines.append(_present(Line(_line_name(key, keys), steps, log.column(key), colour)))
    logarithmic = {"gradient_norm": True, "images_per_second": False}.get(keys[0].rpartition("/")[2])
    return line_chart(title, lines, x_label="step", log=logarithmic)


def _present(line: Line) -> Line:
    """Without the rows before a lazy update's first report: those are no gaps of its own."""
    first = int(np.argmax(np.isfinite(line.y)))
    return Line(line.name, line.x[first:], line.y[first:], line.colour, line.dots)


def _line_name(key: str, keys: list[str]) -> str:
    update, _, name = key.rpartition("/")
    if len(keys) > 1 and name == "gradient_norm":
        return update
    return name.replace("_", " ")
