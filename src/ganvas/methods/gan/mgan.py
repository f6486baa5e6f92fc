"""MGAN: a mixture of generators (Hoang 2018, ICLR, openreview rkmu5b0a-, arXiv:1708.02556). The default of this package.

Idea: K generators with equal probabilities, and a classifier C that predicts which of them generated an image. D scores their
mixture as usual; C's loss (weight beta, eq. 2) is minimised by C and by the generators, so that each generator specialises, and
together they cover modes that one generator would drop. The generators share all but their first layer, and C shares all but its
last layer with D, so the mixture costs little more than one GAN. Compare the file dcgan.py.

A latent is z and the one-hot generator, so an image is a function of its seed, and the generator can be set like any other code.

Departs from the paper: DCGAN's networks at any height and width (theirs have 5 x 5 kernels); the generator is drawn for each
image (theirs generate equal parts of a batch), with batch statistics of the mixture; noise is normal (theirs uniform). Where
the data have labels, G and D are conditioned on the class as in dcgan.py; C is not. The defaults are for minutes of a CPU:
narrow networks, batches of 16, many times the paper's learning rate and beta. Preset `paper` has the paper's values.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Code
from ganvas.draws import Draw
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report, non_saturating_generator
from ganvas.losses.mixture import generator_cross_entropy
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.conditional import labelled, projection
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.networks.shared import SharedGenerators
from ganvas.registry import preset


class MGAN(Adversarial):
    name = "mgan"
    title = "several generators and a classifier that separates them"
    paper = "Hoang et al. 2018, MGAN: Training Generative Adversarial Nets with Multiple Generators, arXiv:1708.02556"
    keeps_graph = True

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    width: int = setting(28, "channels at the largest inner size, all networks", minimum=1)
    lr: float = setting(3e-3, "learning rate of Adam, both networks", minimum=0)
    z_dim: int = setting(32, "size of the latent", minimum=1, fewer_is_fine=True)
    generators: int = setting(10, "generators (K); they share all but their first layer", minimum=2, maximum=1000)
    beta: float = setting(
        0.5,
        "weight of the classifier loss that keeps the generators different; increase it if they collapse",
        minimum=0,
    )

    conditional: bool | None = setting(
        None, "condition G and D on the class of each image; auto: where the data have labels that are worth it"
    )

    filled = ("conditional",)

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        trunk = partial(DCGANGenerator, shape=spec.shape, width=self.width, norm="batch")
        self.G = labelled(SharedGenerators(trunk, self.z_dim, self.generators, classes), classes)
        # One trunk, and side by side the last layers of D (its first output), C, and D's products with the classes.
        self.D = DCGANDiscriminator(spec.shape, self.width, norm="batch", outputs=1 + self.generators + classes)

    def updates(self) -> list[Update]:
        return [
            Update("generator", trains="G", loss=self.generator_loss, keeps_graph=self.keeps_graph),
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake, which = batch.memo("generated", lambda: self.generated(batch))
        logits, scores = batch.memo("fake_outputs", lambda: self.logits_and_scores(batch, fake))
        classification = generator_cross_entropy(scores, which).mean()
        loss = non_saturating_generator(logits).mean() + self.beta * classification
        return {"loss": loss, "classification": classification.detach()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake, which = batch.memo("generated", lambda: self.generated(batch))
        # Two passes: batch statistics of real and fake images must not mix.
        real_logits = self.discriminate(batch, batch.real)
        fake_logits, scores = batch.memo("fake_outputs", lambda: self.logits_and_scores(batch, fake.detach()))
        classification = generator_cross_entropy(scores, which).mean()
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean() + self.beta * classification
        accuracy = (scores.detach().argmax(1) == which).float().mean()  # of C
        return discriminator_report(loss, real_logits, fake_logits, generator_accuracy=accuracy)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        return self.logits_and_scores(batch, images)[0]

    def logits_and_scores(self, batch: Batch, images: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits (M, 1), and C's scores (M, K) of the generators, before softmax, of M = k * len(batch) images."""
        times = len(images) // len(batch)
        outputs = self.D(self.augmented(batch, images, times)).float()
        logits, scores, products = outputs.split([1, self.generators, self.classes], 1)
        if self.classes and batch.label is not None:
            logits = projection(logits, products, batch.label.repeat(times))
        return logits, scores

    def generated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """New images (N, C, H, W), and their generators (N,) int64."""
        z = self.noise(batch)
        return self.images_of(z, batch.label), self.which(z)

    # --- latents: z and the generator as one-hot, (n, z_dim + K) ---------------------------------------------------------

    def noise(self, batch: Batch) -> Tensor:
        return torch.cat([batch.normal(self.z_dim), self.one_hot(batch.integers(self.generators))], 1)

    def draws(self) -> tuple[Draw, ...]:
        """z, and which generator."""
        return (Draw("normal", self.z_dim), Draw("one_hot", self.generators))

    def codes(self) -> list[Code]:
        return [Code("generator", "categorical", self.z_dim, self.generators)]

    def one_hot(self, which: Tensor) -> Tensor:
        return F.one_hot(which, self.generators).float()

    def which(self, z: Tensor) -> Tensor:
        """The generators (N,) int64 in latents (N, z_dim + K)."""
        return z[:, self.z_dim :].argmax(1)


@preset("mgan")
def tiny() -> MGAN:
    """Seconds on a CPU; for tests and first looks."""
    return MGAN(batch_size=16, z_dim=8, width=4, lr=2e-4, generators=3, beta=0.01, conditional=False)


@preset("mgan")
def paper() -> MGAN:
    """The paper's width, batch, learning rate and beta. Slow on a CPU."""
    return MGAN(batch_size=128, width=64, z_dim=100, lr=2e-4, beta=0.01, conditional=False)


@preset("mgan")
def small() -> MGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return MGAN()
