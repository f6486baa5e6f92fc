"""Line charts as SVG, drawn by hand: axes, ticks, a reference, gaps where a value is missing."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganvas.report.markup import Content, Html, folded, join, number, table, tag

WIDTH, HEIGHT = 400, 226  # units of the drawing; it is scaled to the column it stands in
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 34
MAX_POINTS = 500  # a line; longer ones keep the lowest and highest value of each stretch
SMOOTH_FROM = 80  # points; a shorter line is drawn as it is
LOG_FROM = 30.0  # largest over smallest value from which a scale of powers reads better
TABLE_ROWS = 12  # rows of the table behind a chart
SERIES_COLOURS = 8


@dataclass(frozen=True)
class Line:
    """One curve: `x` and `y` of equal length, NaN in `y` for a gap. `colour` counts the page's colours."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: int = 0
    dots: bool = False
    legend: str | None = None
    """What the legend calls it: None is its name and last value; "" leaves it out."""


@dataclass(frozen=True)
class Axis:
    """A scale from values to drawing units."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, values: np.ndarray) -> np.ndarray:
        """Drawing units; values beyond the ends stay on the frame."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log10(values)
        else:
            low, high = self.low, self.high
        return self.start + np.clip((values - low) / (high - low), 0, 1) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values between the ends."""
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    reference: float | None = None,
    log: bool | None = None,
    note: Content = None,
) -> Html:
    """A figure: heading, legend, drawing, and its numbers as a table. Nothing where no value is finite.

    `reference` is drawn dashed. `log`: the scale of y; None: powers of ten where values are positive and far apart.
    """
    lines = [line for line in lines if np.isfinite(line.y).any()]
    if not lines:
        return Html()
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    x_values = np.concatenate([line.x[np.isfinite(line.y)] for line in lines])
    y_axis, beyond = _y_axis(values, reference, log)
    x_axis = _x_axis(x_values)
    drawing = tag(
        "svg",
        _frame(x_axis, y_axis, x_label),
        _reference(reference, y_axis),
        [_curve(line, x_axis, y_axis) for line in lines],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="chart",
        data_low=f"{x_axis.low:.6g}",
        data_high=f"{x_axis.high:.6g}",
        data_start=x_axis.start,
        data_end=x_axis.end,
        data_label=x_label,
        role="img",
        aria_label=_summary(title, lines, x_label, reference),
    )
    return tag(
        "figure",
        tag("h3", title),
        _legend(lines),
        drawing,
        _caption(note, y_axis, beyond),
        folded("Numbers", _numbers(title, lines, x_label)),
        class_="plot",
    )


def thin(x: np.ndarray, y: np.ndarray, most: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points: of each stretch the lowest and the highest; a gap in it stays a gap."""
    if len(x) <= most:
        return x, y
    kept: list[int] = []
    for stretch in np.array_split(np.arange(len(x)), max(1, most // 3)):
        finite = stretch[np.isfinite(y[stretch])]
        gaps = stretch[~np.isfinite(y[stretch])]
        chosen: set[int] = set()
        if len(finite):
            chosen |= {int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])}
        if len(gaps):
            chosen.add(int(gaps[0]))
        kept += sorted(chosen)
    return x[kept], y[kept]


