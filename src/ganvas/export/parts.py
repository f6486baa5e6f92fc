"""What of a trained method can be exported: one part for each of its abilities, as a module whose batch and size are free.

A part has the inputs it is traced with and others, of another batch and size, that the exported file is checked with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.abilities import Encodes, Iteration, Restores, Samples, Stylises, Tokenizes, Translates, class_cuts
from ganvas.data.kinds import KINDS
from ganvas.errors import RunError, UsageError, nearest
from ganvas.method import Method

TRACED, CHECKED = 4, (3, 7)  # images of the traced batch, and of the checks
TRACED_SIDES = (
    (40, 24),
    (24, 48),
)  # about, in pixels: height and width of what is traced and checked where the size is free
STRENGTH = 0.75
Inputs = tuple[Tensor, ...]
Free = dict[int, str]  # the free axes of an input or output, by number, and what they count


@dataclass(frozen=True)
class Part:
    """One function of a trained method."""

    name: str
    """ "sample", "encode", "decode", "translate_ab", "translate_ba", "restore" or "stylise"."""
    module: nn.Module
    inputs: dict[str, Free]
    """Names of the inputs and their free axes."""
    output: str
    """Name of the output."""
    traced: Inputs
    checks: tuple[Inputs, ...]
    """Inputs to compare with torch."""
    expected: Callable[..., Tensor]
    """What the method itself gives for the inputs."""
    iteration: Iteration | None = None
    """Set where `module` is a single step: inputs state, number, labels."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Fields of ModelFacts."""


