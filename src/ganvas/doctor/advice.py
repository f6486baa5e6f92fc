"""One change for each finding, out of the settings that the run's method has. No method is known by name here."""

from __future__ import annotations

import math
from collections.abc import Callable

from ganvas.doctor.findings import Change
from ganvas.doctor.rules import REPORTED_CONFIDENCE, blamed_settings
from ganvas.doctor.signals import Signals
from ganvas.doctor.unusual import Unusual, usual_settings
from ganvas.errors import GanvasError
from ganvas.registry import find
from ganvas.settings import Setting, as_text, settings_of

USUAL_RELATIVE_STEP = 0.015  # of G over its weights, in the first few hundred steps of trainings that learn fast
SLOW_RELATIVE_STEP = 0.005  # below that G, not D, is the one to change where D is too strong


def advise(name: str, signals: Signals) -> Change:
    """The change for a finding. Its settings are empty where none of this method's helps, or where the method is unknown."""
    return ADVICE[name](Choices(signals))


class Choices:
    """The run's settings and what they may be changed to."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.values: dict[str, object] = signals.info.get("settings") or {}
        self.declared: dict[str, Setting] = {}
        try:
            self.declared = settings_of(find(signals.info.get("method", "")))
        except GanvasError:  # another program's log, or a method that is not registered here
            self.values = {}

    def number(self, name: str) -> float | None:
        """The value of a setting, where there is one and it is a number above 0."""
        value = self.values.get(name)
        if name in self.declared and isinstance(value, int | float) and value > 0:
            return float(value)
        return None

    def scaled(self, name: str, factor: float, text: str, *, restart: bool = False) -> Change | None:
        """The setting times a factor, within what it may be; None where there is no such setting, or it stays what it is."""
        value = self.number(name)
        if value is None:
            return None
        declared = self.declared[name]
        wanted = round(value * factor) if declared.type is int else float(f"{value * factor:.2g}")
        if declared.minimum is not None:
            wanted = max(wanted, declared.minimum)
        if declared.maximum is not None:
            wanted = min(wanted, declared.maximum)
        if wanted == value:
            return None
        return Change(text, {name: wanted}, restart)

    def chosen(self, name: str, value: object, text: str, *, restart: bool = False) -> Change | None:
        """A setting at one of its choices; None where it has it already, or has no such choice."""
        declared = self.declared.get(name)
        if declared is None or self.values.get(name) == value:
            return None
        if declared.choices and value not in declared.choices:
            return None
        return Change(text, {name: value}, restart)

    def step(self, update: str | None) -> float:
        """The relative length of a step of an update, in the middle of the run; NaN where it is not known."""
        return self.signals.middle(f"{update}/step")


def _first(*changes: Change | None, otherwise: str, restart: bool = False) -> Change:
    for change in changes:
        if change is not None:
            return change
    return Change(otherwise, restart=restart)


def _smaller_rate(choices: Choices) -> Change:
    return _first(
        choices.scaled("lr", _down(choices), "a smaller learning rate", restart=True),
        otherwise="a learning rate 3 to 100 times smaller, from the start", restart=True,
    )  # fmt: skip


def _down(choices: Choices) -> float:
    """From the way that the weights went in the beginning; at least to a third."""
    s = choices.signals
    rates: list[float] = []
    for update in (s.gen_update, s.disc_update):
        steps = s.curve(f"{update}/step")[1]
        network = s.newest_health.get(f"{update}/trains")
        if not len(steps) or not network:
            continue
        # A first step that made the weights larger counts for as much more.
        rate = float(steps[0])
        weights = s.curve(f"{network}/weights")[1]
        if len(weights) > 1:
            rate *= float(weights[1] / max(1e-9, weights[0]))
        rates.append(rate)
    rate = max(rates, default=math.nan)
    if rate > 0:
        return min(1 / 3, max(1 / 300, USUAL_RELATIVE_STEP / rate))
    return 1 / 10


def _larger_rate(choices: Choices) -> Change:
    step = choices.step(choices.signals.gen_update)
    factor = 10.0
    if step > 0:
        factor = min(300.0, max(3.0, USUAL_RELATIVE_STEP / step))
    return _first(
        choices.scaled("lr", factor, "a larger learning rate"), otherwise="a learning rate 10 to 100 times larger"
    )


def _weaker_discriminator(choices: Choices) -> Change:
    step, lr, balance = choices.step(choices.signals.gen_update), choices.number("lr"), choices.number("balance")
    if lr and balance and balance > 1 and 0 < step < SLOW_RELATIVE_STEP:
        longer = min(100.0, SLOW_RELATIVE_STEP / step)
        settings: dict[str, object] = {
            "lr": float(f"{lr * longer:.2g}"),
            "balance": float(f"{max(1.0, balance / longer):.2g}"),
        }
        return Change("a larger learning rate of G, which hardly changes, relative to D's", settings)
    factor = min(1 / 4, max(1 / 100, 1 / (choices.number("balance") or 1.0)))
    return _first(
        choices.scaled("balance", factor, "a smaller learning rate of D relative to G's"),
        choices.scaled("n_critic", 0.5, "fewer steps of D for each step of G"),
        choices.chosen("augment", "diffaugment", "augment the images that D sees, which makes its task harder"),
        otherwise="a smaller learning rate of D relative to G's, or fewer steps of D",
    )


def _stronger_discriminator(choices: Choices) -> Change:
    if choices.values.get("balance") == 0:  # D does not learn at all, and no factor changes a zero
        return Change(
            "a learning rate of D above 0", {"balance": usual_settings(choices.signals)["balance"]}, restart=True
        )
    balance = choices.number("balance") or 1.0
    return _first(
        choices.scaled("balance", max(4.0, 1 / balance), "a larger learning rate of D relative to G's"),
        choices.scaled("lr", 1 / 3, "a smaller learning rate"),
        otherwise="a larger learning rate of D relative to G's, or more steps of D",
    )


def _lasting_gradient(choices: Choices) -> Change:
    steady = choices.chosen("loss", "non_saturating", "a loss whose gradient does not vanish where D is confident")
    return steady or _weaker_discriminator(choices)


def _more_variety(choices: Choices) -> Change:
    latent = choices.number("z_dim")
    balance = choices.number("balance") or 1.0
    changes: list[Change | None] = []
    if latent and latent < 16:
        changes.append(choices.chosen("z_dim", 64, "a larger latent, so that more images can differ", restart=True))
    if balance < 0.5:
        changes.append(choices.scaled("balance", 1 / balance, "the same learning rate for D and G", restart=True))
    changes.append(choices.scaled("lr", 1 / 2, "a smaller learning rate, from the start", restart=True))
    otherwise = "start again with a smaller learning rate, and check that the latent reaches G"
    return _first(*changes, otherwise=otherwise, restart=True)


def _harder_to_learn(choices: Choices) -> Change:
    if choices.values.get("augment", "none") == "none":
        text = "augment the images that D sees, so that it cannot memorise them"
        ada, diffaugment = choices.chosen("augment", "ada", text), choices.chosen("augment", "diffaugment", text)
        otherwise = "more images, or augmentation of what D sees"
        # ADA's strength needs hundreds of thousands of images to rise; DiffAugment works from the first step.
        if choices.signals.last("images_seen") > 0.5 * (choices.number("ada_images") or math.inf):
            return _first(ada, diffaugment, otherwise=otherwise)
        return _first(diffaugment, ada, otherwise=otherwise)
    return _first(choices.scaled("balance", 1 / 2, "a smaller learning rate of D"), otherwise="more images")


def _less_oscillation(choices: Choices) -> Change:
    beta1 = choices.number("beta1")
    momentum = None
    if beta1 and beta1 > 0.6:
        momentum = choices.chosen("beta1", 0.5, "less momentum, which makes G and D overshoot")
    return _first(
        momentum,
        choices.scaled("lr", 1 / 3, "a smaller learning rate"),
        otherwise="a learning rate three times smaller, or less momentum",
    )


def _usual_setting(choices: Choices) -> Change:
    """All settings that are at fault, or the one furthest from the presets where none is."""
    blamed = blamed_settings(choices.signals)
    at_fault = [found for confidence, found in blamed if confidence >= REPORTED_CONFIDENCE]
    changed = at_fault or [found for _, found in blamed[:1]]
    if not changed:
        return Change("a larger budget, or another preset or method: `ganvas compare` shows which learns fastest")
    text = "; ".join(map(_back, changed))
    return Change(text, {found.name: found.usual for found in changed}, restart=True)


def _back(found: Unusual) -> str:
    usual = "the value that it chooses itself" if found.usual is None else f"the usual {as_text(found.usual)}"
    less = ", less than any preset has" if found.too_few else ""
    return f"{found.name} is {as_text(found.value)}{less}: back to {usual}"


def _less_augmentation(choices: Choices) -> Change:
    text = "augmentation of a fixed strength, which G does not learn"
    otherwise = "a higher threshold for the strength of the augmentation, or none"
    return _first(choices.chosen("augment", "diffaugment", text, restart=True), otherwise=otherwise, restart=True)


def _full_range(choices: Choices) -> Change:
    text = "save the images with values from 0 (black) to 255 (white): floats from 0 to 1 times 255, then bytes"
    return Change(text, restart=True)


def _without_empty(choices: Choices) -> Change:
    names = _such_as(choices.signals.names_of_odd_images("one_colour"))
    return Change(f"leave out the images of one colour{names}", restart=True)


def _one_range(choices: Choices) -> Change:
    names = _such_as(choices.signals.names_of_odd_images("other_range"))
    return Change(f"scale all images to values from 0 (black) to 255 (white){names}", restart=True)


def _without_copies(choices: Choices) -> Change:
    return Change("keep one of the images that are the same (`ganvas data` counts them)", restart=True)


def _such_as(names: list[str]) -> str:
    return f", such as {', '.join(names)}" if names else ""


def _real_images(choices: Choices) -> Change:
    return Change("check how the images were read or written: look at them with `ganvas data`", restart=True)


def _right_labels(choices: Choices) -> Change:
    text = "check that labels and images are in the same order, or train without labels"
    return choices.chosen("conditional", False, text, restart=True) or Change(text, restart=True)


def _no_mark(choices: Choices) -> Change:
    return Change("cut the mark of the label out of the images", restart=True)


ADVICE: dict[str, Callable[[Choices], Change]] = {
    "bad_data_range": _full_range,
    "noise_images": _real_images,
    "one_colour_images": _without_empty,
    "mixed_ranges": _one_range,
    "repeated_images": _without_copies,
    "unrelated_labels": _right_labels,
    "label_leak": _no_mark,
    "too_little_data": _harder_to_learn,
    "discriminator_overfits": _harder_to_learn,
    "divergence": _smaller_rate,
    "learning_rate_too_high": _smaller_rate,
    "learning_rate_too_low": _larger_rate,
    "stalled": _larger_rate,
    "generator_too_strong": _stronger_discriminator,
    "discriminator_too_strong": _weaker_discriminator,
    "vanishing_generator_gradient": _lasting_gradient,
    "mode_collapse": _more_variety,
    "partial_collapse": _more_variety,
    "oscillation": _less_oscillation,
    "unusual_setting": _usual_setting,
    "augmentation_too_strong": _less_augmentation,
    "not_learned": _usual_setting,
}
