"""Gated PixelCNN (van den Oord 2016, Conditional Image Generation with PixelCNN Decoders, arXiv:1606.05328).

Idea: p(x) is the product of p(x_i | all earlier), row by row, pixel by pixel, and in a pixel channel by channel (eq. 1). One
masked network computes all these factors at once, so the likelihood is exact and training needs one pass; sampling takes one pass
per pixel, of which a cache computes the new column only. The vertical and the horizontal stack together see every earlier pixel,
gates replace ReLUs (eq. 2), and the class is an input of every gate (eq. 4).

`output` is the distribution of a channel: two levels, a softmax over levels, or the discretised mixture of logistics of
PixelCNN++ (arXiv:1701.05517), in which a pixel is one unit and its channels depend on each other inside the mixture.

A latent holds one uniform number per pixel and channel: the level is the one whose interval of the cumulative distribution
contains the number. So an image is a function of its latent alone.

Departs from the paper: Adam with one decay of the learning rate, an average of the weights for sampling, dropout of whole
features of an image, initial weights that compensate for the gate's loss of variance, inputs in [-1, 1]; classes as vectors
only, without the maps of eq. 5.
"""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor

from ganvas.abilities import Likelihood
from ganvas.draws import Draw
from ganvas.losses.autoregressive import (
    Binary,
    Categorical,
    Distribution,
    LogisticMixture,
    drawn,
    to_levels,
    to_values,
)
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.autoregressive._base import ExactLikelihood
from ganvas.networks.pixelcnn import Incremental, PixelCNN
from ganvas.registry import preset

LIKELIHOOD_NOTES = {
    "stochastic": "images binarised stochastically: 1 with the probability of the grey, once, by a fixed seed",
    "threshold": "images binarised at the middle grey",
}