class Function(nn.Module):
    """A method's function as a module, with its weights."""

    def __init__(self, method: nn.Module, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.method = method
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def parts_of(method: Method, size: tuple[int, int] | None = None) -> list[Part]:
    """All parts of a method that is built and in eval mode. `size` (H, W) is for parts whose size cannot be free.

    RunError where it has none, or where one file cannot hold it, with the reason.
    """
    if isinstance(method, Samples) and method.value_by_value:
        raise RunError(
            f"{method.name} samples value by value, each from those before it: an exported network would be called once for each"
            f" value, which is slower than ganvas itself. Generate with: ganvas sample RUN"
        )
    if not KINDS[method.spec.kind].is_image:
        raise RunError(
            f"{method.name} makes {KINDS[method.spec.kind].samples}, and exports are of images only."
            " Generate with: ganvas sample RUN"
        )
    parts: list[Part] = []
    if isinstance(method, Samples):
        parts.append(_sample(method))
    if isinstance(method, Encodes):
        parts.append(_encode(method))
    if isinstance(method, Tokenizes):
        parts += _codes(method)
    if isinstance(method, Translates):
        parts += [_translate(method, direction) for direction in method.directions()]
    if isinstance(method, Restores):
        parts.append(_restore(method, size))
    if isinstance(method, Stylises):
        parts.append(_stylise(method))
    if not parts:
        raise RunError(f"{method.name} neither samples, encodes, translates, restores nor stylises images")
    if size is not None and not any(part.facts.get("fixed_size") for part in parts):
        raise UsageError("the size is free in this export: omit --size")
    return parts


def part_named(parts: Sequence[Part], name: str) -> Part:
    """One of the parts. UsageError where there is no such part."""
    for part in parts:
        if part.name == name:
            return part
    names = [part.name for part in parts]
    raise UsageError(f"there is no part {name}{nearest(name, names)} (this run has: {', '.join(names)})")


def _sample(method: Samples) -> Part:
    shares = method.class_shares()
    batches: list[Inputs] = []
    for n in (TRACED, *CHECKED):
        latents, labels = method.latents(range(n)), method.labels(range(n))
        batches.append((latents,) if labels is None else (latents, labels))
    inputs: dict[str, Free] = {"latents": {0: "n"}}
    codes = tuple((code.name, code.kind, code.start, code.size) for code in method.codes())
    facts: dict[str, Any] = {"draws": method.draws(), "codes": codes}
    if shares is not None:
        inputs["labels"] = {0: "n"}
        facts["class_cuts"] = tuple(class_cuts(shares.cpu()).tolist())
        facts["classes"] = method.spec.classes
    iteration, traced = method.iteration(), batches[0]
    module = Function(method, method.generate)
    if iteration is not None:
        traced = (iteration.first_state(traced[0]), torch.tensor(0), *traced[1:])
        step = iteration.step

        def one_step(state: Tensor, number: Tensor, labels: Tensor | None = None) -> Tensor:
            return step(state, number, labels)

        module = Function(method, one_step)
    return Part(
        "sample", module, inputs, "images", traced, tuple(batches[1:]), method.generate, iteration, facts
    )  # fmt: skip


def _encode(method: Encodes) -> Part:
    shape = method.spec.shape
    batches = [(_examples(n, *shape),) for n in (TRACED, *CHECKED)]
    module = Function(method, method.encode)
    return Part("encode", module, {"images": {0: "n"}}, "latents", batches[0], tuple(batches[1:]), method.encode)


def _codes(method: Tokenizes) -> list[Part]:
    shape = method.spec.shape
    images = [(_examples(n, *shape),) for n in (TRACED, *CHECKED)]
    codes = [(method.to_codes(*batch),) for batch in images]
    to, back = Function(method, method.to_codes), Function(method, method.from_codes)
    encode = Part("encode", to, {"images": {0: "n"}}, "codes", images[0], tuple(images[1:]), method.to_codes)
    decode = Part("decode", back, {"codes": {0: "n"}}, "images", codes[0], tuple(codes[1:]), method.from_codes)
    return [encode, decode]


def _translate(method: Translates, direction: str) -> Part:
    def translated(images: Tensor) -> Tensor:
        return method.translate(images, direction).float().clamp(-1, 1)

    batches = [(images,) for images in _images(method.spec.channels, method.multiple())]
    free = {0: "n", 2: "height", 3: "width"}
    return Part(
        f"translate_{direction}", Function(method, translated), {"images": free}, "translated", batches[0], tuple(batches[1:]),
        translated, facts={"multiple": method.multiple()},
    )  # fmt: skip


def _restore(method: Restores, size: tuple[int, int] | None) -> Part:
    about = method.restoration()
    if about.answers or not about.multiple:
        raise RunError(f"{method.name} draws at random while it restores, which no single pass of a network does")
    multiple = about.multiple
    if about.by_size:
        height, width = size or (method.spec.height, method.spec.width)
        height, width = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        images = [_examples(n, method.spec.channels, height, width) for n in (TRACED, *CHECKED)]
        free = {0: "n"}
        facts: dict[str, Any] = {"fixed_size": True, "height": height, "width": width}
    else:
        images, facts = _images(method.spec.channels, multiple), {}
        free = {0: "n", 2: "height", 3: "width"}
    batches: list[Inputs] = [(image,) for image in images]
    inputs = {"degraded": free}
    if about.degradation == "holes":
        batches = [(image, _hole(image)) for image in images]
        inputs["mask"] = free
    facts.update(multiple=multiple, scale=about.scale, degradation=about.degradation)
    return Part(
        "restore", Function(method, method.restore_batch), inputs, "restored", batches[0], tuple(batches[1:]),
        method.restore_batch, facts=facts,
    )  # fmt: skip


def _stylise(method: Stylises) -> Part:
    multiple = method.multiple()
    images = _images(method.spec.channels, multiple)
    free = {0: "n", 2: "height", 3: "width"}
    inputs: dict[str, Free] = {"content": free}
    styles = [_examples(1, method.spec.channels, *size) for size in ((33, 41), (61, 29), (35, 35))]
    takes_style = _takes_style(method, images[0], styles[0])
    if takes_style:
        inputs["style"] = {2: "style_height", 3: "style_width"}
    inputs["strength"] = {}

    def stylised(content: Tensor, *others: Tensor) -> Tensor:
        style, strength = (others[0], others[1]) if takes_style else (None, others[0])
        return method.stylise(content, style, strength=strength).clamp(-1, 1)  # pyright: ignore[reportArgumentType]

    batches: list[Inputs] = []
    for content, style in zip(images, styles, strict=True):
        given = (style,) if takes_style else ()
        batches.append((content, *given, torch.tensor(STRENGTH)))
    return Part(
        "stylise", Function(method, stylised), inputs, "stylised", batches[0], tuple(batches[1:]), stylised,
        facts={"multiple": multiple, "takes_style": takes_style},
    )  # fmt: skip


def _takes_style(method: Stylises, content: Tensor, style: Tensor) -> bool:
    """Whether it stylises by an image that is given with each call."""
    try:
        method.stylise(content, style)
    except UsageError:
        return False
    return True


def _images(channels: int, multiple: int) -> list[Tensor]:
    """Images to trace and to check with, whose sides are multiples and differ."""
    first = _rounded(TRACED_SIDES[0], multiple)
    second = _rounded(TRACED_SIDES[1], multiple)
    larger = (first[0] + 3 * multiple, first[1] + 5 * multiple)
    return [_examples(2, channels, *first), _examples(3, channels, *second), _examples(1, channels, *larger)]


def _rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Sides of at least 2 multiples, about those of `size`."""
    height, width = (max(2, -(-side // multiple)) * multiple for side in size)
    return height, width


def _examples(n: int, channels: int, height: int, width: int) -> Tensor:
    """Images (n, channels, height, width) in [-1, 1] with smooth shapes, edges and some noise; the same at each call."""
    generator = torch.Generator().manual_seed(n + height + width)
    coarse = torch.rand(n, channels, -(-height // 8), -(-width // 8), generator=generator)
    shapes = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    blocks = F.interpolate(coarse.flip(3), (height, width), mode="nearest")
    noise = torch.rand(n, channels, height, width, generator=generator)
    return 2 * (0.5 * shapes + 0.35 * blocks + 0.15 * noise) - 1


def _hole(image: Tensor) -> Tensor:
    """A mask (n, 1, H, W) with a rectangular hole in each image, at different places."""
    n, _, height, width = image.shape
    mask = torch.zeros(n, 1, height, width)
    for row in range(n):
        top, left = (row * 3) % (height // 2), (row * 5) % (width // 2)
        mask[row, :, top : top + height // 3, left : left + width // 3] = 1
    return mask
