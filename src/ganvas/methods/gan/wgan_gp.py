"""WGAN-GP: Wasserstein GAN with gradient penalty (Gulrajani 2017, arXiv:1704.00028).

Idea: keep the critic 1-Lipschitz by asking for a gradient of norm 1 on lines between real and fake images (eq. 3) instead of
clipping its weights. No batch norm in the critic, since the penalty is meant for each image alone: layer norm (sec. 4).

Departs from the paper: DCGAN's networks (one of the paper's own architectures) at any height and width. The defaults are for
minutes of a CPU: small batches, twenty times the learning rate, one critic step in place of five and no norm in the critic
(preset `paper` has the paper's values).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.losses.adversarial import discriminator_report, wasserstein_critic, wasserstein_generator
from ganvas.losses.gradient import between, one_centred
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class WGANGP(Adversarial):
    name = "wgan_gp"
    title = "Wasserstein GAN, gradient penalty"
    paper = "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    lr: float = setting(2e-3, "learning rate of Adam, both networks", minimum=0)
    beta1: float = setting(0.0, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.9, "Adam's second decay", minimum=0, maximum=0.99999)
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    n_critic: int = setting(1, "critic steps for each step of G, each on a fresh batch", minimum=1)
    penalty: float = setting(10.0, "weight of the gradient penalty (lambda)", minimum=0)
    critic_norm: str = setting("none", "the critic's normalisation", choices=("layer", "instance", "none"))

    def build(self, spec: DataSpec) -> None:
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        self.D = DCGANDiscriminator(spec.shape, self.width, norm=self.critic_norm)

    def updates(self) -> list[Update]:
        return [
            Update("critic", trains="D", loss=self.discriminator_loss, repeat=self.n_critic, after=self.adapt),
            Update("generator", trains="G", loss=self.generator_loss),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": wasserstein_generator(self.discriminate(batch, self.generate_for(batch))).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate_for(batch)
        real_logits, fake_logits = self.both(batch, fake)
        points = between(batch.real, fake, batch.uniform(1, 1, 1))
        penalty = one_centred(points, self.discriminate(batch, points)).mean()
        loss = wasserstein_critic(real_logits, fake_logits).mean() + self.penalty * penalty
        return discriminator_report(loss, real_logits, fake_logits, boundary=None, penalty=penalty.detach())


@preset("wgan_gp")
def tiny() -> WGANGP:
    """Seconds on a CPU; for tests and first looks."""
    return WGANGP(batch_size=16, z_dim=8, width=4, lr=1e-4, n_critic=2, critic_norm="layer")


@preset("wgan_gp")
def paper() -> WGANGP:
    """The values of algorithm 1, and layer norm in the critic. Slow: after a minute of a CPU they have learned little."""
    return WGANGP(batch_size=64, lr=1e-4, width=64, n_critic=5, critic_norm="layer")


@preset("wgan_gp")
def small() -> WGANGP:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return WGANGP()


@preset("wgan_gp")
def emoji() -> WGANGP:
    """`small`, and ADA, since 1,720 images are few. Figures: docs/experiments/gan_table.md."""
    return WGANGP(augment="ada", ada_images=200_000)
