"""One function a finding: the confidence that this is what is wrong, and the numbers that it is based on.

A rule never looks at one loss. It asks for several things that belong together, each as a ramp from 0 (clearly not) to 1 (clearly
so), and is as sure as the least of them; a number that the log does not hold counts as 0. The borders of the ramps were chosen on
the part `tune` of benchmarks/doctor.py, and checked on other trainings (docs/guides/doctor.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganvas.doctor.expected import expected_progress
from ganvas.doctor.signals import LATE_SHARE, Signals
from ganvas.doctor.unusual import Unusual, unusual_settings
from ganvas.figure import distance_figure, read_figures

REPORTED_CONFIDENCE = 0.5  # from here on a finding is reported
GAPS = ("samples/gap", "samples/pixel_gap")
UNTRAINED_GAP = 1.0  # gap of samples that have nothing of the data
EXPLAINED_SHARE = 0.45  # what remains of a finding's confidence where its cause was found
EXPECTED_HARM = 0.6  # confidence where harm is to be expected, and no curve shows it
IMPROVING = 0.95  # of the distance to the data a third of the run before: from here on it improves
ENDING = 0.9  # of the budget


@dataclass(frozen=True)
class Opinion:
    """The result of a rule: confidence in [0, 1], the numbers it is based on, and the curves that show it. `harm_seen` is False
    where it is based on what is to be expected, and no curve shows it: such a finding is a note."""

    confidence: float
    evidence: dict[str, float]
    curves: tuple[str, ...] = ()
    harm_seen: bool = True


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, straight between; falling where `low` is above `high`. NaN is 0."""
    if math.isnan(value):
        return 0.0
    return min(1.0, max(0.0, (value - low) / (high - low)))


# --- what several rules ask for -------------------------------------------------------------------------------------------


def progress(s: Signals) -> float:
    """How much of the way from the untrained samples to the data is done: 0 none, 1 all; the mean of what features and pixels
    say. Without health rows, from the distance of what the method was given, or else the first one measured, to the last. NaN
    where neither is known."""
    ways: list[float] = []
    for key in GAPS:
        before, now = untrained(s, key), s.late(key)
        if before > 0 and not math.isnan(now):
            ways.append(1 - now / before)
    if ways:
        return max(-1.0, sum(ways) / len(ways))

    distances = _distances(s)
    if len(distances) > 1 and distances[0] > 0:
        return 1 - distances[-1] / distances[0]
    return math.nan


def _distances(s: Signals) -> list[float]:
    """How far the evaluations found the samples from the data, all by one figure; those that lack it are left out. First, where
    images are made from images, how far those are from the data by themselves."""
    evaluations = [read_figures(row.get("metrics")) for row in s.evaluated]
    names = [name for figures in evaluations if (name := distance_figure(figures)) is not None]
    if not names:
        return []
    name = max(names, key=names.count)
    found = [figures[name] for figures in evaluations if name in figures]
    given = [figure.input for figure in found[:1] if figure.input is not None]
    return given + [figure.value for figure in found]


def regress(s: Signals) -> float:
    """The distance from the data now, over the smallest that it was before. A gap of 0.02 is as good as none."""
    values = s.curve("samples/pixel_gap")[1]
    before = values[: len(values) - max(1, round(len(values) * LATE_SHARE))]
    if not len(before):
        return math.nan
    return min(s.late("samples/pixel_gap"), float(values[-1])) / max(0.02, float(before.min()))


def left(s: Signals) -> float:
    """Share of the way that is still to go, by pixels."""
    return s.late("samples/pixel_gap") / max(1e-9, untrained(s, "samples/pixel_gap"))


def untrained(s: Signals, key: str) -> float:
    """The gap of samples before any training; a guess where the run began with another's weights. NaN where it is not known."""
    if s.last("taken_over") > 0:
        return max(UNTRAINED_GAP, s.first(key))
    return s.first(key)


def distance_moved(s: Signals, update: str | None) -> float:
    """How far an update's weights may have gone, in units of their own norm: relative step times steps."""
    return s.middle(f"{update}/step") * s.steps


def step_ratio(s: Signals) -> float:
    """Relative step of D over that of G."""
    steps = s.middle(f"{s.gen_update}/step")
    return s.middle(f"{s.disc_update}/step") / steps if steps > 0 else math.nan


