"""New images, clips or texts from a trained method. Number i of seed s is that of seed s + i: it depends on that only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.media import to_uint8
from ganvas.errors import RunError, UsageError, nearest
from ganvas.method import (
    Continues,
    Draws,
    Method,
    Quantises,
    Restores,
    Samples,
    StandsOn,
    Stylises,
    Translates,
    methods_with,
)

__all__ = ["check_seeds", "class_number", "continued", "drawing", "reconstructed", "sample", "to_uint8"]


@torch.no_grad()
def sample(method: Method, n: int, seed: int = 0, label: int | str | None = None) -> Tensor:
    """What `generate` makes of n seeds (see Samples), on the CPU. Those of `sample(method, 9, seed=3)` are 3 to 11 of `seed=0`.

    `method` should be in eval mode, so that no image depends on its neighbours. `label` asks a class-conditional method for one
    class, by number or name; without it each seed has a class of its own, as often as in the data.
    """
    if not isinstance(method, Samples):
        raise RunError(f"{method.name} cannot make images from noise: it has no ability to sample{_hint(method)}")
    return _of_seeds(method, method.generate, n, seed, label)


@torch.no_grad()
def continued(method: Method, prompt: str, n: int, seed: int = 0) -> Tensor:
    """Token numbers (n, P + L): `prompt` and how it continues, by the seeds as in `sample`."""
    if not isinstance(method, Continues) or not isinstance(method, Samples):
        raise UsageError(
            f"{method.name} does not continue where a text ends, so it takes no prompt"
            f" (methods that do: {methods_with(Continues)})"
        )
    from ganvas.data.tokens import encode

    start = torch.from_numpy(encode(prompt, method.spec.tokens, method.spec.merges, "the prompt")).long()
    if not len(start):
        raise UsageError("the prompt is empty: omit it")
    device = next(method.parameters()).device
    made = _of_seeds(method, lambda latents: method.continue_text(start.to(device), latents), n, seed, None)
    return torch.cat([start.expand(n, -1).float(), made], dim=1)


@torch.no_grad()
def drawing(method: Method, n: int, seed: int = 0, label: int | str | None = None) -> Tensor:
    """The canvas of each image of `sample` after each step, (n, T, C, H, W) in [-1, 1] on the CPU; the last is that image."""
    if not isinstance(method, Draws) or not isinstance(method, Samples):
        raise RunError(
            f"{method.name} makes its images at once, so there is no drawing to watch"
            f" (methods that draw: {methods_with(Draws)})"
        )
    return _of_seeds(method, method.drawing, n, seed, label)


def _hint(method: Method) -> str:
    for ability, command in ((Translates, "translate"), (Restores, "restore"), (Stylises, "stylise")):
        if isinstance(method, ability):
            return f". Give it images: ganvas {command}"
    if not isinstance(method, Quantises):
        return ""
    return f". What learns its codes can (--codes RUN): {methods_with(StandsOn)}"


def _of_seeds(method: Method, make: Callable[..., Tensor], n: int, seed: int, label: int | str | None) -> Tensor:
    """make(latents) or make(latents, labels) of n seeds, on the CPU."""
    assert isinstance(method, Samples), "its callers have seen to that"
    check_seeds(n, seed)
    device = next(method.parameters()).device
    asked = None if label is None else class_number(method, label)

    def of_rows(rows: Tensor) -> Tensor:
        seeds = [seed + row for row in rows.tolist()]
        labels = method.labels(seeds) if asked is None else torch.full((len(seeds),), asked)
        latents = method.latents(seeds).to(device)
        return make(latents) if labels is None else make(latents, labels.to(device))

    return in_chunks(n, of_rows)


def check_seeds(n: int, seed: int) -> None:
    """UsageError unless n >= 1 and each seed from `seed` on is one that a generator takes."""
    if n < 1:
        raise UsageError(f"a sample needs n >= 1 (got n={n})")
    if seed < 0 or seed + n > 2**63:
        raise UsageError(f"seeds go from 0 to {2**63 - 1} (got {seed if n == 1 else f'{seed} to {seed + n - 1}'})")


@torch.no_grad()
def reconstructed(method: Method, images: np.ndarray) -> Tensor:
    """What a method that quantises generates of images uint8 (n, H, W, C) from their codes: (n, C, H, W) in [-1, 1] on the CPU."""
    assert isinstance(method, Quantises), "its callers have seen to that"
    device = next(method.parameters()).device

    def of_rows(rows: Tensor) -> Tensor:
        return method.decode(method.encode(as_image_tensor(images[rows.numpy()], device)))

    return in_chunks(len(images), of_rows)


def class_number(method: Method, label: int | str) -> int:
    """The number of a class given by number or name; UsageError where the method knows no such class."""
    if not isinstance(method, Samples) or method.labels(range(1)) is None:
        raise UsageError(
            f"this {method.name} was trained without classes, so it cannot be asked for {label}: omit --label"
        )
    names = method.spec.classes
    if str(label) in names:
        return names.index(str(label))
    number = int(label) if str(label).isdecimal() else -1
    if not 0 <= number < len(names):
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise UsageError(
            f"there is no class {label}{nearest(str(label), names)} (classes: {shown}, or 0 to {len(names) - 1})"
        )
    return number