class GatedPixelCNN(ExactLikelihood):
    name = "pixelcnn"
    title = "gated PixelCNN: exact likelihood, pixel by pixel"
    paper = "van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, arXiv:1606.05328"

    output: str = setting(
        "categorical",
        "a channel's distribution: 2 levels, a softmax over levels, or a mixture of logistics over them",
        choices=("binary", "categorical", "logistic_mixture"),
    )
    levels: int = setting(
        256,
        "categorical, logistic_mixture: levels of a channel",
        minimum=2,
        maximum=256,
        fewer_is_fine=True,
        when="output=categorical,logistic_mixture",
    )
    mixtures: int = setting(10, "logistic_mixture: components", minimum=1, when="output=logistic_mixture")
    binarise: str = setting(
        "threshold",
        "binary: 1 where a value is above the middle, or sampled in each step with the value as probability",
        choices=("threshold", "stochastic"),
        when="output=binary",
    )
    width: int = setting(64, "features of each stack; rounded up to a multiple of the channels", minimum=1)
    layers: int = setting(8, "gated layers", minimum=1)
    kernel: int = setting(3, "height and width of what a layer sees, before masking", choices=(3, 5, 7), unit="pixels")
    first_kernel: int = setting(7, "the same of the first layer", choices=(3, 5, 7), unit="pixels")
    head: int = setting(128, "features of the two layers before the output", minimum=1)
    dropout: float = setting(0.0, "dropout rate of the features of each gate", minimum=0, maximum=0.9)
    conditional: bool = setting(False, "condition every gate on the class of each image; the data need labels")

    def build(self, spec: DataSpec) -> None:
        self.shape = spec.shape
        self.distribution = self.of_a_channel(spec.channels)
        classes = self.classes_for(spec, self.conditional)
        self.network = PixelCNN(
            spec.channels, self.distribution.outputs, self.distribution.groups, self.width, self.layers, self.kernel,
            self.first_kernel, self.head, classes,
        )  # fmt: skip
        if isinstance(self.distribution, LogisticMixture) and self.network.out.bias is not None:
            with torch.no_grad():
                self.network.out.bias.copy_(self.distribution.bias())

    def of_a_channel(self, channels: int) -> Distribution:
        """The distribution that `output` names."""
        if self.output == "binary":
            return Binary(channels)
        if self.output == "categorical":
            return Categorical(channels, self.levels)
        return LogisticMixture(channels, self.levels, self.mixtures)

    def updates(self) -> list[Update]:
        return [Update("likelihood", trains="network", loss=self.likelihood_loss)]

    # --- likelihood -----------------------------------------------------------------------------------------------------

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats per dimension; "nats" per image and "bits_per_dim" are for the log."""
        uniform = batch.uniform(*self.shape) if self.draws_levels else None
        codes = self.levels_of(batch.real, uniform)
        dropout_mask = None
        if self.dropout:
            dropout_mask = (batch.uniform(self.layers, self.network.features) >= self.dropout) / (1 - self.dropout)
        nats = -self.log_probability(codes, batch.label, dropout_mask).mean()
        loss = nats / math.prod(self.shape)
        return {"loss": loss, "nats": nats.detach(), "bits_per_dim": loss.detach() / math.log(2)}

    def log_likelihood(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Exact log p in nats, (n,), of images (n, C, H, W) in [-1, 1] at this method's levels; given `labels` (n,)
        where it is class-conditional.

        Where levels are sampled (binarise=stochastic), each image's random numbers follow from its own bytes: the same
        image is binarised equally in every call, and images of two levels stay as they are.
        """
        uniform = None
        if self.draws_levels:
            uniform = torch.stack([_numbers_of(image) for image in images]).to(images.device)
        return self.log_probability(self.levels_of(images, uniform), labels)

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """The exact likelihood of each image at this method's levels."""
        uniform = None
        if self.draws_levels:
            uniform = torch.rand(examples.shape, generator=generator).to(examples.device)
        nats = -self.log_probability(self.levels_of(examples, uniform), labels)
        unit, note = "bits_per_dim", f"{self.distribution.levels} levels a channel"
        if self.output == "binary":
            unit, note = "nats", LIKELIHOOD_NOTES[self.binarise]
        return Likelihood(nats, unit, terms=math.prod(self.shape), note=note)

    def log_probability(self, codes: Tensor, label: Tensor | None, dropout_mask: Tensor | None = None) -> Tensor:
        """log p (N,) in nats of codes (N, C, H, W)."""
        values = to_values(codes, self.distribution.levels)
        raw = self.network(values, label if self.classes else None, dropout_mask)
        return self.distribution.log_likelihood(raw, codes)

    def levels_of(self, images: Tensor, uniform: Tensor | None) -> Tensor:
        """Levels (N, C, H, W) of images in [-1, 1]: the nearest, or 1 where `uniform` is below the value scaled to [0, 1]."""
        if uniform is None:
            return to_levels(images, self.distribution.levels)
        return (uniform < (images.float() + 1) / 2).long()

    @property
    def draws_levels(self) -> bool:
        """Whether an image's levels are sampled rather than the nearest ones."""
        return self.output == "binary" and self.binarise == "stochastic"

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """One uniform number per channel and pixel."""
        return (Draw("uniform", math.prod(self.shape)),)

    @torch.no_grad()
    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1]; of the classes `labels` (n,) where the network is conditioned on classes."""
        C, H, W = self.shape
        n, groups = len(latents), self.distribution.groups
        uniform = latents.view(n, C, H, W).permute(2, 3, 1, 0).contiguous()
        network = Incremental(self.network, n, W, labels if self.classes else None)
        images = latents.new_empty(n, C, H, W)
        for i in range(H):
            network.begin_row()
            for j in range(W):
                pixel = network.pixel(j)
                raw = network.raw(j)
                for c in range(C):
                    if 0 < c < groups:
                        raw = network.raw(j, c)
                    pixel[:, c] = drawn(self.distribution, raw, uniform[i, j, c], pixel[:, :c], self.temperature)
            images[:, :, i] = network.row()
        return images


def _numbers_of(image: Tensor) -> Tensor:
    """Uniform numbers of the shape of one image in [-1, 1], seeded by its bytes."""
    content = to_levels(image, 256).to(torch.uint8).cpu().contiguous()
    generator = torch.Generator().manual_seed(zlib.crc32(content.numpy().tobytes()))
    return torch.rand(image.shape, generator=generator)


@preset("pixelcnn")
def tiny() -> GatedPixelCNN:
    """Seconds on a CPU; for tests and first looks. Four levels."""
    return GatedPixelCNN(batch_size=16, levels=4, width=4, layers=2, first_kernel=3, head=8, mixtures=2, warmup=0)


@preset("pixelcnn")
def small() -> GatedPixelCNN:
    """Binary digits of 28 x 28 on 2 CPU cores, in minutes. Figures: docs/experiments/likelihood.md."""
    return GatedPixelCNN(output="binary", batch_size=16, width=32, layers=7, kernel=7, head=64, lr=3e-3)


@preset("pixelcnn")
def mnist() -> GatedPixelCNN:
    """Digits binarised stochastically in each step: for all of MNIST, minutes of a CPU core. The kernel size matters most: at
    3 x 3 no width and no time came below 86 nats. Figures: docs/experiments/likelihood.md."""
    return GatedPixelCNN(
        output="binary", binarise="stochastic", batch_size=16, width=32, layers=8, kernel=7, head=64, lr=3e-3, ema=0.9995,
    )  # fmt: skip


@preset("pixelcnn")
def paper() -> GatedPixelCNN:
    """The size of the paper's for ImageNet at 32 x 32: 20 layers of 384 features, 5 x 5, batch 128. For GPUs."""
    return GatedPixelCNN(batch_size=128, width=384, layers=20, kernel=5, head=768, ema=0.9999)
