"""R3GAN: the modern baseline GAN (Huang 2024, arXiv:2501.05441).

Idea: a relativistic pairing loss (eq. 2: D only has to rank a real above a fake image, which leaves no bad basin for dropped
modes) and zero-centred gradient penalties on real and fake images (R1 + R2), which make it converge locally (proposition 2).
With that, plain residual networks need no normalisation, no noise inputs and no other trick.

Gamma follows the total variance of the data unless it is set (losses/gradient.py, auto_gamma).

Departs from the paper: penalties may be lazy (`penalty_every`, weight multiplied by it as in StyleGAN2); one linear decay of
the learning rate (`decay`) in place of the paper's schedules for learning rate, gamma, beta2 and the average.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.losses.adversarial import discriminator_report, relativistic_discriminator, relativistic_generator
from ganvas.losses.gradient import auto_gamma, squared_gradient
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import decay_setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.conditional import labelled, projected
from ganvas.networks.resnet import ResNetDiscriminator, ResNetGenerator
from ganvas.networks.strided import StridedDiscriminator, StridedGenerator
from ganvas.registry import preset


class R3GAN(Adversarial):
    name = "r3gan"
    title = "relativistic pairing, R1 + R2, no normalisation"
    paper = "Huang et al. 2024, The GAN is dead; long live the GAN! A Modern Baseline GAN, arXiv:2501.05441"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=1)
    z_dim: int = setting(64, "size of the latent", minimum=1, fewer_is_fine=True)
    lr: float = setting(3e-3, "learning rate of Adam, both networks, at the start", minimum=0)
    beta1: float = setting(0.0, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.99, "Adam's second decay", minimum=0, maximum=0.99999)
    decay: str = decay_setting("linear")
    warmup: int = setting(100, "steps over which the learning rate rises to its full value", minimum=0)
    gamma: float | None = setting(None, "weight of R1 and R2; auto = total variance of the data / 200", minimum=0)
    penalty_every: int = setting(4, "penalise in every n-th step only, n times as strongly", minimum=1)
    network: str = setting(
        "strided",
        "strided 4x4 convolutions (for CPUs), or residual: dense 3x3, or the paper's 1x1, grouped 3x3, 1x1",
        choices=("strided", "dense", "grouped"),
    )
    widths: tuple[int, ...] = setting(
        (96, 48, 24), "channels from the smallest images up; of strided, without full size", minimum=1
    )
    blocks: int = setting(2, "residual blocks a stage (dense and grouped)", minimum=1, when="network=dense,grouped")
    expansion: int = setting(2, "inner over outer channels of a grouped block", minimum=1, when="network=grouped")
    group_size: int = setting(16, "channels a group of a grouped block", minimum=1, when="network=grouped")
    conditional: bool = setting(False, "condition both networks on the class of each image; the data need labels")
    ema: float = setting(0.999, "decay of G's average per step", minimum=0, maximum=0.999999)

    def build(self, spec: DataSpec) -> None:
        self.strength = auto_gamma(spec.total_variance) if self.gamma is None else self.gamma
        widths = self.widths
        classes = self.classes_for(spec, self.conditional)
        if self.network == "strided":
            G = StridedGenerator(self.z_dim + classes, spec.shape, widths)
            D = StridedDiscriminator(spec.shape, widths, outputs=1 + classes)
        else:
            residual = (widths, self.blocks, self.network, self.expansion, self.group_size)
            G = ResNetGenerator(self.z_dim + classes, spec.shape, *residual)
            D = ResNetDiscriminator(spec.shape, *residual, outputs=1 + classes)
        self.G, self.D = labelled(G, classes), projected(D, classes)

    def updates(self) -> list[Update]:
        generator = Update("generator", trains="G", loss=self.generator_loss, keeps_graph=self.penalty_every > 1)
        if self.penalty_every == 1:
            return [generator, Update("discriminator", trains="D", loss=self.penalised_loss, after=self.adapt)]
        return [
            generator,
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
            Update("penalty", trains="D", loss=self.penalty_loss, every=self.penalty_every),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        real_logits, fake_logits = batch.memo("logits", lambda: self.logits(batch, fake))
        # G is moved through its own images only.
        return {"loss": relativistic_generator(real_logits.detach(), fake_logits).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        real_logits, fake_logits = batch.memo("logits", lambda: self.logits(batch, fake))
        loss = relativistic_discriminator(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits, boundary=None)

    def logits(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Of real and of fake images, (N, 1) each. The update of D goes back through those of G's, unless it has a pass of its
        own for the penalties in every step."""
        with torch.set_grad_enabled(self.penalty_every > 1):
            real_logits = self.discriminate(batch, batch.real)
        return real_logits, self.discriminate(batch, fake)

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """gamma / 2 (R1 + R2) alone, in a step of its own and `penalty_every` times as strong."""
        return self.penalty(*self.discriminate_points(batch), self.penalty_every)

    def penalised_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The paper's D loss: eq. 2 and the penalties on one pass through D."""
        points, logits = self.discriminate_points(batch)
        penalty = self.penalty(points, logits, 1)
        real, fake = logits.chunk(2)
        loss = relativistic_discriminator(real, fake).mean() + penalty["loss"]
        return discriminator_report(loss, real, fake, boundary=None, r1=penalty["r1"], r2=penalty["r2"])

    def discriminate_points(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Real and fake images (2N, C, H, W), ready for a penalty, and their logits (2N, 1)."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        points = torch.cat([batch.real, fake]).requires_grad_()
        return points, self.discriminate(batch, points)

    def penalty(self, points: Tensor, logits: Tensor, weight: int) -> dict[str, Tensor]:
        """weight * gamma / 2 * mean(R1 + R2) (eqs. 3 and 4), and the means of both."""
        r1, r2 = squared_gradient(points, logits).chunk(2)
        loss = weight * self.strength / 2 * (r1 + r2).mean()
        return {"loss": loss, "r1": r1.detach().mean(), "r2": r2.detach().mean()}

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)


@preset("r3gan")
def tiny() -> R3GAN:
    """Seconds on a CPU; for tests and first looks."""
    return R3GAN(batch_size=16, z_dim=8, widths=(8, 4), warmup=0)


@preset("r3gan")
def cpu() -> R3GAN:
    """The defaults: found by measuring on 2 CPU cores with the built-in digits, five minutes. Figures: docs/experiments.md."""
    return R3GAN()


@preset("r3gan")
def paper() -> R3GAN:
    """The paper's network and settings for CIFAR-10: four stages of 768 channels, grouped 3x3, batch 512. For a GPU."""
    return R3GAN(
        batch_size=512, lr=2e-4, decay="none", warmup=0, gamma=0.05, penalty_every=1, network="grouped",
        widths=(768, 768, 768, 768), ema=0.9999,
    )  # fmt: skip


@preset("r3gan")
def emoji() -> R3GAN:
    """The default and ADA, for the 1,720 built-in emoji, which D would soon memorise. Figures: docs/experiments.md."""
    return R3GAN(augment="ada", ada_images=200_000)
