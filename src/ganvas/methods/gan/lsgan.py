"""LSGAN: least squares GAN (Mao 2017, arXiv:1611.04076).

Idea: D regresses 1 for real and 0 for fake images, and G minimises the distance to 1 (eq. 9): fakes on the right side of the
boundary but far from the data still give a gradient, where that of cross entropy vanishes. Everything else is DCGAN.

Departs from the paper: DCGAN's networks (the paper's own are for 112 x 112), as its comparison with DCGAN does; the defaults
are for minutes of a CPU, narrow networks, small batches and ten times the learning rate (preset `paper` has DCGAN's values).
"""

from __future__ import annotations

from torch import Tensor

from ganvas.losses.adversarial import discriminator_report, least_squares
from ganvas.method import Batch, DataSpec, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class LSGAN(Adversarial):
    name = "lsgan"
    title = "least squares GAN"
    paper = "Mao et al. 2017, Least Squares Generative Adversarial Networks, arXiv:1611.04076"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    lr: float = setting(2e-3, "learning rate of Adam, both networks", minimum=0)

    keeps_graph = True

    def build(self, spec: DataSpec) -> None:
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        self.D = DCGANDiscriminator(spec.shape, self.width, norm="batch")

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        return {"loss": least_squares(logits, 1.0).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        # Two passes: batch statistics of real and fake images must not mix.
        real_logits = self.discriminate(batch, batch.real)
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        loss = (least_squares(real_logits, 1.0) + least_squares(fake_logits, 0.0)).mean()
        return discriminator_report(loss, real_logits, fake_logits, boundary=0.5)


@preset("lsgan")
def tiny() -> LSGAN:
    """Seconds on a CPU; for tests and first looks."""
    return LSGAN(batch_size=16, z_dim=8, width=4, lr=2e-4)


@preset("lsgan")
def paper() -> LSGAN:
    """DCGAN's width, batch and learning rate. Slow on a CPU."""
    return LSGAN(batch_size=64, width=64, lr=2e-4)


@preset("lsgan")
def small() -> LSGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return LSGAN()


@preset("lsgan")
def emoji() -> LSGAN:
    """`small`, and ADA, since 1,720 images are few. Figures: docs/experiments/gan_table.md."""
    return LSGAN(augment="ada", ada_images=200_000)
