"""What GANs of videos share: one discriminator or several, their losses, and augmentation that is constant over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.abilities import HasDiscriminator, LatentSpace, Samples
from ganvas.losses.adversarial import (
    discriminator_cross_entropy,
    discriminator_report,
    non_saturating_generator,
    relativistic_discriminator,
    relativistic_generator,
)
from ganvas.losses.gradient import squared_gradient
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import ClassConditional, decay_setting, refuse_without_effect
from ganvas.methods._base_adversarial import AugmentsBeforeD, ChoiceOfLoss, TwoAdams
from ganvas.networks.conditional import projection
from ganvas.networks.strided import StridedDiscriminator
from ganvas.networks.video import ClipDiscriminator

PAPER: Mapping[str, str | float] = {"loss": "cross_entropy", "beta1": 0.5, "beta2": 0.999}
"""Loss and optimisers of DCGAN, which both papers have."""


class VideoGAN(AugmentsBeforeD, ChoiceOfLoss, TwoAdams, ClassConditional, Samples, HasDiscriminator):
    """Base of GANs of clips: subclasses build `self.G`, and `self.D` by `build_discriminators`."""

    takes = ("video",)
    batch_size: int = setting(8, "videos per step, over all processes together", minimum=2)
    lr: float = setting(3e-3, "learning rate of Adam, both networks, at the start", minimum=0)
    beta1: float = setting(0.0, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.99, "Adam's second decay", minimum=0, maximum=0.99999)
    ada_images: int = setting(
        200_000, "ada: clips over which its strength may rise from 0 to 1", minimum=1, when="augment=ada"
    )
    noise: float = setting(
        0.0, "standard deviation of normal noise on all values that the discriminators see", minimum=0, maximum=2
    )
    conditional: bool | None = setting(
        None, "condition the networks on the class of each video; auto: where the data have labels that are worth it"
    )
    classify: float | None = setting(
        None,
        "with classes: weight of the class's cross-entropy, of what the discriminators tell it by (AC-GAN); auto = 0.5",
        minimum=0,
        when="conditional",
    )
    frames_seen: int = setting(4, "random frames of each clip that a discriminator sees in a step", minimum=0)
    decay: str = decay_setting("linear")
    ema: float = setting(0.999, "decay of G's average per step", minimum=0, maximum=0.999999)

    averaged = ("G",)
    filled = ("conditional",)

    def build(self, spec: DataSpec) -> None:
        self.G: nn.Module
        self.D: nn.Module
        raise NotImplementedError

    def build_discriminators(self, spec: DataSpec, widths: Sequence[int], clip_widths: Sequence[int]) -> None:
        """D: with `frames_seen` one of single frames, of `widths`; and one of whole clips, of `clip_widths`."""
        discriminators: dict[str, nn.Module] = {}
        if self.frames_seen:
            discriminators["frames"] = StridedDiscriminator(spec.shape, widths, 1 + self.classes, self.norm)
        size = (spec.video.frames, spec.height, spec.width)
        discriminators["clips"] = ClipDiscriminator(spec.channels, size, clip_widths, 1 + self.classes, self.norm)
        self.D = nn.ModuleDict(discriminators)

    def start_training(self, resumed: bool) -> None:
        super().start_training(resumed)
        if not (resumed or self.classes):
            refuse_without_effect(self, "without classes there is nothing to classify", "classify")

    def outputs(self, batch: Batch, clips: Tensor) -> list[Tensor]:
        """Outputs float32 of each discriminator for clips (k * len(batch), C, T, H, W), of the batch's classes k times: (k * m, 1
        + classes), where clip i has its rows in the i-th of k * len(batch) equal parts. That of frames sees `frames_seen` random
        ones of each clip, those of a clip one after the other."""
        seen = self.augmented(batch, clips)
        found: list[Tensor] = []
        if self.frames_seen:
            times = len(clips) // len(batch)
            drawn = torch.cat([batch.integers(clips.shape[2], self.frames_seen) for _ in range(times)])
            rows = torch.arange(len(clips), device=clips.device)[:, None]
            frames = seen[rows, :, drawn].flatten(0, 1)
            found.append(self.D.get_submodule("frames")(frames).float())
        return [*found, self.D.get_submodule("clips")(seen).float()]

    def scores(self, batch: Batch, clips: Tensor) -> list[Tensor]:
        """Logits (k * m, 1) of each discriminator, of the batch's classes; see `outputs`."""
        times = len(clips) // len(batch)
        return [self.logits(batch, outputs, times) for outputs in self.outputs(batch, clips)]

    def logits(self, batch: Batch, outputs: Tensor, times: int = 1) -> Tensor:
        """(k * m, 1) of `outputs` (k * m, 1 + classes) for k = `times`: D's own output, and that of the class beside it (Miyato
        2018, arXiv:1802.05637, eq. 3)."""
        if not self.classes:
            return outputs
        return projection(outputs[:, :1], outputs[:, 1:], self.labels_of(batch, outputs, times))

    def labels_of(self, batch: Batch, outputs: Tensor, times: int = 1) -> Tensor:
        """The class of each row of `outputs`."""
        assert batch.label is not None
        return batch.label.repeat(times).repeat_interleave(len(outputs) // (times * len(batch)))

    def class_loss(self, batch: Batch, outputs: Tensor) -> Tensor:
        """(m,): `class_weight` times the cross-entropy of the class by its outputs (Odena 2017, arXiv:1610.09585)."""
        labels = self.labels_of(batch, outputs)
        return self.class_weight * F.cross_entropy(outputs[:, 1:], labels, reduction="none")

    @property
    def class_weight(self) -> float:
        """Of `class_loss`: what `classify` says, 0 without classes."""
        if not self.classes:
            return 0.0
        return 0.5 if self.classify is None else self.classify

    @property
    def norm(self) -> str:
        """Of the networks, for `norm2d` and `norm3d`."""
        return "batch" if self.loss == "cross_entropy" else "none"

    def total_variances(self, spec: DataSpec) -> list[float]:
        """Of what each discriminator sees."""
        of_clips = spec.total_variance
        return [of_clips / spec.video.frames, of_clips] if self.frames_seen else [of_clips]

    def strengths(self) -> list[float]:
        """gamma of each discriminator."""
        return [self.gamma_for(variance) for variance in self.total_variances(self.spec)]

    def updates(self) -> list[Update]:
        updates = [
            Update("generator", trains="G", loss=self.generator_loss, keeps_graph=True),
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
        ]
        if self.loss == "relativistic":
            updates.append(Update("penalty", trains="D", loss=self.penalty_loss, every=self.penalty_every))
        return updates

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress)

    # --- a training step ------------------------------------------------------------------------------------------------

    def clips(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Clips (N, C, T, H, W), mostly in [-1, 1]."""
        return self.G(latents, labels) if self.classes else self.G(latents)

    def generate_for(self, batch: Batch) -> Tensor:
        """New clips with their graph, of the batch's classes where G is conditioned on them."""
        return self.clips(batch.normal(self.draws()[0].size), batch.label)

    def pairs(self, batch: Batch, fake: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(outputs for the batch's clips, outputs for `fake`) of each discriminator."""
        if self.loss == "cross_entropy":  # batch statistics of real and generated clips must not mix
            return list(zip(self.outputs(batch, batch.real), self.outputs(batch, fake), strict=True))
        found: list[tuple[Tensor, Tensor]] = []
        for outputs in self.outputs(batch, torch.cat([batch.real, fake])):
            of_real, of_fake = outputs.chunk(2)
            found.append((of_real, of_fake))
        return found

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The sum over all discriminators of softplus(D(x) - D(G(z))) (Huang 2024, eq. 2), or of -log D(G(z)); with `classify`
        also of how badly D tells the class of G(z)."""
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        # D's update goes back through the same outputs: one pass of each discriminator serves both.
        losses: list[Tensor] = []
        for of_real, of_fake in batch.memo("pairs", lambda: self.pairs(batch, fake)):
            if self.loss == "cross_entropy":
                losses.append(non_saturating_generator(self.logits(batch, of_fake)))
            else:
                losses.append(relativistic_generator(self.logits(batch, of_real), self.logits(batch, of_fake)))
            if self.class_weight:
                losses.append(self.class_loss(batch, of_fake))
        return {"loss": sum_of(losses)}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The sum over all discriminators of softplus(D(G(z)) - D(x)) (Huang 2024, eq. 2), or of -log D(x) - log(1 - D(G(z)));
        with `classify` also of how badly D tells the class of x."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        of_pair = discriminator_cross_entropy if self.loss == "cross_entropy" else relativistic_discriminator
        losses: list[Tensor] = []
        logits: list[tuple[Tensor, Tensor]] = []
        for of_real, of_fake in batch.memo("pairs", lambda: self.pairs(batch, fake)):
            logits.append((self.logits(batch, of_real), self.logits(batch, of_fake)))
            losses.append(of_pair(*logits[-1]))
            if self.class_weight:
                losses.append(self.class_loss(batch, of_real))
        boundary = 0.0 if self.loss == "cross_entropy" else None
        return discriminator_report(sum_of(losses), *logits[-1], boundary=boundary)

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The sum over all discriminators of gamma / 2 (R1 + R2) (Huang 2024, eqs. 3 and 4), `penalty_every` times as strong."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        points = torch.cat([batch.real, fake]).requires_grad_()
        loss = points.new_zeros(())
        for strength, logits in zip(self.strengths(), self.scores(batch, points), strict=True):
            squares = squared_gradient(points, logits) * (len(points) / len(logits)) ** 2
            r1, r2 = squares.chunk(2)
            loss = loss + self.penalty_every * strength / 2 * (r1 + r2).mean()
        return {"loss": loss}

    def augmented(self, batch: Batch, clips: Tensor) -> Tensor:
        """`clips` (k * len(batch), C, T, H, W) after the augmentation that is set, every frame of a clip by the same numbers, and
        the noise."""
        if self.augment != "none":
            clips = self.changed(batch, clips)
        if self.noise:
            times = len(clips) // len(batch)
            clips = clips + self.noise * torch.cat([batch.normal(*clips.shape[1:]) for _ in range(times)])
        return clips

    def changed(self, batch: Batch, clips: Tensor) -> Tensor:
        """`clips` as `augment` says."""
        times, frames = len(clips) // len(batch), clips.shape[2]

        def draw(*shape: int) -> Tensor:
            drawn = torch.cat([batch.uniform(*shape) for _ in range(times)])
            return drawn.repeat_interleave(frames, 0)

        images = clips.transpose(1, 2).flatten(0, 1)
        return self.augmented_images(images, draw).unflatten(0, (-1, frames)).transpose(1, 2)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Logits (M, 1), float32, of M = k * len(batch) clips: those of the discriminator of whole clips."""
        return self.scores(batch, images)[-1]

    # --- sampling -------------------------------------------------------------------------------------------------------

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Clips (n, C, T, H, W) in [-1, 1]."""
        return self.clips(latents, labels).clamp(-1, 1)

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z, the whole latent."""
        return (self.space_of_part("z", 0, self.draws()[0].size),)

    def space_of_part(self, name: str, start: int, size: int) -> LatentSpace:
        """The space of `size` numbers of the latent from `start` on; the others, behind them in a point, stay those of the
        seed."""

        def turned(latents: Tensor, labels: Tensor | None) -> Tensor:
            return latents.roll(-start, 1)

        def synthesise(points: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return self.clips(points.roll(start, 1), labels)

        return LatentSpace(name, turned, synthesise, size, normal=True, network=self.G)


def sum_of(losses: list[Tensor]) -> Tensor:
    """The sum () of the means of several losses."""
    return torch.stack([loss.mean() for loss in losses]).sum()
