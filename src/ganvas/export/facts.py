"""What an exported model says of itself: one JSON object in the metadata of its file. Read here without torch and onnx."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganvas.draws import KINDS_OF_DRAWS, Draw
from ganvas.errors import DataError
from ganvas.files import parse_json

METADATA_KEY = "ganvas"
"""Of the metadata; the value is the JSON text."""
FORMAT = 1
MAX_FACTS_CHARACTERS = 4 * 2**20  # characters of that text
LARGEST_SIDE = 2**15  # pixels
MOST_NUMBERS = 2**26  # of one latent
IMAGE_PARTS = ("sample", "decode", "translate_ab", "translate_ba", "restore", "stylise")
"""The parts whose result are images."""
EXPORT_PARTS = (*IMAGE_PARTS, "encode")
EXPORT_SUFFIXES = {"onnx": ".onnx", "torch": ".pt2", "page": ".html"}
"""Of what `ganvas export --to` writes."""


@dataclass(frozen=True)
class ModelFacts:
    """An exported part of a trained method: what it takes and gives, and where it comes from."""

    part: str
    """One of EXPORT_PARTS."""
    method: str
    channels: int
    height: int
    width: int
    """Shape of the images of its training."""
    settings: Mapping[str, object] = field(default_factory=dict)
    data: str = ""
    """Name of the training data."""
    licence: str = ""
    """Of the data or the weights, as whoever exported it wrote it."""
    run: str = ""
    weights: str = ""
    """SHA-256 of the run's file of weights."""
    figures: Mapping[str, object] = field(default_factory=dict)
    """Measured figures of the run by name, each with reference and sample count."""
    audit: str = ""
    """The verdict of the run's audit of copies, as `ganvas audit` printed it; "" where none was made of these weights."""
    classes: tuple[str, ...] = ()
    """Names of the classes, where `labels` is an input."""
    class_cuts: tuple[float, ...] = ()
    """The numbers in [0, 1) at which one class ends and the next begins."""
    draws: tuple[Draw, ...] = ()
    """How the latent of a seed is drawn."""
    codes: tuple[tuple[str, str, int, int], ...] = ()
    """(name, kind, start, size) of the parts of the latent that have a meaning."""
    alpha: str = "white"
    multiple: int = 1
    """Height and width of images it takes are multiples of it."""
    fixed_size: bool = False
    """It takes images of `height` x `width` only."""
    scale: int = 1
    """Height and width of restored images over those of the input."""
    degradation: str = ""
    """What it restores: "noise", "resolution" or "holes"."""
    takes_style: bool = False
    output: str = "float32"
    """Of images: "float32", (n, C, H, W) in [-1, 1], or "uint8", (n, H, W, C)."""
    precision: str = "fp32"
    """Of the weights: "fp32", "fp16" or "int8"."""
    difference: float = 0.0
    """The largest difference from torch, measured when it was exported; of uint8 in levels, of codes the share that differs."""
    version: str = ""
    """Of ganvas."""

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, allow_nan=False)

    def with_changes(self, **changes: Any) -> ModelFacts:
        """A copy with other values."""
        return dataclasses.replace(self, **changes)


def facts_from(text: str | None, name: str) -> ModelFacts:
    """What the metadata of the file `name` say. DataError where it is none of ours, or says what cannot be."""
    if text is None:
        raise DataError(
            f"{name} was not written by ganvas export: it does not say what it is. Export it anew from its run"
        )
    if len(text) > MAX_FACTS_CHARACTERS:
        raise DataError(f"{name}: its metadata have {len(text):,} characters, which ganvas export never writes")
    try:
        content = parse_json(text)
        return _checked(content, name)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{name}: its metadata are damaged ({error}). Export it anew from its run") from None


def _checked(content: dict[str, Any], name: str) -> ModelFacts:
    if content.pop("format") != FORMAT:
        raise DataError(f"{name} was written by another version of ganvas: export it anew from its run")
    defaults = {one.name: one for one in dataclasses.fields(ModelFacts)}
    known = {key: value for key, value in content.items() if key in defaults}
    for key in ("classes", "class_cuts"):
        known[key] = tuple(known.get(key, ()))
    known["draws"] = tuple(Draw(**one) for one in known.get("draws", ()))
    known["codes"] = tuple((str(a), str(b), int(c), int(d)) for a, b, c, d in known.get("codes", ()))
    facts = ModelFacts(**known)
    for wrong, expected in _CHECKS.items():
        if not expected(facts):
            raise ValueError(wrong)
    return facts


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _text_fields(facts: ModelFacts) -> bool:
    values = (
        facts.method,
        facts.data,
        facts.licence,
        facts.run,
        facts.weights,
        facts.version,
        facts.audit,
        *facts.classes,
    )
    return all(isinstance(value, str) for value in values)


def _right_draws(facts: ModelFacts) -> bool:
    total = 0
    for draw in facts.draws:
        if draw.kind not in KINDS_OF_DRAWS or not isinstance(draw.size, int) or not 0 <= draw.size <= MOST_NUMBERS:
            return False
        if not all(isinstance(end, int | float) and math.isfinite(end) for end in (draw.low, draw.high)):
            return False
        total += draw.size
    return total <= MOST_NUMBERS and (total > 0 or facts.part != "sample")


_CHECKS: dict[str, Callable[[ModelFacts], bool]] = {
    "part is unknown": lambda facts: facts.part in EXPORT_PARTS,
    "names must be text": _text_fields,
    "the shape cannot be": lambda facts: (
        _whole(facts.channels, 64) and _whole(facts.height, LARGEST_SIDE) and _whole(facts.width, LARGEST_SIDE)
    ),
    "draws cannot be": _right_draws,
    "class_cuts must be numbers in order": lambda facts: (
        all(isinstance(cut, int | float) for cut in facts.class_cuts)
        and list(facts.class_cuts) == sorted(facts.class_cuts)
        and (not facts.class_cuts or len(facts.class_cuts) == len(facts.classes) - 1)
    ),
    "multiple or scale cannot be": lambda facts: _whole(facts.multiple, 2**12) and _whole(facts.scale, 16),
    "alpha is unknown": lambda facts: facts.alpha in ("white", "black", "keep"),
    "output is unknown": lambda facts: facts.output in ("float32", "uint8"),
}
