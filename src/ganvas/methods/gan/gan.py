"""GAN: generative adversarial nets (Goodfellow 2014, arXiv:1406.2661), with fully connected networks.

Idea: G turns noise into images, D distinguishes them from real ones; G is trained through D's output. At the equilibrium of
eq. 1 G's distribution is the data's (theorem 1).

Settings cover the forms found in papers, courses and repositories: G's loss minimax (eq. 1) or non-saturating (sec. 3), noise
normal or uniform, D's output one sigmoid or a softmax over two classes.

Departs from the paper: ReLU where it had maxout and sigmoid units, Adam instead of momentum, tanh since pixels lie in [-1, 1],
one D step for each G step (algorithm 1 allows k; the paper used k = 1), an average of G's weights for sampling. The paper had
dropout in D and names no rate: preset `small` has it, the others, which are networks of courses, have not.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from ganvas.draws import Draw
from ganvas.losses.adversarial import (
    discriminator_cross_entropy,
    discriminator_report,
    minimax_generator,
    non_saturating_generator,
)
from ganvas.method import Batch, DataSpec, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.mlp import MLPDiscriminator, MLPGenerator
from ganvas.registry import preset


class GAN(Adversarial):
    name = "gan"
    title = "the classic MLP GAN"
    paper = "Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661"

    batch_size: int = setting(100, "images per step, over all processes together", minimum=2)
    beta1: float = setting(0.9, "Adam's first decay", minimum=0, maximum=0.9999)
    loss: str = setting("non_saturating", "the loss of G", choices=("non_saturating", "minimax"))
    noise_kind: str = setting("normal", "distribution of z; uniform is on [-1, 1)", choices=("normal", "uniform"))
    output: str = setting("sigmoid", "D's last layer: one logit, or two classes", choices=("sigmoid", "softmax2"))
    generator: tuple[int, ...] = setting((256, 512), "widths of G's hidden layers", minimum=1)
    discriminator: tuple[int, ...] = setting((512, 256), "widths of D's hidden layers", minimum=1)
    activation: str = setting("relu", "of the hidden layers; leaky_relu has slope 0.2", choices=("relu", "leaky_relu"))
    norm: str = setting("none", "G's normalisation, from its second hidden layer on", choices=("none", "batch"))
    dropout: float = setting(0.0, "dropout rate of D's hidden layers", minimum=0, maximum=0.9)

    keeps_graph = True

    def build(self, spec: DataSpec) -> None:
        outputs = 2 if self.output == "softmax2" else 1
        self.G = MLPGenerator(self.z_dim, self.generator, spec.shape, self.activation, self.norm)
        self.D = MLPDiscriminator(spec.shape, self.discriminator, self.activation, outputs, self.dropout)

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        equation = minimax_generator if self.loss == "minimax" else non_saturating_generator
        return {"loss": equation(logits).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        real_logits = self.discriminate(batch, batch.real)
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Log-odds (M, 1) of "real", float32, of M = k * len(batch) images as D sees them: with a softmax over (fake, real) the
        difference of its two scores. While training with dropout."""
        times = len(images) // len(batch)
        seen = self.augmented(batch, images, times)
        if self.dropout and self.training:
            scores = self.D(seen, partial(self.uniform_rows, batch, times)).float()
        else:
            scores = self.D(seen).float()
        if self.output == "softmax2":
            return scores[:, 1:] - scores[:, :1]
        return scores

    def noise(self, batch: Batch) -> Tensor:
        if self.noise_kind == "uniform":
            return batch.uniform(self.z_dim, low=-1.0, high=1.0)
        return batch.normal(self.z_dim)

    def draws(self) -> tuple[Draw, ...]:
        """z, as in training."""
        if self.noise_kind == "uniform":
            return (Draw("uniform", self.z_dim, -1.0, 1.0),)
        return (Draw("normal", self.z_dim),)


@preset("gan")
def tiny() -> GAN:
    """Seconds on a CPU; for tests and first looks."""
    return GAN(batch_size=16, z_dim=8, generator=(32,), discriminator=(32,))


@preset("gan")
def relu() -> GAN:
    """100-256-512-784 with ReLU against 784-512-256-1, Adam 2e-4, batch 100: the net of many courses.

    Figures after 100 epochs of the built-in digits: docs/experiments.md.
    """
    return GAN()


@preset("gan")
def batchnorm() -> GAN:
    """256-512-1024 with LeakyReLU and BatchNorm against 784-512-256-1, Adam 2e-4 with beta1 0.5."""
    return GAN(generator=(256, 512, 1024), activation="leaky_relu", norm="batch", beta1=0.5)


@preset("gan")
def small() -> GAN:
    """`batchnorm` with five times the learning rate, small batches, and dropout in D, which otherwise memorises the images,
    for digits in minutes of a CPU. Figures: docs/experiments/gan_table.md."""
    return GAN(
        generator=(256, 512, 1024), activation="leaky_relu", norm="batch", beta1=0.5, lr=1e-3, batch_size=32, dropout=0.3,
    )  # fmt: skip


@preset("gan")
def wide() -> GAN:
    """128-256-512-1024 with LeakyReLU and BatchNorm against 784-512-256-1, Adam 2e-4 with beta1 0.5, batch 64."""
    return GAN(generator=(128, 256, 512, 1024), activation="leaky_relu", norm="batch", beta1=0.5, batch_size=64)
