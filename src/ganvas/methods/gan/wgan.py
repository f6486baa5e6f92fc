"""WGAN: Wasserstein GAN with weight clipping (Arjovsky 2017, arXiv:1701.07875).

Idea: the critic f estimates the earth mover's distance (eq. 2), so it can be trained to optimality and still gives a useful
gradient. It is kept Lipschitz by clipping every weight to [-c, c] after each of its n_critic steps (algorithm 1).

Departs from the paper: the defaults are for minutes of a CPU, with small batches, forty times the learning rate, larger weights
and one critic step in place of five (preset `paper` has the paper's values); any height and width; no batch norm in the critic,
whose output for an image depends on the other images of the batch (the paper's appendix shows both).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer, RMSprop

from ganvas.losses.adversarial import discriminator_report, wasserstein_critic, wasserstein_generator
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Pair
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class WGAN(Pair):
    name = "wgan"
    title = "Wasserstein GAN, clipped weights"
    paper = "Arjovsky et al. 2017, Wasserstein GAN, arXiv:1701.07875"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    lr: float = setting(2e-3, "learning rate of RMSprop, both networks", minimum=0)
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    n_critic: int = setting(1, "critic steps for each step of G, each on a fresh batch", minimum=1)
    clip: float = setting(0.05, "largest absolute weight of the critic (c)", minimum=1e-6)

    def build(self, spec: DataSpec) -> None:
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        self.D = DCGANDiscriminator(spec.shape, self.width, norm="none")

    def optimizers(self) -> dict[str, Optimizer]:
        """RMSprop: momentum made the critic unstable (paper, sec. 3)."""
        optimizers: dict[str, Optimizer] = {}
        for key, network, rate in self.trained():
            optimizers[key] = RMSprop(network.parameters(), lr=rate, foreach=True)
        return optimizers

    def updates(self) -> list[Update]:
        return [
            Update("critic", trains="D", loss=self.discriminator_loss, repeat=self.n_critic, after=self.clip_weights),
            Update("generator", trains="G", loss=self.generator_loss),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": wasserstein_generator(self.discriminate(batch, self.generate_for(batch))).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generate_for(batch)
        real_logits, fake_logits = self.both(batch, fake)
        loss = wasserstein_critic(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits, boundary=None)

    @torch.no_grad()
    def clip_weights(self, report: dict[str, Tensor], batch: Batch) -> None:
        """Line 7 of algorithm 1."""
        for weights in self.D.parameters():
            weights.clamp_(-self.clip, self.clip)
        self.adapt(report, batch)


@preset("wgan")
def tiny() -> WGAN:
    """Seconds on a CPU; for tests and first looks."""
    return WGAN(batch_size=16, z_dim=8, width=4, lr=5e-5, n_critic=2, clip=0.01)


@preset("wgan")
def paper() -> WGAN:
    """The values of algorithm 1. Slow: after a minute of a CPU they have hardly learned anything."""
    return WGAN(batch_size=64, lr=5e-5, width=64, n_critic=5, clip=0.01)


@preset("wgan")
def small() -> WGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return WGAN()
