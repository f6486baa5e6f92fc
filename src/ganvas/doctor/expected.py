"""How far a method normally gets in so many steps: the least of several healthy trainings (benchmarks/doctor.py expect).

`expected.json` holds, for each method and data set, points (steps, progress), where progress is that of ganvas.doctor.rules. Such
a training had the method's preset, or a narrower network of it, on small images.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from importlib.resources import files

from ganvas.doctor.signals import Signals
from ganvas.figure import is_number
from ganvas.files import parse_json

LARGEST_SIDE = 32  # pixels: of larger images nothing was measured

Points = Sequence[tuple[float, float]]


def expected_progress(s: Signals) -> float:
    """The least that healthy trainings of the method had reached after as many steps; of the same data where they were measured,
    else of any. NaN where that is not known: of another method, larger images, or a run that began with another's weights."""
    spec = s.info.get("spec")
    size = [spec.get("height"), spec.get("width")] if isinstance(spec, dict) else [None]
    if not all(is_number(side) and side <= LARGEST_SIDE for side in size) or s.last("taken_over") > 0:
        return math.nan
    by_data = table().get(str(s.info.get("method")), {})
    curves = [by_data[s.info["data"]]] if s.info.get("data") in by_data else list(by_data.values())
    reached = [value for points in curves if (value := at(points, s.steps)) is not None]
    return min(reached, default=math.nan)


def at(points: Points, steps: float) -> float | None:
    """The value of the last point up to `steps`; None before the first."""
    return next((value for step, value in reversed(points) if step <= steps), None)


@functools.cache
def table() -> dict[str, dict[str, Points]]:
    """Method, data set, points in the order of their steps."""
    return parse_json(files("ganvas.doctor").joinpath("expected.json").read_text(encoding="utf-8"))["progress"]
