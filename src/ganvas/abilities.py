"""What a trained method can do: abilities are small protocols that a method has or has not, and what their answers are made of.

Tasks, measures, commands and the report ask for an ability, never for a name:

    if isinstance(method, Encodes): ...

ganvas.method gives all of these names too, so that a method's file needs one import.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ganvas.chunks import in_chunks
from ganvas.data.batch import Batch

if TYPE_CHECKING:
    from ganvas.method import Method

__all__ = [
    "Blends",
    "Code",
    "CodeGrid",
    "Continues",
    "Degraded",
    "Degrades",
    "Draws",
    "Encodes",
    "HasCodes",
    "HasDiscriminator",
    "HasLikelihood",
    "Likelihood",
    "Prepares",
    "Quantises",
    "Resembles",
    "Restoration",
    "Restores",
    "Samples",
    "Shows",
    "StandsOn",
    "Stylises",
    "Translates",
    "restore_images",
]  # fmt: skip


@runtime_checkable
class Samples(Protocol):
    """Ability: makes new examples from nothing but noise."""

    def latents(self, seeds: Iterable[int]) -> Tensor:
        """One latent a seed, (n, ...), on the CPU; latent i depends on seed i only."""
        ...

    def labels(self, seeds: Iterable[int]) -> Tensor | None:
        """One class a seed, (n,) int64 on the CPU, each as often as in the data; None where the method knows no classes."""
        ...

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1], clips (n, 1, L) in [-1, 1], or token numbers (n, L), on the latents' device. `labels`
        (n,) where `labels()` is not None."""
        ...


@runtime_checkable
class Continues(Protocol):
    """Ability: continues where a given text ends."""

    def continue_text(self, start: Tensor, latents: Tensor) -> Tensor:
        """Token numbers (n, L) that follow `start` (S,) int64, S > 0, on the latents' device."""
        ...


@runtime_checkable
class HasDiscriminator(Protocol):
    """Ability: has a discriminator that gives images a logit."""

    D: nn.Module

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Logits (M, 1), float32, of M = k * len(batch) images; large is real."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Ability: finds the latents of given images."""

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (n, ...) that `generate` turns back into something like `images` (n, C, H, W) in [-1, 1]."""
        ...


@dataclass(frozen=True)
class CodeGrid:
    """A grid of integers from 0 to `size` - 1."""

    name: str
    height: int
    width: int
    size: int


@runtime_checkable
class Quantises(Protocol):
    """Ability: tells images as discrete codes, and generates them again from those."""

    def grids(self) -> tuple[CodeGrid, ...]:
        """What an image's codes are: every grid row by row, coarse grids before fine ones, L numbers together."""
        ...

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (n, L) int64 of images (n, C, H, W) in [-1, 1]."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] of codes (n, L)."""
        ...


@runtime_checkable
class StandsOn(Protocol):
    """Ability: learns the codes of another trained method, which it holds among its `frozen` parts."""

    def upon(self, first: Method) -> Method:
        """An unbuilt copy whose settings tell how to build `first` again; UsageError where that one does not quantise."""
        ...

    def adopt(self, first: Method) -> None:
        """Takes over the weights of `first`; to be called after `build`."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """Ability: what its losses need of an image is computed once, before the training, and then found in Batch.prepared.

    With data.mirror an image and its mirror image are prepared apart. Where a batch has none, the losses compute it themselves.
    """

    def prepare(self, images: Tensor) -> Tensor:
        """(n, ...) of images (n, C, H, W) in [-1, 1]. It depends on weights that never move."""
        ...


@dataclass(frozen=True)
class Code:
    """A part of the latent that has a meaning of its own: latents[:, start : start + size]."""

    name: str
    kind: str
    """"categorical": one-hot over `size` values. "continuous": `size` is 1, most values lie in [-1, 1]."""
    start: int
    size: int


@runtime_checkable
class HasCodes(Protocol):
    """Ability: parts of its latent can be set one by one."""

    def codes(self) -> list[Code]:
        """Every such part."""
        ...


@runtime_checkable
class Draws(Protocol):
    """Ability: generates in steps that can be watched."""

    def drawing(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """The canvas after each step, (n, T, C, H, W) in [-1, 1]; the last is what `generate` gives."""
        ...


@dataclass(frozen=True)
class Likelihood:
    """How little a method is surprised by given examples; smaller is better."""

    nats: Tensor
    """-log p(x) of each example, (n,), or an upper bound of it."""
    unit: str
    """What it is told in: "nats" an example, or "bits_per_dim", "bits_per_character", "bits_per_sample"."""
    terms: Tensor | int = 1
    """Values, characters or samples in each example, (n,) or one number for all: bits are shared out over them."""
    exact: bool = True
    """False: `nats` is an upper bound."""
    note: str = ""
    """What a reader of the figure must know: how images were binarised, where the text was cut."""


@runtime_checkable
class HasLikelihood(Protocol):
    """Ability: says how probable given examples are, exactly or by a bound."""

    def likelihood(
        self,
        examples: Tensor,
        labels: Tensor | None = None,
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> Likelihood:
        """Of examples (n, ...) as a batch holds them, images in [-1, 1]; in eval mode, on the examples' device.

        Labels (n,) are for methods that were trained by class; others pass over them. A bound that is estimated takes
        `samples` draws an example: more make it tighter. `generator` is of the CPU, on every device alike; what it draws about
        the examples themselves (binarising them) comes first, so that other `samples` measure the same examples.
        """
        ...


@runtime_checkable
class Translates(Protocol):
    """Ability: turns an image of one kind into the same image of another kind."""

    def directions(self) -> tuple[str, ...]:
        """Ways that it goes: "ab" from the data's images to their partners, "ba" back."""
        ...

    def multiple(self) -> int:
        """Height and width of what `translate` takes are multiples of it."""
        ...

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """Of images (n, C, H, W) in [-1, 1], of the same size.

        Where they are parts of larger ones, `whole` (n, C, h, w) shows those, smaller: what is decided once an image (its
        colours) is decided by them, so that parts agree. Their sides are multiples too.
        """
        ...


