"""What a trained method can do. A method declares its abilities as base classes, after Method:

    class VAE(Method, Samples, Encodes, HasLikelihood): ...

Tasks, metrics, commands and the report ask for an ability, never for a method's name:

    if isinstance(method, Encodes): ...

An ability's abstract methods are what every method of it has. Its other methods are optional: they have a default here, and
`offers(method, Samples.drawing)` says whether a method has its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.chunks import in_chunks
from ganvas.data.batch import Batch
from ganvas.draws import Draw, label_seed
from ganvas.errors import UsageError

__all__ = [
    "Code",
    "CodeGrid",
    "Degraded",
    "Demonstrates",
    "Encodes",
    "HasDiscriminator",
    "HasLikelihood",
    "Iteration",
    "LatentSpace",
    "Likelihood",
    "NamedModule",
    "Restoration",
    "Restores",
    "Samples",
    "Stylises",
    "Tokenizes",
    "Translates",
    "TwoStage",
    "class_cuts",
    "classes_of",
    "offers",
    "restore_images",
    "restored_rows",
    "translated_rows",
]  # fmt: skip


class NamedModule(nn.Module):
    """A module with a name, whose parameters are all on one device: what methods and abilities have in common."""

    name: ClassVar[str] = ""

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    if TYPE_CHECKING:
        # nn.Module's says Tensor | Module, which no network that a method builds is to its user.
        def __getattr__(self, name: str) -> Any: ...


class Ability(NamedModule, ABC):
    """Base of the abilities."""


def offers(method: object, hook: Callable[..., object]) -> bool:
    """Whether a method, or a class of methods, has its own version of an optional method of an ability.

    `hook` is the default, such as Samples.drawing.
    """
    cls = method if isinstance(method, type) else type(method)
    inherits = any(vars(base).get(hook.__name__) is hook for base in cls.__mro__)
    return inherits and getattr(cls, hook.__name__) is not hook


# --- new examples -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Code:
    """A part of the latent that has a meaning of its own: latents[:, start : start + size]."""

    name: str
    kind: str
    """"categorical": one-hot over `size` values. "continuous": `size` is 1, most values lie in [-1, 1]."""
    start: int
    size: int


@dataclass(frozen=True)
class LatentSpace:
    """A space of vectors, its points, in which images can be edited.

    `synthesise(map(latents, labels), labels)` are the images of `generate(latents, labels)`, but for values beyond [-1, 1], and
    `synthesise` is differentiable with respect to the points, so that a given image can be inverted.
    """

    name: str
    """"z", "w" or "w+"."""
    map: Callable[[Tensor, Tensor | None], Tensor]
    """Points (n, D), or (n, L, D) with a vector for each of L layers, of latents as `latents` gives them and labels (n,)."""
    synthesise: Callable[[Tensor, Tensor | None, Sequence[Tensor | None]], Tensor]
    """Images (n, C, H, W), mostly in [-1, 1], of points, labels and images of noise: one for each of `noise_sizes`, where None is
    the noise that sampling uses; an empty sequence: that for all layers."""
    free: int
    """How many of the D numbers of a vector may take any value, the first ones. The others stay those of the
    seed: one-hot codes, or what another space is for."""
    normal: bool = False
    """Its points are independent normal numbers of variance 1: interpolation follows a great circle."""
    layers: int = 0
    """L; 0 where a point is one vector."""
    noise_sizes: tuple[tuple[int, int], ...] = ()
    """Height and width of the noise that each layer adds."""
    takes: tuple[nn.Module, ...] = ()
    """The layers that take a point as their input; none: the first layer with weights that `synthesise` calls."""
    network: nn.Module | None = None
    """The network that makes images of points; its layers are found by name."""


def _latent(draws: Sequence[Draw], seed: int) -> Tensor:
    """The latent (D,) of a seed."""
    generator = torch.Generator().manual_seed(seed)
    parts: list[Tensor] = []
    for draw in draws:
        if draw.kind == "normal":
            parts.append(torch.randn(draw.size, generator=generator))
        elif draw.kind == "uniform":
            parts.append(torch.rand(draw.size, generator=generator) * (draw.high - draw.low) + draw.low)
        else:
            place = torch.randint(draw.size, (), generator=generator)
            parts.append(F.one_hot(place, draw.size).float())
    return torch.cat(parts)


def class_cuts(shares: Tensor) -> Tensor:
    """The numbers (K - 1,) in [0, 1) at which one class ends and the next begins, of their shares (K,)."""
    return shares.cumsum(0)[:-1].contiguous()


def classes_of(numbers: Tensor, shares: Tensor) -> Tensor:
    """A class (n,) int64 for each number (n,) in [0, 1), as often as its share in `shares` (K,)."""
    return torch.searchsorted(class_cuts(shares), numbers.contiguous(), right=True)


@dataclass(frozen=True)
class Iteration:
    """Generating examples by one step that is repeated: the same network, several times."""

    steps: int
    shape: tuple[int, ...]
    """Of one example: latents (n, D) are the first states, and the last ones, clamped to [-1, 1], are the examples."""
    step: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """The next states of states, the number of the step, (), and labels (n,)."""
    carried: int = 0
    """Channels of a state that follow those of the example, for what a step leaves to the next one: 0 at the start."""

    def first_state(self, latents: Tensor) -> Tensor:
        """The states (n, C + carried, ...) that latents (n, D) begin with."""
        x = latents.view(-1, *self.shape)
        if not self.carried:
            return x
        return torch.cat([x, x.new_zeros(len(x), self.carried, *self.shape[1:])], 1)

    def example(self, state: Tensor) -> Tensor:
        """The examples (n, *shape) of states, not clamped."""
        return state[:, : self.shape[0]]


class Samples(Ability):
    """Generates new examples from random latents."""

    needs_classes: ClassVar[bool] = False
    """Whether it is always conditioned on classes; other methods that can be have a setting `conditional`."""
    value_by_value: ClassVar[bool] = False
    """Whether the values of an example are sampled one after the other, each from those before it: one pass of the network is
    then one value, not one example."""

    @abstractmethod
    def draws(self) -> tuple[Draw, ...]:
        """How the numbers of a latent are drawn, in their order."""

    def latents(self, seeds: Iterable[int]) -> Tensor:
        """One latent per seed, (n, D), on the CPU, as `draws` says; latent i depends on seed i only."""
        draws = self.draws()
        return torch.stack([_latent(draws, seed) for seed in seeds])

    def class_shares(self) -> Tensor | None:
        """How often each class occurs in the data, (K,), together 1; None where it is not conditioned on classes."""
        return None

    def labels(self, seeds: Iterable[int]) -> Tensor | None:
        """One class per seed, (n,) int64 on the CPU, as often as in the data; None where it is not conditioned on classes."""
        shares = self.class_shares()
        if shares is None:
            return None
        numbers = [torch.rand((), generator=torch.Generator().manual_seed(label_seed(seed))) for seed in seeds]
        return classes_of(torch.stack(numbers), shares.cpu())

    @abstractmethod
    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1], clips (n, 1, L) in [-1, 1], or tokens (n, L), on the latents' device. `labels` (n,)
        where `labels()` is not None."""

    def codes(self) -> list[Code]:
        """The parts of the latent that can be set one by one."""
        return []

    def motion_start(self) -> int:
        """Of a method of videos: from which number on a latent says how the clip moves. Those before it say what it shows."""
        raise NotImplementedError

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """Optional: the spaces in which images can be edited, the most useful first. None where the latent decides values one by
        one."""
        return ()

    def drawing(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Optional: the image after each step of generating it, (n, T, C, H, W) in [-1, 1]; the last is that of `generate`."""
        return self.generate(latents, labels)[:, None]

    def iteration(self) -> Iteration | None:
        """Optional: the step that `generate` repeats, so that an export needs the network once only."""
        return None

    def continue_text(self, start: Tensor, latents: Tensor) -> Tensor:
        """Optional: tokens (n, L) that follow `start` (S,) int64, S > 0, on the latents' device."""
        raise NotImplementedError


# --- codes and latents of given images ----------------------------------------------------------------------------------


class Encodes(Ability):
    """Finds the latents of given images."""

    @abstractmethod
    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (n, ...) from which `generate` reconstructs `images` (n, C, H, W) in [-1, 1]."""


@dataclass(frozen=True)
class CodeGrid:
    """A grid of integers from 0 to `size` - 1."""

    name: str
    height: int
    width: int
    size: int


class Tokenizes(Ability):
    """Turns images into discrete codes, and reconstructs images from codes."""

    @abstractmethod
    def grids(self) -> tuple[CodeGrid, ...]:
        """The grids of an image's codes. A row of codes holds them one after the other, coarse before fine, each row by row."""

    @abstractmethod
    def to_codes(self, images: Tensor) -> Tensor:
        """Codes (n, L) int64 of images (n, C, H, W) in [-1, 1]."""

    @abstractmethod
    def from_codes(self, codes: Tensor) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] of codes (n, L)."""


class TwoStage(Ability):
    """Learns the codes of another trained method, the first stage, which it holds among its `frozen` parts."""

    @abstractmethod
    def with_first_stage(self, first: nn.Module) -> Self:
        """An unbuilt copy whose settings say how to build `first`; UsageError where that has no codes."""

    @abstractmethod
    def load_first_stage(self, first: nn.Module) -> None:
        """Copies the weights of `first`; call it after `build`."""

    @abstractmethod
    def prepare(self, images: Tensor) -> Tensor:
        """What the losses need of images (n, C, H, W) in [-1, 1], (n, ...). It depends on frozen weights only.

        Computed once before the training, of every image (with data.mirror, of its mirror image as well), and given to the
        losses as Batch.prepared. Where a batch has none, the losses compute it themselves.
        """


# --- scores -------------------------------------------------------------------------------------------------------------


class HasDiscriminator(Ability):
    """Has a discriminator that gives each image a logit."""

    D: nn.Module

    @abstractmethod
    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Logits (M, 1), float32, of M = k * len(batch) images; large means real."""

    def real_for(self, batch: Batch) -> Tensor:
        """The batch's real examples in the form in which D sees them beside generated ones."""
        return batch.real