def apart(s: Signals) -> float:
    """Share of (unseen real, fake) pairs that D tells apart; of training images where nothing is held out."""
    for key in ("logits/held_apart", "logits/apart", f"{s.disc_update}/accuracy"):
        if len(s.curve(key)[1]):
            return s.late(key)
    return math.nan


def growth(s: Signals) -> float:
    """Norm of the weights now over that at the start, of the network that grew most; NaN where it is not known."""
    growths: list[float] = []
    for key in s.newest_health:
        if key.endswith("/weights"):
            growths.append(s.last(key) / max(1e-9, s.first(key)))
    return max(growths, default=math.nan)


def blow_up(s: Signals, update: str | None) -> float:
    """By how many powers of ten the size of a loss grew from its first third to its last."""
    sizes = abs(s.curve(f"{update}/loss")[1])
    third = len(sizes) // 3
    if not third:
        return math.nan
    early, now = sorted(sizes[:third])[third // 2], sorted(sizes[-third:])[third // 2]
    return math.log10(max(1e-9, now) / max(1e-3, early))


def improving(s: Signals) -> bool:
    """Whether the samples still get nearer to the data: the last third of a curve lies below the third before."""
    for key in GAPS:
        values = s.curve(key)[1][1:]
        third = len(values) // 3
        if third and np.median(values[-third:]) < IMPROVING * np.median(values[-2 * third : -third]):
            return True
    return False


def harm(s: Signals) -> float:
    """How sure it is that a training goes badly. That it has not got far says so only where it does not improve, or at the end
    of its budget: by itself, or less than healthy trainings of the method in as many steps."""
    early = s.last("progress") < ENDING and improving(s)
    poor = (
        0.0 if early else max(ramp(progress(s), 0.5, 0.25), ramp(s.coverage, 0.3, 0.1), ramp(shortfall(s), 0.05, 0.15))
    )
    worse = min(ramp(regress(s), 1.6, 2.6), ramp(left(s), 0.15, 0.3))
    return max(poor, worse, ramp(float(s.non_finite), 0, 1))


def shortfall(s: Signals) -> float:
    """By how much less far a training got than the least that healthy ones of its method had reached after as many steps."""
    return expected_progress(s) - progress(s)


def overshoot(s: Signals, update: str | None) -> float:
    """Share of trial steps after which the loss on the same batch was higher than before."""
    changes = s.curve(f"{update}/change")[1]
    return float((changes > 0).mean()) if len(changes) >= 3 else math.nan


# --- the rules ------------------------------------------------------------------------------------------------------------


def bad_data_range(s: Signals) -> Opinion:
    channels = s.channels
    if channels:
        width = max(float(channel["max"]) - float(channel["min"]) for channel in channels)
        spread = max(float(channel["std"]) for channel in channels)
    else:
        width = (s.last("reference/high") - s.last("reference/low")) * 127.5
        spread = s.last("reference/std") * 127.5
    evidence = {"range in bytes": width, "standard deviation in bytes": spread}
    confidence = ramp(width, 64, 8) if width < 64 else ramp(spread, 3, 1)
    return Opinion(confidence, evidence, ("samples/std", "reference/std"))


def noise_images(s: Signals) -> Opinion:
    correlation = s.fact("neighbour_correlation")
    return Opinion(ramp(abs(correlation), 0.09, 0.03), {"correlation of neighbouring pixels": correlation})


def one_colour_images(s: Signals) -> Opinion:
    share = s.odd_images("one_colour") / s.all_images
    return Opinion(ramp(share, 0.03, 0.1), {"share of images of one colour": share})


def mixed_ranges(s: Signals) -> Opinion:
    share = s.odd_images("other_range") / s.all_images
    return Opinion(ramp(share, 0.03, 0.1), {"share of images of another range": share})


def repeated_images(s: Signals) -> Opinion:
    share = 1 - s.different_images / s.images
    enough = ramp(math.log10(s.different_images), 2.4, 3.0)  # fewer are too few, repeated or not
    return Opinion(min(ramp(share, 0.1, 0.3), enough), {"share of training images that equal an earlier one": share})


def unrelated_labels(s: Signals) -> Opinion:
    agreement = s.last("data/labels_above_chance")
    evidence = {"standard errors above chance": agreement}
    return Opinion(min(ramp(agreement, 4, 2), ramp(s.last("classes"), 1, 2)), evidence)


def label_leak(s: Signals) -> Opinion:
    decided = s.last("data/label_leak")
    evidence = {"share of a pixel's variance explained by the label": decided}
    return Opinion(ramp(decided, 0.8, 0.95), evidence, ("data/label_leak",))


def too_little_data(s: Signals) -> Opinion:
    few = ramp(math.log10(s.different_images), 3.8, 3.0)
    fewer = ramp(math.log10(s.different_images), 3.0, 2.4)
    seen = ramp(s.epochs, 3, 10)
    evidence = {
        "training images": s.images,
        "different ones": s.different_images,
        "epochs": s.epochs,
        "logits/overfit": s.late("logits/overfit"),
    }
    confidence = max(min(fewer, seen), min(few, seen, discriminator_overfits(s).confidence))
    return Opinion(confidence, evidence, ("logits/overfit",))


def discriminator_overfits(s: Signals) -> Opinion:
    distinguished = s.late("logits/overfit")
    held_out = s.count("test")
    if math.isnan(held_out):
        held_out = 128.0
    n, m = min(128.0, s.images), min(128.0, held_out)
    noise = math.sqrt((n + m + 1) / (12 * n * m))  # of a share of pairs, where there is nothing to find
    evidence = {
        "pairs (training, unseen) distinguished": distinguished, "chance": 0.5, "standard error": noise,
        "coverage over the reference": s.coverage,
    }  # fmt: skip
    # Where samples cover the held-out images as real ones do, D's memory has done no harm.
    harm = 1.0 if math.isnan(s.coverage) else ramp(s.coverage, 0.95, 0.85)
    confidence = min(ramp(distinguished, 0.58, 0.7), ramp((distinguished - 0.5) / noise, 1.5, 3), harm)
    return Opinion(confidence, evidence, ("logits/overfit",))


def divergence(s: Signals) -> Opinion:
    broken = float(s.non_finite)
    finite = s.last("samples/finite")
    worse = min(ramp(regress(s), 1.6, 2.6), ramp(left(s), 0.25, 0.45))
    # A critic's loss may grow a thousandfold from its first small values in a healthy run, not this much with nothing learned.
    blown = max(_or_zero(blow_up(s, s.gen_update)), _or_zero(blow_up(s, s.disc_update)))
    useless = 0.7 if math.isnan(progress(s)) else ramp(progress(s), 0.5, 0.2)
    evidence = {
        "updates with NaN": broken, "pixel gap now over its best": regress(s), "finite samples": finite,
        "growth of a loss in powers of ten": blown,
    }  # fmt: skip
    confidence = max(0.9 * ramp(broken, 0, 1), ramp(finite, 1, 0.99), worse, min(ramp(blown, 3, 5), useless))
    return Opinion(confidence, evidence, ("samples/pixel_gap", f"{s.disc_update}/loss"))


def learning_rate_too_high(s: Signals) -> Opinion:
    most = growth(s)
    step = max(s.middle(f"{update}/step") for update in (s.gen_update, s.disc_update))
    big = max(ramp(most, 3, 6), ramp(step, 0.06, 0.15))
    rises = max(_or_zero(overshoot(s, s.gen_update)), _or_zero(overshoot(s, s.disc_update)))
    dead = s.late("G/dead")
    harm = max(
        ramp(dead, 0.1, 0.4), ramp(rises, 0.4, 0.8), ramp(float(s.non_finite), 0, 1), ramp(progress(s), 0.5, 0.2),
        min(ramp(regress(s), 1.6, 2.6), ramp(left(s), 0.15, 0.3)),
    )  # fmt: skip
    evidence = {
        "weights now over weights at the start": most, "relative step": step, "dead units of G": dead,
        "steps that increased their own loss": rises,
    }  # fmt: skip
    return Opinion(min(big, harm), evidence, ("G/weights", "D/weights"))


def learning_rate_too_low(s: Signals) -> Opinion:
    way = max(distance_moved(s, s.gen_update), distance_moved(s, s.disc_update))
    evidence = {
        "distance of the weights over their norm": way,
        "relative step": s.middle(f"{s.gen_update}/step"),
        "progress": progress(s),
    }
    # Only where D and G take steps of similar length; otherwise their balance is the matter.
    unevenness = abs(math.log(step_ratio(s))) if step_ratio(s) > 0 else math.nan
    even = ramp(unevenness, math.log(16), math.log(6))
    confidence = min(ramp(way, 0.15, 0.06), ramp(progress(s), 0.5, 0.25), ramp(float(s.steps), 50, 100), even)
    return Opinion(confidence, evidence, (f"{s.gen_update}/step", f"{s.disc_update}/step"))


def generator_too_strong(s: Signals) -> Opinion:
    evidence = {"pairs (real, fake) that D distinguishes": apart(s), "gap to the data": s.late("samples/gap")}
    far = max(ramp(s.late("samples/gap"), 0.2, 0.5), ramp(s.late("samples/pixel_gap"), 0.2, 0.5))
    return Opinion(min(ramp(apart(s), 0.7, 0.55), far), evidence, ("logits/held_apart", "logits/apart"))


def vanishing_generator_gradient(s: Signals) -> Opinion:
    norms = s.curve(f"{s.gen_update}/gradient_norm")[1]
    now, peak = s.late(f"{s.gen_update}/gradient_norm"), float(max(norms, default=math.nan))
    fall = _powers(peak, now)
    # Where the log begins too late to have seen it fall: against the weights, which are of the order of 10.
    network = s.newest_health.get(f"{s.gen_update}/trains")
    faint = _powers(s.last(f"{network}/weights"), now)
    evidence = {
        "gradient norm of G": now,
        "its maximum": peak,
        "pairs (real, fake) that D distinguishes": apart(s),
        "progress": progress(s),
    }
    gone = max(ramp(fall, 1.5, 3), ramp(faint, 4.5, 6))
    useless = 0.7 if math.isnan(progress(s)) else ramp(progress(s), 0.7, 0.5)
    return Opinion(min(gone, ramp(apart(s), 0.9, 0.98), useless), evidence, (f"{s.gen_update}/gradient_norm",))


def discriminator_too_strong(s: Signals) -> Opinion:
    margin = s.late("logits/margin")
    evidence = {
        "pairs (real, fake) that D distinguishes": apart(s),
        "margin in standard deviations": margin,
        "step of D over step of G": step_ratio(s),
        "progress": progress(s),
    }
    # A wide margin or a quick D alone may do no harm; both together need less of each.
    ahead = max(ramp(margin, 12, 20), ramp(step_ratio(s), 4, 8), ramp(margin * step_ratio(s), 15, 35))
    return Opinion(min(ahead, ramp(apart(s), 0.97, 0.995), ramp(progress(s), 0.6, 0.35)), evidence, ("logits/margin",))


def mode_collapse(s: Signals) -> Opinion:
    seen, pixels, near_duplicates = (
        s.late("samples/diversity"),
        s.late("samples/pixel_diversity"),
        s.late("samples/near_duplicates"),
    )
    evidence = {
        "diversity over the data's": seen,
        "diversity in pixels": pixels,
        "samples with a near-duplicate": near_duplicates,
    }
    variety = max(seen, pixels)
    confidence = min(
        ramp(variety, 0.3, 0.12),
        ramp(near_duplicates, 0.5, 0.9),
        max(ramp(variety, 0.03, 0.01), repeats(s), trained_long(s)),
    )
    return Opinion(confidence, evidence, ("samples/diversity", "samples/pixel_diversity"))


def partial_collapse(s: Signals) -> Opinion:
    near_duplicates, modes = s.late("samples/near_duplicates"), s.ratio("samples/modes", "reference/modes")
    evidence = {
        "samples with a near-duplicate": near_duplicates, "kinds of image over the data's": modes,
        "nearest other sample, over real images'": s.late("samples/nearest"),
    }  # fmt: skip
    variety = max(s.late("samples/diversity"), s.late("samples/pixel_diversity"))
    missing = min(ramp(modes, 0.5, 0.3), ramp(progress(s), 0.75, 0.9), trained_long(s))
    again = min(ramp(near_duplicates, 0.2, 0.5), ramp(variety, 0.1, 0.2), max(repeats(s), trained_long(s)))
    return Opinion(max(again, missing), evidence, ("samples/near_duplicates", "samples/modes"))


def repeats(s: Signals) -> float:
    """Are samples of different noise the same image, not only like each other, as the vague ones of a young G are?"""
    return ramp(s.late("samples/nearest") / max(1e-6, s.late("samples/pixel_diversity")), 0.06, 0.02)


def trained_long(s: Signals) -> float:
    """Has it trained long enough for variety?"""
    return min(ramp(s.epochs, 5, 15), ramp(progress(s), 0.4, 0.6))


def oscillation(s: Signals) -> Opinion:
    moved, back = s.late("samples/drift"), s.late("samples/drift_back")
    evidence = {
        "drift of samples over their spread": moved,
        "pixel gap now over its best": regress(s),
        "progress": progress(s),
    }
    circles = min(ramp(moved, 0.8, 1.5), ramp(back, 1.6, 1.4))
    no_better = max(ramp(progress(s), 0.6, 0.35), min(ramp(regress(s), 1.5, 2.5), ramp(left(s), 0.15, 0.3)))
    return Opinion(min(circles, no_better), evidence, ("samples/drift", "samples/pixel_gap"))


def augmentation_too_strong(s: Signals) -> Opinion:
    strength = s.late(f"{s.disc_update}/augment_p")
    evidence = {
        "strength of the augmentation": strength, "progress": progress(s),
        "progress of healthy trainings by then": expected_progress(s),
    }  # fmt: skip
    # Karras 2020 (fig. 2): above 0.8 G begins to generate what only augmented images have.
    confidence, harmed = EXPECTED_HARM * ramp(strength, 0.8, 0.95), harm(s) >= REPORTED_CONFIDENCE
    return Opinion(confidence, evidence, (f"{s.disc_update}/augment_p",), harmed)


def unusual_setting(s: Signals) -> Opinion:
    blamed = blamed_settings(s)
    if not blamed:
        return Opinion(0.0, {})
    confidence, found = blamed[0]
    evidence = {
        found.name: found.size, "powers of ten from the presets": found.powers, "progress": progress(s),
        "progress of healthy trainings by then": expected_progress(s),
    }  # fmt: skip
    harmed = min(ramp(found.powers, 0.6, 1.0), harm(s)) >= REPORTED_CONFIDENCE
    return Opinion(confidence, evidence, GAPS, harmed)


def blamed_settings(s: Signals) -> list[tuple[float, Unusual]]:
    """How sure it is that a setting far from the presets is at fault, or worth a note, and the setting; the surest first, then
    the furthest.

    Any of them where the training goes badly. Where it does not, counts of an eighth of what every preset has, or less, and
    fractions of another order: the curves of one training do not show what another one would have reached.
    """
    harmed = harm(s)
    blamed: list[tuple[float, Unusual]] = []
    for found in unusual_settings(s):
        confidence = min(ramp(found.powers, 0.6, 1.0), harmed)
        if found.too_few:
            confidence = max(confidence, EXPECTED_HARM * ramp(10**found.powers, 6, 8))
        elif found.is_fraction:
            confidence = max(confidence, EXPECTED_HARM * ramp(found.powers, 1.0, 1.5))
        blamed.append((confidence, found))
    return sorted(blamed, key=lambda pair: (-pair[0], -pair[1].powers))


def not_learned(s: Signals) -> Opinion:
    evidence = {
        "coverage over the reference": s.coverage,
        "progress": progress(s),
        "share of the budget": s.last("progress"),
    }
    poor = ramp(progress(s), 0.3, 0.1) if math.isnan(s.coverage) else ramp(s.coverage, 0.1, 0.03)
    return Opinion(min(ramp(s.last("progress"), 0.9, 0.99), poor), evidence, GAPS)


def stalled(s: Signals) -> Opinion:
    moved = s.middle("samples/drift")
    evidence = {
        "drift of samples over their spread": moved,
        "progress": progress(s),
        "relative step": s.middle(f"{s.gen_update}/step"),
    }
    far = min(ramp(left(s), 0.1, 0.3), ramp(progress(s), 0.9, 0.7))
    return Opinion(min(ramp(moved, 0.06, 0.02), far), evidence, ("samples/drift",))


def _powers(large: float, small: float) -> float:
    """By how many powers of ten one number is larger than another; NaN where one is not known."""
    if math.isnan(large) or math.isnan(small) or large <= 0:
        return math.nan
    return math.log10(large / small) if small > 0 else math.inf


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


RULES: dict[str, Callable[[Signals], Opinion]] = {
    rule.__name__: rule
    for rule in (
        bad_data_range, noise_images, one_colour_images, mixed_ranges, repeated_images, unrelated_labels, label_leak,
        too_little_data, divergence, learning_rate_too_high, learning_rate_too_low,
        generator_too_strong, vanishing_generator_gradient, discriminator_too_strong, mode_collapse, partial_collapse,
        discriminator_overfits, oscillation, unusual_setting, augmentation_too_strong, not_learned, stalled,
    )
}  # fmt: skip

ALL_FINDINGS = tuple(RULES)
OF_THE_DATA: tuple[str, ...] = (
    "bad_data_range",
    "noise_images",
    "one_colour_images",
    "mixed_ranges",
    "repeated_images",
    "unrelated_labels",
    "label_leak",
)
"""What is seen in the data alone, however short the training."""
BRINGS_ABOUT: dict[str, Sequence[str]] = {
    "bad_data_range": ALL_FINDINGS,
    "noise_images": ALL_FINDINGS,
    "one_colour_images": ALL_FINDINGS,
    "mixed_ranges": ALL_FINDINGS,
    "repeated_images": ("discriminator_overfits", "mode_collapse", "partial_collapse"),
    "label_leak": ("discriminator_too_strong", "discriminator_overfits"),
    "too_little_data": ("discriminator_overfits", "discriminator_too_strong", "partial_collapse", "stalled"),
    "learning_rate_too_high": (
        "divergence", "oscillation", "mode_collapse", "partial_collapse", "stalled", "discriminator_too_strong",
        "vanishing_generator_gradient", "generator_too_strong", "discriminator_overfits",
    ),
    "unusual_setting": (
        "divergence", "oscillation", "mode_collapse", "partial_collapse", "stalled", "discriminator_too_strong",
        "vanishing_generator_gradient", "generator_too_strong", "discriminator_overfits", "augmentation_too_strong",
    ),
    "augmentation_too_strong": ("generator_too_strong", "partial_collapse", "oscillation"),
    "divergence": (
        "oscillation", "mode_collapse", "partial_collapse", "stalled", "discriminator_too_strong",
        "vanishing_generator_gradient", "generator_too_strong",
    ),
    "learning_rate_too_low": (
        "stalled", "mode_collapse", "partial_collapse", "discriminator_too_strong", "generator_too_strong", "oscillation",
    ),
    "generator_too_strong": ("mode_collapse", "partial_collapse", "oscillation", "stalled"),
    "vanishing_generator_gradient": ("discriminator_too_strong", "mode_collapse", "partial_collapse", "stalled", "oscillation"),
    "stalled": ("discriminator_too_strong", "mode_collapse", "partial_collapse", "oscillation"),
    "discriminator_too_strong": ("mode_collapse", "partial_collapse", "stalled", "oscillation"),
    "mode_collapse": ("partial_collapse", "oscillation", "stalled", "discriminator_too_strong"),
    "partial_collapse": ("oscillation", "stalled"),
}  # fmt: skip
"""What a cause explains: beside it, its effects are reported only where they are sure by themselves."""


for _name in ALL_FINDINGS:
    if _name != "not_learned":
        BRINGS_ABOUT[_name] = (*BRINGS_ABOUT.get(_name, ()), "not_learned")


def opinions(s: Signals) -> dict[str, Opinion]:
    """The opinion of every rule, effects toned down beside their causes, the surest first."""
    opinions = {name: rule(s) for name, rule in RULES.items()}
    for name, opinion in opinions.items():
        effects = [opinions[effect] for effect in BRINGS_ABOUT.get(name, ())]
        if any(effect.harm_seen and effect.confidence >= REPORTED_CONFIDENCE for effect in effects):
            opinions[name] = replace(opinion, harm_seen=True)  # what it may bring about is there

    # A cause that is sure tones down what it brings about.
    weight = dict.fromkeys(opinions, 1.0)
    for cause, effects in BRINGS_ABOUT.items():
        if opinions[cause].confidence * weight[cause] < REPORTED_CONFIDENCE:
            continue
        for effect in effects:
            if effect != cause:
                weight[effect] *= EXPLAINED_SHARE

    final: list[tuple[str, Opinion]] = []
    for name, opinion in opinions.items():
        final.append((name, replace(opinion, confidence=opinion.confidence * weight[name])))
    return dict(sorted(final, key=lambda pair: -pair[1].confidence))