@runtime_checkable
class Shows(Protocol):
    """Ability: what it makes of given images can be seen beside them, for a method that does not make any from noise."""

    def show(self, batch: Batch) -> Tensor:
        """Rows (n, k, C, H, W) in [-1, 1], one for each image of `batch`: what went in, what came out, what was wanted."""
        ...


@dataclass(frozen=True)
class Restoration:
    """What a method restores."""

    degradation: str
    """"noise", "resolution" or "holes"."""
    scale: int = 1
    """The restored image has so many times the height and width."""
    multiple: int = 1
    """Height and width of what it takes are multiples of it; 0: only those of the data it was trained on."""
    answers: bool = False
    """It has more than one answer, by the generator's draw."""
    invents: bool = False
    """It shall look right rather than be near: a distance of features says more of it than one of pixels."""


@runtime_checkable
class Restores(Protocol):
    """Ability: restores degraded images."""

    def restoration(self) -> Restoration:
        """What it restores."""
        ...

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Whole images (n, C, H * scale, W * scale) of `degraded` (n, C, H, W), both in [-1, 1].

        `mask` (n, 1, H, W), for "holes" only, is 1 where the image is missing; elsewhere it comes back as it was, to the bit.
        `generator` is of the CPU, and image i takes the same numbers whatever n is: the first of n draws is that of 1.
        """
        ...


RESTORED_AT_ONCE = 16  # images per call of `restore_images`


def restore_images(
    method: Restores, degraded: Tensor, mask: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """`method.restore` of any number of images (n, C, H, W), on their device: image i depends on its own input and random
    numbers alone, since `restore` always gets the same number of images."""

    def restored(rows: Tensor) -> Tensor:
        rows = rows.to(degraded.device)
        return method.restore(degraded[rows], None if mask is None else mask[rows], generator=generator)

    return in_chunks(len(degraded), restored, RESTORED_AT_ONCE, degraded.device)


@dataclass(frozen=True)
class Degraded:
    """Images that were degraded on purpose, for learning and for measuring."""

    image: Tensor
    """What `restore` takes, (n, C, h, w)."""
    whole: Tensor
    """What should come back, (n, C, H, W) in [-1, 1]."""
    start: Tensor
    """What there is without the method, of the size of `whole`: enlarged by bicubic, as it came, its hole filled smoothly."""
    mask: Tensor | None = None
    """For "holes": (n, 1, H, W), 1 where the image is missing."""


@runtime_checkable
class Degrades(Restores, Protocol):
    """Ability: degrades whole images as those were that it learned to restore, so that its restoring can be seen and measured."""

    def degrade(self, batch: Batch) -> Degraded:
        """The batch's images, degraded by what the batch draws."""
        ...


@runtime_checkable
class Blends(Protocol):
    """Ability: its training had two phases, and its weights can be put between those of both."""

    def blended(self, share: float) -> Method:
        """A copy of the trained method: 0 has the weights of the first phase's end, 1 the last ones."""
        ...


@runtime_checkable
class Stylises(Protocol):
    """Ability: generates an image in the style of another."""

    def multiple(self) -> int:
        """Height and width of what `stylise` takes are multiples of it."""
        ...

    def stylise(self, content: Tensor, style: Tensor | None = None, *, strength: float = 1.0) -> Tensor:
        """`content` (n, C, H, W) in [-1, 1], of the same size, in the style of `style` (1 or n, C, h, w); None where it knows one
        manner only. `strength` 0 gives the content back as well as the method can."""
        ...


@runtime_checkable
class Resembles(Stylises, Protocol):
    """Ability: tells what a painting lacks of its photo and of its style, by the losses that it learned from. After `begin`."""

    def styles_of(self, batch: Batch) -> Tensor | None:
        """A style for each image of a batch, drawn as in training; None where it knows one style only."""
        ...

    def style_losses(self, painted: Tensor, content: Tensor, style: Tensor | None) -> dict[str, Tensor]:
        """Of each painting (n, C, H, W), (n,): "content" and "style", 0 where it has all of it and about 1 where nothing, and
        "loss", both weighed as in training."""
        ...
