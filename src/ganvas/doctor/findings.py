"""What a diagnosis is made of: findings with a name, a confidence, evidence in numbers, a meaning, one change and one plot."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypedDict

import numpy as np

from ganvas.settings import as_text

FINDING_MEANINGS = {
    "bad_data_range": "The images use a small part of the range from black to white, so there is almost nothing to learn: "
    "they were probably saved as 0 to 1 instead of 0 to 255.",
    "noise_images": "Neighbouring pixels of the images have nothing to do with each other: the data are noise.",
    "one_colour_images": "Many of the images are of one colour all over: G learns to generate empty images.",
    "mixed_ranges": "The images are of two ranges of values, as if some were scaled and others not.",
    "repeated_images": "Many of the training images are copies of others: G generates what is repeated as often as it occurs.",
    "unrelated_labels": "The labels say nothing of the images: neighbouring images agree in them no more often than by chance.",
    "label_leak": "Some pixels of the training images are decided by the label alone: a mark that G learns to generate, "
    "and by which D may tell images without looking at the rest.",
    "too_little_data": "There are so few different images that D has memorised them.",
    "divergence": "The training diverged: numbers were no longer finite, or the images got much worse than before.",
    "learning_rate_too_high": "The learning rate is so high that weights grow without bound or units die, instead of converging.",
    "learning_rate_too_low": "The learning rate is so low that the weights stay near their initial values.",
    "unusual_setting": "A setting is far from what all presets of the method use: expect worse results than theirs.",
    "augmentation_too_strong": "The augmentation of what D sees is so strong that G learns augmented images, not real ones.",
    "generator_too_strong": "D cannot tell generated images from real ones although they clearly differ: G learns nothing.",
    "vanishing_generator_gradient": "D is so confident that almost no gradient reaches G.",
    "discriminator_too_strong": "D learns so much faster than G that G cannot follow.",
    "mode_collapse": "G generates nearly the same image for every latent.",
    "partial_collapse": "G generates a few kinds of image again and again, and omits the others.",
    "discriminator_overfits": "D has memorised the training images: it classifies unseen real images as generated.",
    "oscillation": "Samples of the same latent keep changing without getting better: G and D oscillate instead of converging.",
    "not_learned": "The budget is used up, and the samples have little of the data.",
    "stalled": "The training makes no progress although the samples are far from the data.",
}
"""Every name that a finding can have, causes before what they bring about."""

FINDINGS = tuple(FINDING_MEANINGS)

NOTE_MEANINGS = {
    "unusual_setting": "A setting is far from what all presets of the method use. No harm is seen.",
    "augmentation_too_strong": "The augmentation of what D sees is near its full strength, where G may learn augmented images. "
    "No harm is seen.",
}
"""What may be a note: what may do harm, in a training whose curves show none."""

Level = Literal["fault", "note"]
"""A fault is something wrong. A note is unusual, and does not make a training ill."""


class ChangeDict(TypedDict):
    """A change in JSON."""

    settings: dict[str, object]
    restart: bool
    change: str


class FindingDict(TypedDict):
    """A finding in JSON."""

    name: str
    level: Level
    confidence: float
    evidence: dict[str, float]
    change: str
    settings: dict[str, object]
    meaning: str
    why: str


class DiagnosisDict(TypedDict):
    """A diagnosis in JSON."""

    healthy: bool | None
    findings: list[FindingDict]
    step: int
    note: str


@dataclass(frozen=True)
class Plot:
    """Curves (name, steps, values) to be drawn over training steps."""

    title: str
    lines: tuple[tuple[str, np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Change:
    """One change to make: settings of the method to put in, or, where no setting helps, what to do."""

    text: str
    settings: dict[str, object] = field(default_factory=dict)
    restart: bool = False
    """True where what was learned so far is not worth keeping."""

    def as_dict(self) -> ChangeDict:
        """Plain values for JSON."""
        return {"settings": self.settings, "restart": self.restart, "change": self.line}

    @property
    def line(self) -> str:
        """ "--set lr=0.0001", or the text where no setting helps."""
        return " ".join(f"--set {key}={_plain(value)}" for key, value in self.settings.items()) or self.text


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or, of level "note", unusual. `confidence` is in (0, 1]."""

    name: str
    confidence: float
    evidence: dict[str, float]
    change: Change
    plot: Plot | None = None
    level: Level = "fault"

    @property
    def meaning(self) -> str:
        """In a sentence or two."""
        return NOTE_MEANINGS[self.name] if self.level == "note" else FINDING_MEANINGS[self.name]

    def as_dict(self) -> FindingDict:
        """Plain values for JSON."""
        return {
            "name": self.name, "level": self.level, "confidence": round(self.confidence, 3), "evidence": self.evidence,
            "change": self.change.line, "settings": self.change.settings, "meaning": self.meaning, "why": self.change.text,
        }  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """`healthy`: no finding is a fault; None where the log holds too little to tell, and `note` says what is missing. Faults
    come before notes."""

    healthy: bool | None
    findings: tuple[Finding, ...]
    step: int
    note: str = ""

    def as_dict(self) -> DiagnosisDict:
        """Plain values for JSON."""
        return {
            "healthy": self.healthy, "findings": [finding.as_dict() for finding in self.findings], "step": self.step,
            "note": self.note,
        }  # fmt: skip

    @property
    def line(self) -> str:
        """One line for a terminal."""
        if self.healthy is None:
            return f"not enough to tell: {self.note}"
        if self.healthy:
            notes = ", ".join(finding.name for finding in self.findings)
            return f"no trouble found (note: {notes})" if notes else "no trouble found"
        first = self.findings[0]
        more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
        return f"{first.name} ({first.confidence:.0%}), try {first.change.line}{more}"


def _plain(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"  # 0.999 must not become 1
    return as_text(value)