def smooth(y: np.ndarray) -> np.ndarray:
    """The mean over a window of a twentieth of all points around each; NaN where `y` is NaN."""
    half = max(1, len(y) // 40)
    finite = np.isfinite(y)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, y, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    low = np.maximum(np.arange(len(y)) - half, 0)
    high = np.minimum(np.arange(len(y)) + half + 1, len(y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(finite, (sums[high] - sums[low]) / (counts[high] - counts[low]), np.nan)


def linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in [low, high]."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten in [low, high]; with 2 and 5 where those are few, every n-th where they are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    ticks: list[float] = []
    for power in range(first, last + 1):
        for factor in factors:
            tick = factor * 10.0**power
            if low * 0.999 <= tick <= high * 1.001:
                ticks.append(tick)
    if not ticks:
        return [low, high]
    return ticks[:: math.ceil(len(ticks) / 8)]


def short(value: float) -> str:
    """A tick's text: 1500 is 1.5k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.4g}"
    return f"{value:.0e}".replace("e-0", "e-")


# --- parts of the drawing -----------------------------------------------------------------------------------


def _caption(note: Content, y_axis: Axis, beyond: int) -> Html | None:
    """The note, the kind of scale and how many values lie beyond the frame, as one sentence."""
    parts: list[str] = []
    if note:
        parts.append(str(note))
    if y_axis.log:
        parts.append("logarithmic scale")
    if beyond:
        lie = "value lies" if beyond == 1 else "values lie"
        parts.append(f"{beyond:,} {lie} beyond the frame")
    if not parts:
        return None
    text = "; ".join(parts)
    return tag("figcaption", text[0].upper() + text[1:] + ".")


def _y_axis(values: np.ndarray, reference: float | None, log: bool | None) -> tuple[Axis, int]:
    """The axis, and how many values it leaves out: a few spikes must not flatten all the rest."""
    shown = values if reference is None else np.append(values, reference)
    positive = bool((shown > 0).all())
    if log is None:
        low, high = np.quantile(shown, [0.02, 0.98])
        log = positive and bool(high / low > LOG_FROM)
    if log and positive:
        low, high = _trimmed(np.log10(shown))
        beyond = _outside(np.log10(shown), low, high)
        return Axis(10**low / 1.15, 10**high * 1.15, HEIGHT - BOTTOM, TOP, log=True), beyond
    low, high = _trimmed(shown)
    beyond = _outside(shown, low, high)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    # Ends at 0 and 1 where those are near.
    bottom, top = low - margin, high + margin
    if 0 <= low < 0.5 * high:
        bottom = 0.0
    if bottom >= 0 and 0.9 < high <= 1:
        top = 1.0
    return Axis(bottom, top, HEIGHT - BOTTOM, TOP), beyond


def _trimmed(values: np.ndarray) -> tuple[float, float]:
    """Least and greatest value, without spikes that would flatten all the rest."""
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = map(float, np.quantile(values, [0.01, 0.99]))
    margin = 0.5 * (inner_high - inner_low)
    if high - low > 8 * margin > 0:
        return max(low, inner_low - margin), min(high, inner_high + margin)
    return low, high


def _outside(values: np.ndarray, low: float, high: float) -> int:
    return int(((values < low) | (values > high)).sum())


def _x_axis(x: np.ndarray) -> Axis:
    low, high = float(x.min()), float(x.max())
    if 0 <= low < 0.25 * high:
        low = 0.0
    if high <= low:
        high = low + 1
    return Axis(low, high, LEFT, WIDTH - RIGHT)


def _frame(x_axis: Axis, y_axis: Axis, x_label: str) -> Html:
    bottom, middle = HEIGHT - BOTTOM, (LEFT + WIDTH - RIGHT) / 2
    parts: list[Html] = []
    for value, y in zip(y_axis.ticks(), y_axis.place(np.array(y_axis.ticks())), strict=True):
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"))
        parts.append(tag("text", short(value), x=LEFT - 7, y=f"{y + 3.8:.1f}", text_anchor="end"))
    for value, x in zip(x_axis.ticks(), x_axis.place(np.array(x_axis.ticks())), strict=True):
        parts.append(tag("text", short(value), x=f"{x:.1f}", y=bottom + 15, text_anchor="middle"))
    parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom, class_="axis"))
    parts.append(tag("text", x_label, x=f"{middle:.0f}", y=HEIGHT - 4, text_anchor="middle"))
    return tag("g", parts, aria_hidden="true")


def _reference(reference: float | None, axis: Axis) -> Html | None:
    if reference is None:
        return None
    y = float(axis.place(np.array([reference]))[0])
    text_y = y - 5 if y > TOP + 14 else y + 13  # above the line, where there is room
    return tag(
        "g",
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="reference"),
        tag(
            "text",
            f"reference {number(reference)}",
            x=WIDTH - RIGHT,
            y=f"{text_y:.1f}",
            text_anchor="end",
            class_="reference-text",
        ),
    )


def _curve(line: Line, x_axis: Axis, y_axis: Axis) -> Html:
    colour = line.colour % SERIES_COLOURS
    noisy = len(line.x) >= SMOOTH_FROM and not line.dots
    parts: list[Html] = []
    # A noisy line stands thin behind its moving average.
    smoothed = line.y
    if noisy:
        parts.append(tag("path", d=_path(*thin(line.x, line.y), x_axis, y_axis), class_=f"raw s{colour}"))
        smoothed = _smoothed(line.y, y_axis.log)
    x, y = thin(line.x, smoothed)
    values = {"data_name": line.name, "data_points": _points(x, y)}
    parts.append(tag("path", d=_path(x, y, x_axis, y_axis), class_=f"line s{colour}", **values))
    # Dots, where asked for or where a single point makes no line.
    if line.dots:
        for x, y in zip(*thin(line.x, line.y, 60), strict=True):
            if np.isfinite(y):
                parts.append(_dot(line.name, x, y, x_axis, y_axis, colour))
    elif np.isfinite(line.y).sum() == 1:
        only = int(np.flatnonzero(np.isfinite(line.y))[0])
        parts.append(_dot(line.name, line.x[only], line.y[only], x_axis, y_axis, colour))
    return join(parts)


def _smoothed(y: np.ndarray, log: bool) -> np.ndarray:
    if not log:
        return smooth(y)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        return np.exp(smooth(np.log(y)))


def _dot(name: str, x: float, y: float, x_axis: Axis, y_axis: Axis, colour: int) -> Html:
    at = {"cx": f"{x_axis.place(np.array([x]))[0]:.1f}", "cy": f"{y_axis.place(np.array([y]))[0]:.1f}"}
    hint = tag("title", f"{name}: {number(float(y))} at {number(float(x))}")
    return tag("circle", hint, **at, r="2.6", class_=f"dot f{colour}")


def _path(x: np.ndarray, y: np.ndarray, x_axis: Axis, y_axis: Axis) -> str:
    """M and L commands, a new M after each gap."""
    with np.errstate(invalid="ignore"):
        across, down = x_axis.place(x), y_axis.place(y)
    words, pen = [], "M"
    for left, top, value in zip(across, down, y, strict=True):
        if not np.isfinite(value):
            pen = "M"
            continue
        words.append(f"{pen}{left:.1f} {top:.1f}")
        pen = "L"
    return "".join(words)


def _points(x: np.ndarray, y: np.ndarray) -> str:
    """ "120,0.693 240,0.51": what the page's script shows beside the pointer."""
    pairs: list[str] = []
    for left, value in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(value):
            pairs.append(f"{left:.7g},{value:.4g}")
    return " ".join(pairs)


def _legend(lines: Sequence[Line]) -> Html:
    entries = [
        tag("li", _swatch(f"s{line.colour % SERIES_COLOURS}"), _named(line)) for line in lines if line.legend != ""
    ]
    return tag("ul", entries, class_="key", aria_label="Legend")


def _named(line: Line) -> Html:
    if line.legend:
        return join(line.legend)
    return join(line.name, " ", tag("b", number(_last(line.y))))


def _swatch(colour: str) -> Html:
    return tag("svg", tag("line", x1=0, x2=20, y1=5, y2=5, class_=colour), viewBox="0 0 20 9", aria_hidden="true")


def _numbers(title: str, lines: Sequence[Line], x_label: str) -> Html:
    """Some points of each line; side by side where the lines share their x."""
    first = lines[0]
    if all(np.array_equal(line.x, first.x) for line in lines):
        chosen = _some(len(first.x), TABLE_ROWS)
        columns = [first.x, *(line.y for line in lines)]
        shared_rows: list[list[str]] = []
        for point in chosen:
            shared_rows.append([number(float(column[point])) for column in columns])
        caption = f"{title}: {len(chosen)} of {len(first.x):,} points"
        return table(
            [x_label, *(line.name for line in lines)], shared_rows, caption=caption, numeric=range(1, len(columns))
        )
    rows: list[list[str]] = []
    for line in lines:
        for i in _some(len(line.x), TABLE_ROWS):
            rows.append([line.name, number(float(line.x[i])), number(float(line.y[i]))])
    return table(["line", x_label, "value"], rows, caption=f"{title}: up to {TABLE_ROWS} points a line", numeric=(1, 2))


def _some(count: int, most: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def _last(y: np.ndarray) -> float:
    return float(y[np.flatnonzero(np.isfinite(y))[-1]])


def _summary(title: str, lines: Sequence[Line], x_label: str, reference: float | None) -> str:
    parts = []
    for line in lines:
        y = line.y[np.isfinite(line.y)]
        ends = f"from {number(float(y[0]))} to {number(float(y[-1]))}"
        limits = f"between {number(float(y.min()))} and {number(float(y.max()))}"
        parts.append(f"{line.name} {ends}, {limits}")
    if reference is not None:
        parts.append(f"reference {number(reference)}")
    return f"Chart: {title} against {x_label}. " + "; ".join(parts) + "."
