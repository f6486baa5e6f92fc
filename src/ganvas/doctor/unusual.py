"""Settings that are far from what the method's presets use: the likely cause where a training goes wrong.

No setting is known by its name here, but for those whose effect other rules measure. Of counts (see `is_count`), such as channels
and images per step, fewer than any preset has are a shortage, whether or not the curves show harm yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import geometric_mean

from ganvas.doctor.signals import Signals
from ganvas.errors import GanvasError
from ganvas.figure import is_number
from ganvas.method import Method
from ganvas.registry import create, find, presets
from ganvas.settings import Setting, has_effect, settings_of

MEASURED = ("lr", "balance")
ZERO_POWERS = 3.0  # what 0 counts as where every preset has more: a thousandfold
FOR_TESTS = "tiny"  # a preset that every method has and that is to be quick, not good: no yardstick for other runs


@dataclass(frozen=True)
class Unusual:
    """A setting with its value, its size (see `size_of`), the value of the run's preset (None where that is computed), the powers
    of ten between its size and the nearest one of a preset, whether it is a count below all of theirs, and whether it is a number
    with a fraction, such as a weight or a decay, that is not off (0), nor for sampling only."""

    name: str
    value: object
    size: float
    usual: object
    powers: float
    too_few: bool
    is_fraction: bool


def unusual_settings(signals: Signals) -> list[Unusual]:
    """Every setting that differs from the method's defaults and all its presets, the furthest first, but for those without effect
    under the run's other settings. None where the method is unknown."""
    values, name = signals.info.get("settings") or {}, str(signals.info.get("method", ""))
    try:
        method, own = find(name), usual_settings(signals)
        known = [own, create(name).settings()]
        known += [create(name, preset).settings() for preset in presets(name) if preset != FOR_TESTS]
    except GanvasError:
        return []
    found: list[Unusual] = []
    declared = settings_of(method)
    for key, setting in declared.items():
        size = size_of(values.get(key))
        usual = [one for settings in known if (one := size_of(settings[key])) is not None]
        if key in MEASURED or size is None or not usual or not has_effect(key, declared, values):
            continue
        powers = min(powers_between(size, one, setting) for one in usual)
        if powers > 0:
            too_few = is_count(setting, method) and size < min(usual)
            is_fraction = isinstance(setting.default, float | None) and size != 0 and key not in method.of_sampling
            found.append(Unusual(key, values[key], size, own[key], powers, too_few, is_fraction))
    return sorted(found, key=lambda one: -one.powers)


def usual_settings(signals: Signals) -> dict[str, object]:
    """The settings of the run's preset, else the method's defaults; GanvasError for a method that is not registered here."""
    method, preset = str(signals.info.get("method", "")), signals.info.get("preset")
    return create(method, preset if preset in presets(method) else None).settings()


def is_count(setting: Setting, method: type[Method]) -> bool:
    """Whether a smaller value means less of something that a training needs: an integer, or a list of integers, that must be at
    least 1, unless it is declared that fewer do no harm, or it is for sampling only."""
    whole = setting.is_list or setting.type is int
    at_least_one = setting.minimum is not None and setting.minimum >= 1
    return whole and at_least_one and not setting.fewer_is_fine and setting.name not in method.of_sampling


def size_of(value: object) -> float | None:
    """A number as it is, and of a list, such as a network's widths, the geometric mean. None of everything else."""
    if isinstance(value, list | tuple):
        return geometric_mean(value) if value and min(value) > 0 else None
    return float(value) if is_number(value) else None


def powers_between(value: float, usual: float, setting: Setting) -> float:
    """Powers of ten between two values. Decays, probabilities and shares, which are at most 1, are compared by 1 - value: a decay
    of 0.999 averages a hundred times as long as one of 0.9, and near 0 they are all as good as off."""
    if value == usual:
        return 0.0
    if setting.maximum is not None and setting.maximum <= 1 and usual < 1:
        return ZERO_POWERS if value >= 1 else abs(math.log10((1 - value) / (1 - usual)))
    if value == 0 or usual == 0:
        return ZERO_POWERS
    return abs(math.log10(abs(value / usual)))
