"""Hinge GAN with spectral normalisation (SNGAN, Miyato 2018, arXiv:1802.05957).

Idea: divide each weight matrix of D by its largest singular value, estimated by one power iteration a pass (eqs. 8 and 9), so
that D is Lipschitz by construction; with the hinge loss (eqs. 16 and 17).

Departs from the paper: any height and width. The defaults are for minutes of a CPU: narrow networks, small batches, ten times the
learning rate, twice that for D, and one D step for each of G (the paper has 1 and 5); preset `paper` has the paper's values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.losses.adversarial import discriminator_report, hinge_discriminator, wasserstein_generator
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.dcgan import DCGANGenerator, SNDiscriminator
from ganvas.registry import preset


class HingeSN(Adversarial):
    name = "hinge_sn"
    title = "hinge loss, spectral normalisation"
    paper = "Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    z_dim: int = setting(128, "size of the latent", minimum=1, fewer_is_fine=True)
    lr: float = setting(2e-3, "learning rate of Adam, both networks", minimum=0)
    balance: float = setting(2.0, "learning rate of D over that of G", minimum=0)
    beta1: float = setting(0.0, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.9, "Adam's second decay", minimum=0, maximum=0.99999)
    width: int = setting(12, "channels at full size, both networks", minimum=1)
    n_critic: int = setting(1, "D steps for each step of G, each on a fresh batch (n_dis)", minimum=1)

    def build(self, spec: DataSpec) -> None:
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch", last="conv3")
        self.D = SNDiscriminator(spec.shape, self.width)

    def updates(self) -> list[Update]:
        return [
            Update("discriminator", trains="D", loss=self.discriminator_loss, repeat=self.n_critic, after=self.adapt),
            Update("generator", trains="G", loss=self.generator_loss),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        # -D(G(z)), eq. 17: the same line as WGAN's.
        return {"loss": wasserstein_generator(self.discriminate(batch, self.generate_for(batch))).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate_for(batch)
        real_logits, fake_logits = self.both(batch, fake)
        return discriminator_report(hinge_discriminator(real_logits, fake_logits).mean(), real_logits, fake_logits)


@preset("hinge_sn")
def tiny() -> HingeSN:
    """Seconds on a CPU; for tests and first looks."""
    return HingeSN(batch_size=16, z_dim=8, width=4, lr=2e-4, balance=1, n_critic=2)


@preset("hinge_sn")
def paper() -> HingeSN:
    """The paper's width, batch, learning rate and critic steps. Slow on a CPU."""
    return HingeSN(batch_size=64, width=64, lr=2e-4, balance=1, n_critic=5)


@preset("hinge_sn")
def small() -> HingeSN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return HingeSN()


@preset("hinge_sn")
def emoji() -> HingeSN:
    """`small`, and ADA, since 1,720 images are few. Figures: docs/experiments/gan_table.md."""
    return HingeSN(width=16, augment="ada", ada_images=200_000)
