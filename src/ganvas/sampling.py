"""New images, clips or texts from a trained method. Sample i of seed s depends on s + i only, not on n or its neighbours."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Restores, Samples, Stylises, Tokenizes, Translates, TwoStage, offers
from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.media import finished, to_uint8
from ganvas.errors import RunError, UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with

__all__ = [
    "check_seeds", "class_number", "continued", "drawing", "finished_blocks", "finished_samples", "reconstructed", "sample",
    "to_uint8",
]  # fmt: skip
SAMPLES_PER_BLOCK = 1024  # samples that are generated before any is written; a multiple of chunks.CHUNK


@torch.no_grad()
def sample(method: Method, n: int, seed: int = 0, label: int | str | None = None, motion: int | None = None) -> Tensor:
    """n new samples (see Samples.generate) on the CPU. Those of `sample(method, 9, seed=3)` are samples 3 to 11 of seed 0.

    `method` should be in eval mode, so that no image depends on its neighbours. `label` is the class, by
    number or name, for a class-conditional method; without it each seed has a class of its own, as often as in the data.
    `motion` is a seed: all clips move as that of this seed, where the method tells motion from content.
    """
    if not isinstance(method, Samples):
        raise RunError(f"{method.name} cannot generate images from noise{_hint(method)}")
    make = method.generate if motion is None else _moving_as(method, motion)
    return _of_seeds(method, make, n, seed, class_number(method, label))


def _moving_as(method: Samples, seed: int) -> Callable[..., Tensor]:
    """`generate` with the motion of one seed. UsageError where the method has none of its own."""
    if not offers(method, Samples.motion_start):
        raise UsageError(
            f"{method.name} does not tell motion from content (methods that do: {methods_with(Samples.motion_start)})"
        )
    check_seeds(1, seed)
    start = method.motion_start()
    motion = method.latents([seed])[:, start:]

    def make(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        moved = motion.to(latents.device).expand(len(latents), -1)
        return method.generate(torch.cat([latents[:, :start], moved], 1), labels)

    return make


@torch.no_grad()
def continued(method: Method, prompt: str, n: int, seed: int = 0) -> Tensor:
    """Tokens (n, P + L): `prompt` and n continuations, with seeds as in `sample`."""
    if not isinstance(method, Samples) or not offers(method, Samples.continue_text):
        raise UsageError(
            f"{method.name} cannot continue a text, so it takes no prompt"
            f" (methods that do: {methods_with(Samples.continue_text)})"
        )
    from ganvas.data.tokens import encode

    start = torch.from_numpy(encode(prompt, method.spec.text.tokens, method.spec.text.merges, "the prompt")).long()
    if not len(start):
        raise UsageError("the prompt is empty: omit it")
    start = start.to(method.device)
    continuations = _of_seeds(method, lambda latents: method.continue_text(start, latents), n, seed, None)
    return torch.cat([start.cpu().expand(n, -1).float(), continuations], dim=1)


def finished_blocks(
    method: Method,
    n: int,
    seed: int = 0,
    label: int | str | None = None,
    prompt: str | None = None,
    motion: int | None = None,
    *,
    at_once: int = SAMPLES_PER_BLOCK,
) -> Iterator[tuple[int, Any]]:
    """The n samples in their final form, block by block: (seed of the first, uint8 (m, H, W, C), int16 (m, L) or texts)."""
    check_seeds(n, seed)  # all other errors are raised by the first block, before anything is written
    for start in range(seed, seed + n, at_once):
        count = min(at_once, seed + n - start)
        yield start, finished(_samples(method, count, start, label, prompt, motion), method.spec)


def _samples(
    method: Method, n: int, seed: int, label: int | str | None, prompt: str | None, motion: int | None
) -> Tensor:
    if prompt is None:
        return sample(method, n, seed, label, motion)
    return continued(method, prompt, n, seed)


def finished_samples(
    method: Method,
    n: int,
    seed: int = 0,
    label: int | str | None = None,
    prompt: str | None = None,
    motion: int | None = None,
) -> Any:
    """All n samples in their final form: uint8 (n, H, W, C) or (n, T, H, W, C), int16 (n, L) or a list of texts."""
    blocks = [block for _, block in finished_blocks(method, n, seed, label, prompt, motion)]
    if isinstance(blocks[0], list):
        return [text for block in blocks for text in block]
    return np.concatenate(blocks)


@torch.no_grad()
def drawing(method: Method, n: int, seed: int = 0, label: int | str | None = None) -> Tensor:
    """Each image of `sample` after each generation step, (n, T, C, H, W) in [-1, 1] on the CPU; the last is that of `sample`."""
    if not isinstance(method, Samples) or not offers(method, Samples.drawing):
        raise RunError(
            f"{method.name} generates images in one step, so there is nothing to animate"
            f" (methods that generate in several steps: {methods_with(Samples.drawing)})"
        )
    return _of_seeds(method, method.drawing, n, seed, class_number(method, label))


def _hint(method: Method) -> str:
    for ability, command in ((Translates, "translate"), (Restores, "restore"), (Stylises, "stylise")):
        if isinstance(method, ability):
            return f". Give it images: ganvas {command}"
    if not isinstance(method, Tokenizes):
        return ""
    return f". A method that is trained on its codes can (--codes RUN): {methods_with(TwoStage)}"


def _of_seeds(method: Samples, make: Callable[..., Tensor], n: int, seed: int, label: int | None) -> Tensor:
    """make(latents) or make(latents, labels) for n seeds, on the CPU; all of class `label` unless it is None."""
    check_seeds(n, seed)
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        seeds = [seed + row for row in rows.tolist()]
        labels = method.labels(seeds) if label is None else torch.full((len(seeds),), label)
        latents = method.latents(seeds).to(device)
        return make(latents) if labels is None else make(latents, labels.to(device))

    return in_chunks(n, of_rows)


def check_seeds(n: int, seed: int) -> None:
    """UsageError unless n >= 1 and torch.Generator takes every seed from `seed` to `seed` + n - 1."""
    if n < 1:
        raise UsageError(f"a sample needs n >= 1 (got n={n})")
    if seed < 0 or seed + n > 2**63:
        raise UsageError(f"seeds go from 0 to {2**63 - 1} (got {seed if n == 1 else f'{seed} to {seed + n - 1}'})")


@torch.no_grad()
def reconstructed(method: Tokenizes, images: np.ndarray) -> Tensor:
    """Images uint8 (n, H, W, C) reconstructed from their codes: (n, C, H, W) in [-1, 1] on the CPU."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        return method.from_codes(method.to_codes(as_image_tensor(images[rows.numpy()], device)))

    return in_chunks(len(images), of_rows)


def class_number(method: Method, label: int | str | None) -> int | None:
    """The number of a class given by number or name; None for None. UsageError if the method has no such class."""
    if label is None:
        return None
    if not isinstance(method, Samples) or method.labels(range(1)) is None:
        how = ", or train with --set conditional=true" if "conditional" in method.settings() else ""
        raise UsageError(
            f"this {method.name} was trained without classes, so it cannot generate class {label}: omit --label{how}"
        )
    names = method.spec.classes
    asked = unicodedata.normalize("NFC", str(label))
    number = int(asked) if asked.isdecimal() else -1
    if asked in names:
        number = names.index(asked)
    if not 0 <= number < len(names):
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise UsageError(
            f"there is no class {label}{nearest(str(label), names)} (classes: {shown}, or 0 to {len(names) - 1})"
        )
    if method.spec.class_counts and method.spec.class_counts[number] == 0:
        raise UsageError(
            f"this {method.name} saw no training example of class {names[number]}, so it cannot generate it: choose another"
        )
    return number
