"""One change for each finding, out of the settings that the run's method has. No method is known by name here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ganvas.doctor.findings import Change
from ganvas.doctor.signals import Signals
from ganvas.errors import GanvasError
from ganvas.registry import find
from ganvas.settings import Setting, settings_of

USUAL_STEP = 0.015  # of G over its weights, in the first few hundred steps of trainings that learn fast
SLOW_STEP = 0.005  # below that G, not D, is the one to change where D is too strong


def advise(name: str, signals: Signals) -> Change:
    """The change for a finding. Its settings are empty where none of this method's helps, or where the method is unknown."""
    return ADVICE[name](Choices(signals))


class Choices:
    """The run's settings and what they may be changed to."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.values: dict[str, Any] = signals.info.get("settings") or {}
        self.known: dict[str, Setting] = {}
        try:
            self.known = settings_of(find(signals.info.get("method", "")))
        except GanvasError:  # another program's log, or a method that is not registered here
            self.values = {}

    def number(self, name: str) -> float | None:
        """The value of a setting, where there is one and it is a number above 0."""
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) and name in self.known and value > 0 else None

    def scaled(self, name: str, factor: float, text: str, **more: Any) -> Change | None:
        """The setting times a factor, within what it may be; None where there is no such setting, or it stays what it is."""
        value = self.number(name)
        if value is None:
            return None
        about = self.known[name]
        wanted = round(value * factor) if about.type is int else float(f"{value * factor:.2g}")
        wanted = wanted if about.minimum is None else max(wanted, about.minimum)
        wanted = wanted if about.maximum is None else min(wanted, about.maximum)
        return None if wanted == value else Change(text, {name: wanted}, **more)

    def chosen(self, name: str, value: Any, text: str, **more: Any) -> Change | None:
        """A setting at one of its choices; None where it has it already, or has no such choice."""
        about = self.known.get(name)
        if about is None or self.values.get(name) == value or (about.choices and value not in about.choices):
            return None
        return Change(text, {name: value}, **more)

    def step(self, update: str | None) -> float:
        """The relative length of a step of an update, in the middle of the run; NaN where it is not known."""
        return self.signals.middle(f"{update}/step")


def _first(*changes: Change | None, otherwise: str, anew: bool = False) -> Change:
    return next((change for change in changes if change), None) or Change(otherwise, anew=anew)


def _shorter_steps(choices: Choices) -> Change:
    return _first(
        choices.scaled("lr", _down(choices), "shorter steps", anew=True),
        otherwise="a learning rate 3 to 100 times smaller, from the start", anew=True,
    )  # fmt: skip


def _down(choices: Choices) -> float:
    """From the way that the weights went in the beginning; at least to a third."""
    s = choices.signals
    rates = []
    for update in (s.making, s.disc_update):
        values = s.curve(f"{update}/step")[1]
        key = next((row.get(f"{update}/trains") for row in s.health[-1:]), None)
        if len(values) and key:
            grown = s.curve(f"{key}/weights")[1]
            rates.append(
                float(values[0]) * float(grown[1] / max(1e-9, grown[0])) if len(grown) > 1 else float(values[0])
            )
    rate = max(rates, default=math.nan)
    return min(1 / 3, max(1 / 300, USUAL_STEP / rate)) if rate > 0 else 1 / 10


def _longer_steps(choices: Choices) -> Change:
    step = choices.step(choices.signals.making)
    factor = min(300.0, max(3.0, USUAL_STEP / step)) if step > 0 else 10.0
    return _first(choices.scaled("lr", factor, "longer steps"), otherwise="a learning rate 10 to 100 times larger")


def _weaker_discriminator(choices: Choices) -> Change:
    step, lr, balance = choices.step(choices.signals.making), choices.number("lr"), choices.number("balance")
    if lr and balance and balance > 1 and 0 < step < SLOW_STEP:
        longer = min(100.0, SLOW_STEP / step)
        settings = {"lr": float(f"{lr * longer:.2g}"), "balance": float(f"{max(1.0, balance / longer):.2g}")}
        return Change("longer steps of G, which hardly moves, beside those of D", settings)
    factor = min(1 / 4, max(1 / 100, 1 / (choices.number("balance") or 1.0)))
    return _first(
        choices.scaled("balance", factor, "smaller steps of D beside those of G"),
        choices.scaled("n_critic", 0.5, "fewer steps of D for each step of G"),
        choices.chosen("augment", "diffaugment", "a harder task for D"),
        otherwise="smaller steps of D beside those of G, or fewer of them",
    )


def _stronger_discriminator(choices: Choices) -> Change:
    balance = choices.number("balance") or 1.0
    return _first(
        choices.scaled("balance", max(4.0, 1 / balance), "larger steps of D beside those of G"),
        choices.scaled("lr", 1 / 3, "shorter steps"),
        otherwise="larger steps of D beside those of G, or more of them",
    )


def _living_gradient(choices: Choices) -> Change:
    return choices.chosen(
        "loss", "non_saturating", "a loss whose gradient lives on where D is sure"
    ) or _weaker_discriminator(choices)


def _more_variety(choices: Choices) -> Change:
    latent = choices.number("z_dim")
    balance = choices.number("balance") or 1.0
    return _first(
        choices.chosen("z_dim", 64, "more noise to tell images apart by", anew=True) if latent and latent < 16 else None,
        choices.scaled("balance", 1 / balance, "D and G at the same pace", anew=True) if balance < 0.5 else None,
        choices.scaled("lr", 1 / 2, "shorter steps, from the start", anew=True),
        otherwise="start again with shorter steps, and look whether the noise reaches G at all", anew=True,
    )  # fmt: skip


def _harder_to_learn(choices: Choices) -> Change:
    if choices.values.get("augment", "none") == "none":
        # ADA's strength needs hundreds of thousands of images to rise; DiffAugment works from the first step.
        slow = not choices.signals.last("images_seen") > 0.5 * (choices.number("ada_images") or math.inf)
        kinds = ("diffaugment", "ada") if slow else ("ada", "diffaugment")
        found = [
            choices.chosen("augment", kind, "augmented images before D, so that it cannot know them") for kind in kinds
        ]
        return _first(*found, otherwise="more images, or augmented ones before D")
    return _first(choices.scaled("balance", 1 / 2, "smaller steps of D"), otherwise="more images")


def _calmer(choices: Choices) -> Change:
    beta1 = choices.number("beta1")
    return _first(
        choices.chosen("beta1", 0.5, "less momentum: it carries G and D past each other")
        if beta1 and beta1 > 0.6
        else None,
        choices.scaled("lr", 1 / 3, "shorter steps"),
        otherwise="a learning rate three times smaller, or less momentum",
    )


ADVICE: dict[str, Callable[[Choices], Change]] = {
    "bad_data_range": lambda choices: Change(
        "save the images with values from 0 (black) to 255 (white): floats from 0 to 1 times 255, then bytes",
        anew=True,
    ),
    "label_leak": lambda choices: Change("cut the mark of the label out of the images", anew=True),
    "too_little_data": _harder_to_learn,
    "discriminator_overfits": _harder_to_learn,
    "divergence": _shorter_steps,
    "learning_rate_too_high": _shorter_steps,
    "learning_rate_too_low": _longer_steps,
    "stalled": _longer_steps,
    "generator_too_strong": _stronger_discriminator,
    "discriminator_too_strong": _weaker_discriminator,
    "vanishing_generator_gradient": _living_gradient,
    "mode_collapse": _more_variety,
    "partial_collapse": _more_variety,
    "oscillation": _calmer,
}