@dataclass(frozen=True)
class Likelihood:
    """How likely given examples are; smaller values are better."""

    nats: Tensor
    """-log p(x) of each example, (n,), or an upper bound of it."""
    unit: str
    """Unit of the figure: "nats" per example, or "bits_per_dim", "bits_per_character", "bits_per_sample"."""
    terms: Tensor | int = 1
    """Values, characters or samples in each example, (n,) or one number for all: the divisor of bits."""
    exact: bool = True
    """False: `nats` is an upper bound."""
    note: str = ""
    """What a reader of the figure must know: how images were binarised, where the text was cut."""


class HasLikelihood(Ability):
    """Computes how likely given examples are, exactly or as a bound."""

    def likelihood(
        self,
        examples: Tensor,
        labels: Tensor | None = None,
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> Likelihood:
        """Of examples (n, ...) as a batch holds them, images in [-1, 1]; in eval mode, on the examples' device.

        `labels` (n,) are for methods that are conditioned on classes; others ignore them. A bound that is estimated uses
        `samples` draws per example: more make it tighter. `generator` is on the CPU, whatever the device; what it draws about
        the examples themselves (binarising them) comes first, so that another `samples` measures the same examples.
        """
        return self.compute_likelihood(examples, labels, samples, generator)

    @abstractmethod
    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """`likelihood`, which calls this. Methods whose likelihood is exact ignore `samples`."""


# --- images from images, texts from texts ----------------------------------------------------------------------------------


class Translates(Ability):
    """Translates examples of one kind into their partners: images into another kind of images, texts into another language."""

    @abstractmethod
    def directions(self) -> tuple[str, ...]:
        """The directions it has: "ab" from the data's examples to their partners, "ba" back."""

    @abstractmethod
    def multiple(self) -> int:
        """Height and width of the images that `translate` takes are multiples of it; 1 of texts."""

    @abstractmethod
    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """Translations of images (n, C, H, W) in [-1, 1], of the same size; of texts, token numbers (n, S) int64 as a batch of
        parallel text has them, translations (n, T).

        Where the images are tiles of larger ones, `whole` (n, C, h, w) holds the larger ones, resized: what is decided once per
        image (its colours) is decided by them, so that tiles agree. Their sides are multiples too.
        """

    def attention(self, images: Tensor, translations: Tensor) -> Tensor:
        """Optional, of texts: how much each token of translations (n, T) looks at each token of texts (n, S), (n, T, S); the
        shares
        of a token sum to 1."""
        raise NotImplementedError

    def partner_likelihood(self, images: Tensor, partners: Tensor) -> Likelihood:
        """Optional: how likely the true partners of given examples are, given these."""
        raise NotImplementedError


SENTENCES_PER_CALL = 32  # the last block filled up
LENGTH_STEP = 8  # tokens: sentences are filled up to a multiple of it, and those of one length are translated together


@torch.no_grad()
def translated_rows(
    method: Translates, rows: np.ndarray, end: int, progress: Callable[[str, int, int], object] | None = None
) -> np.ndarray:
    """Translations (n, T) int64 of sentences in token numbers (n, S), filled up with `end`: those of similar length together, in
    blocks of one size, so that a translation does not depend on what else is translated."""
    sizes = (rows == end).argmax(1) + 1
    filled = -(-sizes // LENGTH_STEP) * LENGTH_STEP
    made: dict[int, np.ndarray] = {}
    for length in np.unique(filled).tolist():
        chosen = np.flatnonzero(filled == length)
        for start in range(0, len(chosen), SENTENCES_PER_CALL):
            places = chosen[np.minimum(np.arange(start, start + SENTENCES_PER_CALL), len(chosen) - 1)]
            block = torch.full((SENTENCES_PER_CALL, length), end)
            given = torch.from_numpy(rows[places, :length].astype(np.int64))
            block[:, : given.shape[1]] = given
            translations = method.translate(block.to(method.device)).cpu().numpy()
            made |= dict(zip(places.tolist(), translations, strict=True))
            if progress:
                progress("translations", len(made), len(rows))
    out = np.full((len(rows), max((len(row) for row in made.values()), default=1)), end)
    for index, row in made.items():
        out[index, : len(row)] = row
    return out


@dataclass(frozen=True)
class Restoration:
    """What a method restores."""

    degradation: str
    """"noise", "resolution" or "holes"."""
    scale: int = 1
    """Height and width of the restored image over those of the input."""
    multiple: int = 1
    """Height and width of the input are multiples of it; 0: only those of the data it was trained on."""
    answers: bool = False
    """It has more than one answer, by the generator's draw."""
    invents: bool = False
    """It aims at images that look right rather than at the nearest pixels: a perceptual distance says more of it than PSNR."""
    by_size: bool = False
    """What is computed depends on height and width, such as the number of sizes of a pyramid: an export is for one size."""


@dataclass(frozen=True)
class Degraded:
    """Images that were degraded on purpose, for training and for measuring."""

    image: Tensor
    """What `restore` takes, (n, C, h, w)."""
    whole: Tensor
    """The original images, (n, C, H, W) in [-1, 1]."""
    start: Tensor
    """The baseline without the method, of the size of `whole`: upsampled by bicubic, as it came, its hole filled smoothly."""
    mask: Tensor | None = None
    """For "holes": (n, 1, H, W), 1 where the image is missing."""


class Restores(Ability):
    """Restores degraded images."""

    @abstractmethod
    def restoration(self) -> Restoration:
        """What it restores."""

    @abstractmethod
    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Whole images (n, C, H * scale, W * scale) of `degraded` (n, C, H, W), both in [-1, 1].

        `mask` (n, 1, H, W), for "holes" only, is 1 where the image is missing; elsewhere the image stays bit-equal.
        `generator` is on the CPU, and image i takes the same numbers whatever n is: the first of n draws is that of 1.
        """

    def restore_batch(self, degraded: Tensor, mask: Tensor | None = None) -> Tensor:
        """`restore` in one pass over all images, without a draw: an image may differ by rounding from that of `restore`."""
        return self.restore(degraded, mask)

    def degrade(self, batch: Batch) -> Degraded:
        """Optional: the batch's images, degraded as in training by what the batch draws, so that restoring can be measured."""
        raise NotImplementedError

    def interpolated(self, share: float) -> Self:
        """Optional, after a training in two phases: a copy whose weights are between those of both phases, 0 those at the end
        of the first phase, 1 the last ones."""
        raise NotImplementedError


RESTORED_PER_CALL = 16  # images per call of `restore_images`


def restore_images(
    method: Restores, degraded: Tensor, mask: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """`method.restore` of any number of images (n, C, H, W), on their device: image i depends on its own input and random
    numbers alone, since `restore` always gets the same number of images."""

    def restored(rows: Tensor) -> Tensor:
        rows = rows.to(degraded.device)
        return method.restore(degraded[rows], None if mask is None else mask[rows], generator=generator)

    return in_chunks(len(degraded), restored, RESTORED_PER_CALL, degraded.device)


class Stylises(Ability):
    """Generates an image in the style of another."""

    @abstractmethod
    def load_frozen(self, device: torch.device) -> None:
        """Reads what `style_losses` need and the weights do not hold: the feature network, style images. See Method."""

    @abstractmethod
    def multiple(self) -> int:
        """Height and width of what `stylise` takes are multiples of it."""

    @abstractmethod
    def stylise(self, content: Tensor, style: Tensor | None = None, *, strength: float = 1.0) -> Tensor:
        """`content` (n, C, H, W) in [-1, 1], of the same size, in the style of `style` (1 or n, C, h, w); None where the method
        has a single style. `strength` 0 reconstructs the content."""

    def stylise_mixed(
        self, content: Tensor, styles: Sequence[Tensor], shares: Sequence[float], *, strength: float = 1.0
    ) -> Tensor:
        """As `stylise`, in a mixture of several styles (1, C, h, w); `shares` sum to 1. UsageError where it mixes none."""
        raise UsageError(f"{self.name} takes one style at a time (got {len(styles)})")

    def styles_of(self, batch: Batch) -> Tensor | None:
        """A style for each image of a batch, drawn as in training; None where the method has a single style."""
        return None

    @abstractmethod
    def style_losses(self, stylised: Tensor, content: Tensor, style: Tensor | None) -> dict[str, Tensor]:
        """The training's losses of each stylised image (n, C, H, W), (n,), after `load_frozen`: "content" and "style", 0 where
        it matches and about 1 where it has nothing of it, and "loss", both with their weights."""


class Demonstrates(Ability):
    """Shows what it makes of given images, beside them."""

    @abstractmethod
    def rows(self, batch: Batch) -> Tensor:
        """A row of k images for each image of `batch`, (n, k, C, H, W) in [-1, 1]: input, output, target."""


def restored_rows(method: Restores, batch: Batch) -> Tensor:
    """Rows of three, (n, 3, C, H, W) in [-1, 1]: the batch's images degraded (holes in grey), restored, and as they were."""
    degraded = method.degrade(batch)
    seen = degraded.start if degraded.mask is None else torch.where(degraded.mask > 0, 0.0, degraded.image)
    return torch.stack([seen.clamp(-1, 1), restore_images(method, degraded.image, degraded.mask), degraded.whole], 1)
