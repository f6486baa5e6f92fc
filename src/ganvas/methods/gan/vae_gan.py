"""VAE-GAN: an autoencoder that is scored by what a discriminator sees (Larsen 2016, arXiv:1512.09300).

Idea: a VAE's decoder is a generator, so add a discriminator, and measure the reconstruction by its features. The squared error of
pixels favours the blurred mean of all possible images; that of D's features (eqs. 7 and 8) favours the same strokes and textures,
and costs little where they are shifted by a pixel. Three networks, three losses (algorithm 1):

    E  KL(q(z | x) || N(0, 1)) + L_feature               L_feature = |Dis_l(x) - Dis_l(G(E(x)))|^2 / 2
    G  gamma L_feature - L_GAN
    D  L_GAN: a real image against its reconstruction and against a sample of the prior

D gets no gradient of L_feature, or its features would become equal for all images (sec. 2.3). G's update reuses z and the real
features of E's update, and D's both kinds of fakes of G's (Batch.memo).

Departs from the paper: the three updates follow each other in a step (theirs are computed together), E's first; G's part of the
adversarial loss is the non-saturating one; Adam in place of RMSprop; DCGAN's networks at any height and width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.abilities import Encodes
from ganvas.losses.adversarial import (
    discriminator_cross_entropy,
    discriminator_report,
    minimax_generator,
    non_saturating_generator,
)
from ganvas.losses.divergence import normal_kl
from ganvas.losses.perceptual import feature_distance
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.autoencoder import FeatureDiscriminator
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.networks.variational import GaussianEncoder
from ganvas.registry import preset


class VAEGAN(Adversarial, Encodes):
    name = "vae_gan"
    title = "autoencoder with the features of a discriminator as its loss"
    paper = "Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric, arXiv:1512.09300"

    batch_size: int = setting(64, "images per step, over all processes together", minimum=2)
    z_dim: int = setting(128, "size of the latent", minimum=1)
    width: int = setting(64, "channels at the largest inner size, all networks", minimum=1)
    lr: float = setting(3e-4, "learning rate of Adam, encoder and generator", minimum=0)
    gamma: float = setting(0.01, "weight of the feature distance against the adversarial loss, for G", minimum=0)
    level: int = setting(2, "downsamplings after which D's features are compared (l)", minimum=1)

    averaged = ("G", "E")

    def build(self, spec: DataSpec) -> None:
        self.E = GaussianEncoder(DCGANDiscriminator(spec.shape, self.width, outputs=2 * self.z_dim))
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        discriminator = FeatureDiscriminator(spec.shape, self.width, level=self.level)
        self.D: FeatureDiscriminator = discriminator  # pyright: ignore[reportIncompatibleVariableOverride]

    def trained(self) -> list[tuple[str, nn.Module, float]]:
        return [("E", self.E, self.lr), *super().trained()]

    def updates(self) -> list[Update]:
        return [
            Update("encoder", trains="E", loss=self.encoder_loss),
            Update("generator", trains="G", loss=self.generator_loss, keeps_graph=True),
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
        ]

    def encoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        mu, logvar, z = batch.memo("posterior", lambda: self.posterior(batch))
        real_features = batch.memo("real_features", lambda: self.real_features(batch))
        distance = feature_distance(self.D.features(self.G(z)), real_features).mean()
        divergence = normal_kl(mu, logvar).mean()
        return {"loss": divergence + distance, "kl": divergence, "distance": distance}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        reconstructed, fake = batch.memo("generated", lambda: self.generated(batch))
        real_features = batch.memo("real_features", lambda: self.real_features(batch))
        features, reconstructed_logits = self.features_and_logits(batch, reconstructed)
        batch.memo("reconstructed_logits", lambda: reconstructed_logits)  # for D's update
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        distance = feature_distance(features, real_features).mean()
        adversarial = non_saturating_generator(reconstructed_logits) + non_saturating_generator(fake_logits)
        return {"loss": self.gamma * distance + adversarial.mean(), "distance": distance}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        reconstructed, fake = batch.memo("generated", lambda: self.generated(batch))
        # Three passes: batch statistics of real and fake images must not mix.
        real_logits = self.discriminate(batch, batch.real)
        reconstructed_logits = batch.memo(
            "reconstructed_logits", lambda: self.discriminate(batch, reconstructed.detach())
        )
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake.detach()))
        loss = discriminator_cross_entropy(real_logits, fake_logits) - minimax_generator(reconstructed_logits)
        return discriminator_report(
            loss.mean(), real_logits, fake_logits, reconstructed=reconstructed_logits.detach().mean()
        )

    # --- what several updates need, by Batch.memo --------------------------------------------------------------------------

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """mu and logvar of q(z | x) of the real images, and a sample z, (N, z_dim) each."""
        mu, logvar = self.E(batch.real)
        return mu, logvar, mu + (logvar / 2).exp() * batch.normal(self.z_dim)

    @torch.no_grad()
    def real_features(self, batch: Batch) -> Tensor:
        """D's features of the real images."""
        return self.D.features(batch.real)

    def generated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Reconstructions of the real images and samples of the prior, (N, C, H, W) each, in one pass; no gradient goes to E."""
        _, _, z = batch.memo("posterior", lambda: self.posterior(batch))
        reconstructed, fake = self.G(torch.cat([z.detach(), self.noise(batch)])).chunk(2)
        return reconstructed, fake

    def features_and_logits(self, batch: Batch, images: Tensor) -> tuple[Tensor, Tensor]:
        """D's features and logits of images, in one pass without augmentation; features are always those of the plain images."""
        if self.augment != "none":
            return self.D.features(images), self.discriminate(batch, images)
        features, logits = self.D.features_and_logits(images)
        return features, logits.float()

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean of q(z | x), (n, z_dim), for images (n, C, H, W) in [-1, 1]."""
        return self.E(images)[0]


@preset("vae_gan")
def tiny() -> VAEGAN:
    """Seconds on a CPU; for tests and first looks."""
    return VAEGAN(batch_size=16, z_dim=8, width=4)


@preset("vae_gan")
def small() -> VAEGAN:
    """Narrow networks for digits on a CPU, about a thousand steps a minute of one core. Figures: docs/experiments.md."""
    return VAEGAN(batch_size=16, width=16, z_dim=16, level=3, lr=1e-3, balance=0.3)
