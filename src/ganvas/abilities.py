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
    "Blends", "Code", "CodeGrid", "Continues", "Damaged", "Damages", "Draws", "Encodes", "HasCodes", "HasLikelihood",
    "Judges", "Likelihood", "Prepares", "Quantises", "Resembles", "Restoration", "Restores", "Samples", "Shows",
    "StandsOn", "Stylises", "Translates", "restore_images",
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
        """Pictures (n, C, H, W) in [-1, 1], clips (n, 1, L) in [-1, 1], or token numbers (n, L), on the latents' device. `labels`
        (n,) where `labels()` is not None."""
        ...


@runtime_checkable
class Continues(Protocol):
    """Ability: goes on where a given text ends."""

    def go_on(self, start: Tensor, latents: Tensor) -> Tensor:
        """Token numbers (n, L) that follow `start` (S,) int64, S > 0, on the latents' device."""
        ...


@runtime_checkable
class Judges(Protocol):
    """Ability: has a discriminator that gives pictures a logit."""

    D: nn.Module

    def judge(self, batch: Batch, pictures: Tensor) -> Tensor:
        """Logits (M, 1), float32, of M = k * len(batch) pictures; large is real."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Ability: finds the latents of given pictures."""

    def encode(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (n, ...) that `generate` turns back into something like `pictures` (n, C, H, W) in [-1, 1]."""
        ...


@dataclass(frozen=True)
class CodeGrid:
    """A grid of whole numbers from 0 to `size` - 1."""

    name: str
    height: int
    width: int
    size: int


@runtime_checkable
class Quantises(Protocol):
    """Ability: tells pictures in whole numbers, and paints them again from those."""

    def grids(self) -> tuple[CodeGrid, ...]:
        """What a picture's codes are: every grid row by row, coarse grids before fine ones, L numbers together."""
        ...

    def encode(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (n, L) int64 of pictures (n, C, H, W) in [-1, 1]."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Pictures (n, C, H, W) in [-1, 1] of codes (n, L)."""
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
    """Ability: what its losses need of a picture is computed once, before the training, and then found in Batch.prepared.

    With data.mirror a picture and its mirror image are prepared apart. Where a batch has none, the losses compute it themselves.
    """

    def prepare(self, pictures: Tensor) -> Tensor:
        """(n, ...) of pictures (n, C, H, W) in [-1, 1]. It depends on weights that never move."""
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
    """Ability: paints in steps that can be watched."""

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
    """What a reader of the figure must know: how pictures were binarised, where the text was cut."""


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
        """Of examples (n, ...) as a batch holds them, pictures in [-1, 1]; in eval mode, on the examples' device.

        Labels (n,) are for methods that were trained by class; others pass over them. A bound that is estimated takes
        `samples` draws an example: more make it tighter. `generator` is of the CPU, on every device alike; what it draws about
        the examples themselves (binarising them) comes first, so that other `samples` measure the same examples.
        """
        ...


@runtime_checkable
class Translates(Protocol):
    """Ability: turns a picture of one kind into the same picture of another kind."""

    def directions(self) -> tuple[str, ...]:
        """Ways that it goes: "ab" from the data's pictures to their partners, "ba" back."""
        ...

    def multiple(self) -> int:
        """Height and width of what `translate` takes are multiples of it."""
        ...

    def translate(self, pictures: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """Of pictures (n, C, H, W) in [-1, 1], as large.

        Where they are parts of larger ones, `whole` (n, C, h, w) shows those, smaller: what is decided once a picture (its
        colours) is decided by them, so that parts agree. Their sides are multiples too.
        """
        ...


@runtime_checkable
class Shows(Protocol):
    """Ability: what it makes of given pictures can be seen beside them, for a method that does not make any from noise."""

    def show(self, batch: Batch) -> Tensor:
        """Rows (n, k, C, H, W) in [-1, 1], one for each picture of `batch`: what went in, what came out, what was wanted."""
        ...


@dataclass(frozen=True)
class Restoration:
    """What a method mends."""

    damage: str
    """"noise", "resolution" or "holes"."""
    scale: int = 1
    """The mended picture has so many times the height and width."""
    multiple: int = 1
    """Height and width of what it takes are multiples of it; 0: only those of the data it was trained on."""
    answers: bool = False
    """It has more than one answer, by the generator's draw."""
    invents: bool = False
    """It shall look right rather than be near: a distance of features says more of it than one of pixels."""


@runtime_checkable
class Restores(Protocol):
    """Ability: mends damaged pictures."""

    def restoration(self) -> Restoration:
        """What it mends."""
        ...

    def restore(
        self, damaged: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Whole pictures (n, C, H * scale, W * scale) of `damaged` (n, C, H, W), both in [-1, 1].

        `mask` (n, 1, H, W), for "holes" only, is 1 where the picture is missing; elsewhere it comes back as it was, to the bit.
        `generator` is of the CPU, and picture i takes the same numbers whatever n is: the first of n draws is that of 1.
        """
        ...


RESTORED_AT_ONCE = 16  # images per call of `restore_images`


def restore_images(
    method: Restores, damaged: Tensor, mask: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """`method.restore` of any number of images (n, C, H, W), on their device: image i depends on its own input and random
    numbers alone, since `restore` always gets the same number of images."""

    def restored(rows: Tensor) -> Tensor:
        rows = rows.to(damaged.device)
        return method.restore(damaged[rows], None if mask is None else mask[rows], generator=generator)

    return in_chunks(len(damaged), restored, RESTORED_AT_ONCE, damaged.device)


@dataclass(frozen=True)
class Damaged:
    """Pictures that were spoilt on purpose, for learning and for measuring."""

    picture: Tensor
    """What `restore` takes, (n, C, h, w)."""
    whole: Tensor
    """What should come back, (n, C, H, W) in [-1, 1]."""
    start: Tensor
    """What there is without the method, as large as `whole`: enlarged by bicubic, as it came, its hole filled smoothly."""
    mask: Tensor | None = None
    """For "holes": (n, 1, H, W), 1 where the picture is missing."""


@runtime_checkable
class Damages(Restores, Protocol):
    """Ability: spoils whole pictures as those were that it learned to mend, so that its mending can be seen and measured."""

    def damage(self, batch: Batch) -> Damaged:
        """The batch's pictures, spoilt by what the batch draws."""
        ...


@runtime_checkable
class Blends(Protocol):
    """Ability: its training had two phases, and its weights can be put between those of both."""

    def blended(self, share: float) -> Method:
        """A copy of the trained method: 0 has the weights of the first phase's end, 1 the last ones."""
        ...


@runtime_checkable
class Stylises(Protocol):
    """Ability: paints a picture in the manner of another."""

    def multiple(self) -> int:
        """Height and width of what `stylise` takes are multiples of it."""
        ...

    def stylise(self, content: Tensor, style: Tensor | None = None, *, strength: float = 1.0) -> Tensor:
        """`content` (n, C, H, W) in [-1, 1], as large, in the manner of `style` (1 or n, C, h, w); None where it knows one
        manner only. `strength` 0 gives the content back as well as the method can."""
        ...


@runtime_checkable
class Resembles(Stylises, Protocol):
    """Ability: tells what a painting lacks of its photo and of its style, by the losses that it learned from. After `begin`."""

    def styles_of(self, batch: Batch) -> Tensor | None:
        """A style for each picture of a batch, drawn as in training; None where it knows one manner only."""
        ...

    def lacks(self, painted: Tensor, content: Tensor, style: Tensor | None) -> dict[str, Tensor]:
        """Of each painting (n, C, H, W), (n,): "content" and "style", 0 where it has all of it and about 1 where nothing, and
        "loss", both weighed as in training."""
        ...
