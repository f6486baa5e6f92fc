"""New images, clips or texts from a trained method. Number i of seed s is that of seed s + i: it depends on that only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Restores, Samples, Stylises, Tokenizes, Translates, TwoStage, offers
from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.media import to_uint8
from ganvas.errors import RunError, UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with

__all__ = ["check_seeds", "class_number", "continued", "drawing", "reconstructed", "sample", "to_uint8"]


@torch.no_grad()
def sample(method: Method, n: int, seed: int = 0, label: int | str | None = None) -> Tensor:
    """What `generate` makes of n seeds (see Samples), on the CPU. Those of `sample(method, 9, seed=3)` are 3 to 11 of `seed=0`.

    `method` should be in eval mode, so that no image depends on its neighbours. `label` asks a class-conditional method for one
    class, by number or name; without it each seed has a class of its own, as often as in the data.
    """
    if not isinstance(method, Samples):
        raise RunError(f"{method.name} cannot make images from noise: it has no ability to sample{_hint(method)}")
    return _of_seeds(method, method.generate, n, seed, class_number(method, label))


@torch.no_grad()
def continued(method: Method, prompt: str, n: int, seed: int = 0) -> Tensor:
    """Token numbers (n, P + L): `prompt` and how it continues, by the seeds as in `sample`."""
    if not isinstance(method, Samples) or not offers(method, Samples.continue_text):
        raise UsageError(
            f"{method.name} does not continue where a text ends, so it takes no prompt"
            f" (methods that do: {methods_with(Samples.continue_text)})"
        )
    from ganvas.data.tokens import encode

    start = torch.from_numpy(encode(prompt, method.spec.text.tokens, method.spec.text.merges, "the prompt")).long()
    if not len(start):
        raise UsageError("the prompt is empty: omit it")
    start = start.to(method.device)
    made = _of_seeds(method, lambda latents: method.continue_text(start, latents), n, seed, None)
    return torch.cat([start.cpu().expand(n, -1).float(), made], dim=1)


@torch.no_grad()
def drawing(method: Method, n: int, seed: int = 0, label: int | str | None = None) -> Tensor:
    """The canvas of each image of `sample` after each step, (n, T, C, H, W) in [-1, 1] on the CPU; the last is that image."""
    if not isinstance(method, Samples) or not offers(method, Samples.drawing):
        raise RunError(
            f"{method.name} makes its images at once, so there is no drawing to watch"
            f" (methods that draw: {methods_with(Samples.drawing)})"
        )
    return _of_seeds(method, method.drawing, n, seed, class_number(method, label))


def _hint(method: Method) -> str:
    for ability, command in ((Translates, "translate"), (Restores, "restore"), (Stylises, "stylise")):
        if isinstance(method, ability):
            return f". Give it images: ganvas {command}"
    if not isinstance(method, Tokenizes):
        return ""
    return f". What learns its codes can (--codes RUN): {methods_with(TwoStage)}"


def _of_seeds(method: Samples, make: Callable[..., Tensor], n: int, seed: int, label: int | None) -> Tensor:
    """make(latents) or make(latents, labels) of n seeds, on the CPU; all of class `label` where that is not None."""
    check_seeds(n, seed)
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        seeds = [seed + row for row in rows.tolist()]
        labels = method.labels(seeds) if label is None else torch.full((len(seeds),), label)
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
def reconstructed(method: Tokenizes, images: np.ndarray) -> Tensor:
    """Images uint8 (n, H, W, C) reconstructed from their codes: (n, C, H, W) in [-1, 1] on the CPU."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        return method.from_codes(method.to_codes(as_image_tensor(images[rows.numpy()], device)))

    return in_chunks(len(images), of_rows)


def class_number(method: Method, label: int | str | None) -> int | None:
    """The number of a class given by number or name; None of None. UsageError where the method knows no such class."""
    if label is None:
        return None
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
