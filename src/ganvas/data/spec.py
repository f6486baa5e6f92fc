"""What a method may know about the data. Apart from Batch, so that a data card needs no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ganvas.files import JsonObject

Facts = Mapping[str, Any]
"""JSON values by name: what is known of a data set beside its shape, as it goes onto the data card."""
Card = JsonObject
"""A data card, or a part of it: JSON values by name."""

ALPHA = ("white", "black", "keep")  # what becomes of transparent pixels
UNIT_OF_KIND = {
    "images": "images",
    "audio": "clips",
    "text": "tokens",
    "parallel_text": "pairs",
    "video": "videos",
    "volumes": "volumes",
}  # what is counted, by kind (see KINDS)


@dataclasses.dataclass(frozen=True)
class Window:
    """What a row of a batch of text holds: the `tokens` that it predicts, and the one before them. Other kinds ignore it."""

    tokens: int = 0
    from_lines: bool = False
    """Rows begin where a line does, in random order; the token before is the end of the previous line. Otherwise a row continues
    where the row of the last batch ended."""


@dataclasses.dataclass(frozen=True)
class AudioFacts:
    """Of sound: `rate` is samples a second."""

    rate: int = 0


@dataclasses.dataclass(frozen=True)
class TextFacts:
    """Of text: `tokens` by their numbers; `merges` are the pairs of which byte-pair tokens consist, in order."""

    tokens: tuple[str, ...] = ()
    merges: tuple[tuple[int, int], ...] = ()

    @property
    def first(self) -> int:
        """The token after which a text begins: the end of a line; where there are no lines, a blank."""
        for token in ("\n", " "):
            if token in self.tokens:
                return self.tokens.index(token)
        return 0


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """Of clips: how many `frames`, at `rate` frames a second."""

    frames: int = 0
    rate: float = 0.0


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Shape and facts of a data set; never the images themselves.

    `total_variance` is the mean squared distance of a training image from the mean image, pixels in [-1, 1], summed over all
    C*H*W values: the data's own scale for gradient penalties. `class_counts` are the training images of each of `classes`.
    `label_agreement` is how often the nearest other image has the same label, 0 as by chance and 1 always; None where it is
    unknown.
    `paired`: a training batch has the partner of each image; `unpaired`: it has partners, drawn in an order of their own.
    `alpha` is the setting data.alpha: what shows through transparent pixels of images, or keep.
    `kind` is what an example is; a method says in `takes` which kinds it learns from. Facts of one kind only stand in a field of
    its name.

    images   (C, H, W) in [-1, 1]
    audio    (1, L) in [-1, 1], mono; here channels = height = 1, width = L
    video    (C, T, H, W) in [-1, 1]; channels, height and width are those of a frame
    volumes  (D, H, W) in [-1, 1], 1 inside; here channels = D
    text     token numbers, one long row; here channels = height = width = 1, `count` is of tokens
    parallel_text  token numbers of sentences (S,), their translations as partners (T,); channels = height = width = 1
    """

    name: str
    channels: int
    height: int
    width: int
    count: int
    classes: tuple[str, ...] = ()
    paired: bool = False
    total_variance: float = 0.0
    class_counts: tuple[int, ...] = ()
    label_agreement: float | None = None
    kind: str = "images"
    unpaired: bool = False
    audio: AudioFacts = AudioFacts()
    text: TextFacts = TextFacts()
    alpha: str = "white"
    video: VideoFacts = VideoFacts()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """A spec from settings.json; TypeError, ValueError or KeyError where that does not describe data."""
        fields = dict(values)
        if fields.get("kind", "images") not in UNIT_OF_KIND:
            raise ValueError(f"kind must be one of {', '.join(UNIT_OF_KIND)} (got {fields['kind']!r})")
        if fields.get("alpha", "white") not in ALPHA:
            raise ValueError(f"alpha must be one of {', '.join(ALPHA)} (got {fields['alpha']!r})")
        for name in ("channels", "height", "width"):
            if type(fields.get(name)) is not int or fields[name] < 1:
                raise ValueError(f"{name} must be an integer of 1 or more (got {fields.get(name)!r})")
        for name in ("classes", "class_counts"):
            fields[name] = tuple(fields.get(name, ()))
        if not all(isinstance(one, str) for one in (fields.get("name"), *fields["classes"])):
            raise TypeError("name and classes must be text")
        audio, text = fields.get("audio", {}), fields.get("text", {})
        merges = tuple((int(a), int(b)) for a, b in text.get("merges", ()))
        fields["audio"] = AudioFacts(audio.get("rate", 0))
        video = fields.get("video", {})
        fields["video"] = VideoFacts(int(video.get("frames", 0)), float(video.get("rate", 0)))
        fields["text"] = TextFacts(tuple(text.get("tokens", ())), merges)
        return cls(**fields)

    @property
    def unit(self) -> str:
        """What is counted: "images", "clips", "tokens", "pairs" or "volumes"."""
        return UNIT_OF_KIND[self.kind]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.channels, self.height, self.width
