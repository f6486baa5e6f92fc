"""What every GAN here has: G and D, their Adam, one update each, and sampling. The papers differ in what they override.

Order of one step: G first, then D on the same fake images, detached, which both take from the batch's memo as "fake". For D
this is the alternation of the papers; it saves one forward pass of G. Their logits come from G's update as well
("fake_logits"), and so do those of real images where G's loss needs them: D has not moved in between, and its update goes back
through the same passes. A method that trains D several times for each G puts D first and draws new noise for each update.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganvas.abilities import HasDiscriminator, LatentSpace, Samples
from ganvas.draws import Draw
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report, non_saturating_generator
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import ClassConditional, decay_setting
from ganvas.methods._base_adversarial import AugmentsBeforeD, TwoAdams, TwoNetworks


class Pair(AugmentsBeforeD, TwoNetworks, ClassConditional, Samples, HasDiscriminator):
    """Base of the GANs: subclasses build `self.G` and `self.D`, and define two losses and, unlike Adversarial, the optimisers."""

    batch_size: int = setting(64, "images per step, over all processes together", minimum=1)
    z_dim: int = setting(100, "size of the latent", minimum=1, fewer_is_fine=True)
    decay: str = decay_setting("none")

    averaged = ("G",)
    keeps_graph: ClassVar[bool] = False
    """Whether D's update goes back through the logits of G's update instead of through a pass of its own."""

    def build(self, spec: DataSpec) -> None:
        self.G: nn.Module
        self.D: nn.Module
        raise NotImplementedError

    def updates(self) -> list[Update]:
        return [
            Update("generator", trains="G", loss=self.generator_loss, keeps_graph=self.keeps_graph),
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Returns "loss"."""
        raise NotImplementedError

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Returns "loss"; "real" and "fake", the mean logits, are for the log."""
        raise NotImplementedError

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress)

    # --- a training step ------------------------------------------------------------------------------------------------

    def generate_for(self, batch: Batch) -> Tensor:
        """New images (N, C, H, W) with their graph, of the batch's classes where G is conditioned on them."""
        return self.images_of(self.noise(batch), batch.label)

    def images_of(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """G's images (n, C, H, W) of `latents`; of the classes `labels` (n,) where G is conditioned on them."""
        return self.G(latents, labels) if self.classes else self.G(latents)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """D's logits, float32, of M = k * len(batch) images as it sees them: augmented, with the batch's classes k times."""
        times = len(images) // len(batch)
        seen = self.augmented(batch, images, times)
        if batch.label is None or not self.classes:
            return self.D(seen).float()
        return self.D(seen, batch.label.repeat(times)).float()

    def both(self, batch: Batch, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 1) of real and of fake images in one pass. Only for a D without batch statistics, which would mix them."""
        real, fake = self.discriminate(batch, torch.cat([batch.real, fakes])).chunk(2)
        return real, fake

    def augmented(self, batch: Batch, images: Tensor, times: int = 1) -> Tensor:
        """`images` (times * N, C, H, W) after the augmentation that is set."""
        return self.augmented_images(images, partial(self.uniform_rows, batch, times))

    def uniform_rows(self, batch: Batch, times: int, *shape: int) -> Tensor:
        """Uniform numbers (times * N, *shape) in [0, 1) for `times` batches of images, of which each process has its rows."""
        return torch.cat([batch.uniform(*shape) for _ in range(times)])

    def noise(self, batch: Batch) -> Tensor:
        """z (N, z_dim) for a training step."""
        return batch.normal(self.z_dim)

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """z, normal numbers."""
        return (Draw("normal", self.z_dim),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1]; of the classes `labels` (n,) where G is conditioned on classes."""
        return self.images_of(latents, labels).clamp(-1, 1)

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z; of a method with codes, all but the codes is free."""

        def synthesise(points: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return self.images_of(points, labels)

        free = self.latents([0]).shape[1] - sum(code.size for code in self.codes())
        return (LatentSpace("z", lambda latents, labels: latents, synthesise, free, normal=True, network=self.G),)


class Adversarial(Pair, TwoAdams):
    """A GAN whose networks both have Adam."""


class NonSaturating(Adversarial):
    """A GAN with the non-saturating loss (Goodfellow 2014, eq. 1 for D, sec. 3 for G) and a D with batch statistics."""

    keeps_graph = True

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        return {"loss": non_saturating_generator(logits).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        # Two passes: batch statistics of real and fake images must not mix.
        real_logits = self.discriminate(batch, batch.real)
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits)
