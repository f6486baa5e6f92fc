"""A setting that is far from what the method's presets use: the likely cause where a training goes wrong.

No setting is known by its name here, but for those whose effect other rules measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganvas.doctor.signals import Signals
from ganvas.errors import GanvasError
from ganvas.figure import is_number
from ganvas.registry import create, find, presets
from ganvas.settings import Setting, settings_of

MEASURED = ("lr", "balance")
ZERO_POWERS = 3.0  # what 0 counts as where every preset has more: a thousandfold


@dataclass(frozen=True)
class Unusual:
    """A setting with its value, the value of the run's preset (None where that is computed), and the powers of ten between its
    value and the nearest one of a preset."""

    name: str
    value: float
    usual: object
    powers: float


def most_unusual(signals: Signals) -> Unusual | None:
    """The setting, a number with a fraction, that is furthest from the method's defaults and presets. None where the method is
    unknown, or where no setting differs."""
    values, method = signals.info.get("settings") or {}, str(signals.info.get("method", ""))
    try:
        declared = settings_of(find(method))
        known = [create(method).settings(), *(create(method, name).settings() for name in presets(method))]
        own = usual_settings(signals)
    except GanvasError:
        return None
    most: Unusual | None = None
    for name, setting in declared.items():
        value = values.get(name)
        if name in MEASURED or setting.type is int or not is_number(value):
            continue
        usual = [float(one[name]) for one in known if is_number(one.get(name))]
        powers = min((powers_between(float(value), one, setting) for one in usual), default=0.0)
        if powers > (most.powers if most is not None else 0.0):
            most = Unusual(name, float(value), own[name], powers)
    return most


def usual_settings(signals: Signals) -> dict[str, object]:
    """The settings of the run's preset, else the method's defaults; GanvasError for a method that is not registered here."""
    method, preset = str(signals.info.get("method", "")), signals.info.get("preset")
    return create(method, preset if preset in presets(method) else None).settings()


def powers_between(value: float, usual: float, setting: Setting) -> float:
    """Powers of ten between two values. Decays and shares, which lie below 1, are compared by 1 - value where they are above a
    half, since 0.99 and 0.5 differ as 100 and 2 steps do."""
    if value == usual:
        return 0.0
    below_one = setting.maximum is not None and setting.maximum <= 1
    if below_one and max(value, usual) > 0.5 and max(value, usual) < 1:
        return abs(math.log10((1 - value) / (1 - usual)))
    if value == 0 or usual == 0:
        return 0.0 if below_one else ZERO_POWERS
    return abs(math.log10(abs(value / usual)))
