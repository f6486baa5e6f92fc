"""Settings that have an effect under a choice of another one only (`when`) say so, and have none otherwise."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.registry import create, find, method_names
from ganvas.settings import Setting, has_effect, settings_of
from parts import small, trainer_for


def conditional() -> list[tuple[str, str]]:
    """A method and its setting for each key and condition that there are; what several methods share is tried in one of them."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name in method_names():
        for key, declared in settings_of(find(name)).items():
            if declared.when:
                found.setdefault((key, declared.when), (name, key))
    return list(found.values())


OUTSIDE = ("sampling", "restoring")  # prefixes of a help that name a time, no setting


def switched_off(name: str, key: str) -> dict[str, Any]:
    """A value of the setting that `key` depends on, under which it has no effect."""
    declared = settings_of(find(name))
    other, _, choices = declared[key].when.partition("=")
    if not choices:
        values: list[Any] = [False, 0, "none", ()]
    else:
        values = [choice for choice in declared[other].choices or ("digits",) if choice not in choices.split(",")]
    for value in values:
        try:
            settings = create(name, None, {other: value}).settings()
        except UsageError:  # of another type
            continue
        if not has_effect(key, declared, settings):
            return {other: value}
    raise AssertionError(f"{key} always has an effect")


def another(declared: Setting, value: Any) -> Any:
    """An allowed value of a setting that is not `value`."""
    if declared.choices:
        return next(choice for choice in declared.choices if choice != value)
    if isinstance(value, bool):
        return not value
    if declared.is_list:
        return tuple(2 * one for one in value)
    low = declared.minimum or 0
    high = declared.maximum if declared.maximum is not None else 2 * (value or 0) + 3
    candidates = [low, high, (low + high) / 2]
    return next(one for one in (int(one) if declared.type is int else one for one in candidates) if one != value)


def one_step(name: str, settings: dict[str, Any]) -> list[Tensor]:
    """The weights after a step of the smallest form of the method."""
    trainer = trainer_for(small(name, **settings))
    trainer.step()
    return [weights.detach() for weights in trainer.method.parameters()]


@pytest.mark.parametrize(("name", "key"), conditional())
def test_a_setting_has_no_effect_where_it_says_so(name: str, key: str) -> None:
    """Bit for bit, or it is refused there."""
    off = switched_off(name, key)
    usual = small(name, **off).settings()
    changed = {**off, key: another(settings_of(find(name))[key], usual[key])}
    try:
        changed_step = one_step(name, changed)
    except UsageError as error:
        assert key in str(error)
        return
    assert all(map(torch.equal, one_step(name, off), changed_step))


@pytest.mark.parametrize("name", method_names())
def test_help_and_condition_agree(name: str) -> None:
    """The help of a setting that begins with choices ("ada: ..."), or with another setting ("gamma: ..."), says what `when`
    does."""
    declared = settings_of(find(name))
    choices = {str(choice) for setting in declared.values() for choice in setting.choices or ()}
    for key, setting in declared.items():
        prefix = re.match(r"([a-z0-9_]+(?:, [a-z0-9_]+)*): ", setting.help)
        words = prefix[1].split(", ") if prefix else []
        if words and words[0] not in (*OUTSIDE, "residual") and (set(words) <= choices or words[0] in declared):
            other, _, under = setting.when.partition("=")
            assert words == [other] or set(words) <= set(under.split(",")), f"{name}: {key} has no `when`"
        if setting.when:
            other, _, under = setting.when.partition("=")
            known = declared[other].choices
            assert not under or known is None or set(under.split(",")) <= set(known), (
                f"{name}: {key} when {setting.when}"
            )
