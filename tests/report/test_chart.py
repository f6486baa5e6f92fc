"""Charts: places and ticks worked out by hand, gaps, thinning."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ganvas.report.chart import (
    BOTTOM,
    HEIGHT,
    TOP,
    Axis,
    Line,
    line_chart,
    linear_ticks,
    log_ticks,
    short,
    smooth,
    thin,
)

NAN = float("nan")


def paths(drawing: str) -> list[str]:
    return re.findall(r' d="([^"]*)"', drawing)


def test_places_on_both_scales() -> None:
    linear = Axis(0.0, 10.0, 100.0, 200.0)
    assert linear.place(np.array([0.0, 2.5, 10.0, 99.0])).tolist() == [100.0, 125.0, 200.0, 200.0]
    powers = Axis(1.0, 100.0, 200.0, 0.0, log=True)
    assert powers.place(np.array([1.0, 10.0, 100.0])).tolist() == [200.0, 100.0, 0.0]


def test_ticks_are_round() -> None:
    assert linear_ticks(0.0, 10.0) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert linear_ticks(-0.13, 0.27) == [-0.1, 0.0, 0.1, 0.2]
    assert log_ticks(1.0, 100.0) == [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    assert log_ticks(0.5e-3, 2e3) == pytest.approx([1e-3, 1e-2, 1e-1, 1, 10, 100, 1000])
    assert [short(value) for value in (0.0, 1500.0, 2e6, 0.25, 2e-5)] == ["0", "1.5k", "2M", "0.25", "2e-5"]


def test_a_missing_value_is_a_gap() -> None:
    y = np.array([1.0, 2.0, NAN, 2.0, 3.0])
    (path,) = paths(line_chart("t", [Line("a", np.arange(5.0), y)], x_label="step"))
    assert re.sub(r"[^ML]", "", path) == "MLML"


def test_the_highest_value_is_at_the_top_and_the_floor_below() -> None:
    chart = line_chart("t", [Line("a", np.array([0.0, 1.0]), np.array([1.0, 2.0]))], x_label="step", reference=0.0)
    low, high = (float(word.split(" ")[1]) for word in re.split("[ML]", paths(chart)[0])[1:])
    reference = re.search(r'y1="([\d.]+)" y2="([\d.]+)" class="reference"', chart)
    assert reference and TOP < high < low < float(reference[1]) == float(reference[2]) == HEIGHT - BOTTOM
    assert "reference 0" in chart


def test_scale_of_powers_where_values_are_far_apart() -> None:
    x = np.arange(40.0)
    assert "Logarithmic scale" in line_chart("t", [Line("a", x, 10 ** (x / 10))], x_label="step")
    assert "Logarithmic scale" not in line_chart("t", [Line("a", x, x + 10)], x_label="step")
    assert "Logarithmic scale" not in line_chart("t", [Line("a", x, 10 ** (x / 10) - 2)], x_label="step")


def test_a_spike_does_not_flatten_the_rest() -> None:
    y = np.sin(np.arange(300.0))
    y[100] = -1e6
    chart = line_chart("t", [Line("a", np.arange(300.0), y)], x_label="step")
    assert "1 value lies beyond the frame" in chart
    heights = [float(word.split(" ")[1]) for word in re.split("[ML]", paths(chart)[0])[1:]]
    assert np.quantile(heights, 0.9) - np.quantile(heights, 0.1) > 0.3 * HEIGHT


def test_thinning_keeps_extremes_and_gaps() -> None:
    y = np.sin(np.arange(100_000) / 777)
    y[12_345], y[54_321], y[70_000:75_000] = 9.0, -9.0, NAN
    x, kept = thin(np.arange(100_000.0), y)
    assert len(x) <= 500 and (np.diff(x) > 0).all()
    assert np.nanmax(kept) == 9.0 and np.nanmin(kept) == -9.0
    assert x[kept == 9.0] == 12_345
    assert np.isnan(kept[(x >= 70_000) & (x < 75_000)]).all() and np.isnan(kept).any()


def test_smoothing_by_hand() -> None:
    # A window of one point on each side: 120 points / 40 = 3 on each side.
    y = np.arange(120.0)
    assert smooth(y)[60] == 60.0
    assert smooth(y)[0] == (0 + 1 + 2 + 3) / 4
    y[61] = NAN
    even = smooth(y)
    assert np.isnan(even[61]) and even[60] == (57 + 58 + 59 + 60 + 62 + 63) / 6


def test_no_values_no_chart() -> None:
    assert line_chart("t", [Line("a", np.arange(3.0), np.full(3, NAN))], x_label="step") == ""
    assert line_chart("t", [], x_label="step") == ""


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e-12, 1e12], [-3.0, -3.0, -3.0], [1e300, -1e300]])
def test_odd_values_draw(values: list[float]) -> None:
    chart = line_chart(
        "t", [Line("a", np.arange(len(values), dtype=float), np.array(values))], x_label="step", reference=0.0
    )
    assert "nan" not in chart and "inf" not in chart
    assert chart.count("<td") == len(values)
