"""SRGAN: super-resolution whose details look real (Ledig 2017, arXiv:1609.04802).

Idea: a pixel loss favours the mean of all possible sharp images, which is blurred. So after a first phase with a pixel loss (as
in `srresnet`) there is an adversarial loss, for sharpness (eq. 2), and a perceptual loss on the features of a network, for
similarity to the original (eq. 5):

    loss of G = pixel_weight |G(small) - whole| + feature_weight |phi(G(small)) - phi(whole)| - adversarial log D(G(small))

phi is `perceptual`: "discriminator" means the layers of D itself (Wang 2018, arXiv:1711.11585, eq. 4), which need no other
network; otherwise those of a trained classifier, whose weights must be available and are not saved in the run: the squared
difference of features of unit length at each position (Zhang 2018, arXiv:1801.03924, eq. 1). The average of the weights at the
end of the first phase is saved, and `ganvas restore --interpolation` interpolates from those (0) to the last ones (1) (Wang
2018, arXiv:1809.00219, sec. 3.4): less invented detail or more.

Departs from the paper: the network of `srresnet` without batch norm; D classifies parts of the image, under spectral norm;
features are not those of VGG-19; L1 in place of squares; both phases in one training; with
`first_phase=0` and `ganvas train --init-from RUN` of `srresnet` in two, as in the paper. Preset `paper` has the paper's sizes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from math import inf

import torch
from torch import Tensor, nn

from ganvas.abilities import Restoration
from ganvas.errors import UsageError
from ganvas.losses.adversarial import non_saturating_generator
from ganvas.losses.perceptual import unit_distance
from ganvas.losses.restoration import absolute_error, feature_error
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods.image_to_image._base_restoration import SuperResolution, discriminator_loss
from ganvas.networks.features.catalog import check_network, find_entry
from ganvas.networks.features.extractor import FeatureExtractor
from ganvas.networks.local_discriminator import LocalDiscriminator
from ganvas.registry import preset

COMPARED_LAYERS = (
    4  # of a feature network that are compared, from the finest on: a patch has hardly any places for deeper ones
)


class SRGAN(SuperResolution):
    name = "srgan"
    title = "super-resolution with adversarial and feature losses"
    paper = "Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution, arXiv:1609.04802"

    first_phase: float = setting(
        0.5, "share of the budget of a first phase with the pixel loss only; 0: none", minimum=0, maximum=0.95
    )
    perceptual: str = setting(
        "discriminator",
        "feature extractor of the perceptual loss: discriminator (D's own), none, or a network with available weights:"
        " mobilenet_v2, efficientnet_lite0, vgg16, vgg19 or digits",
    )
    pixel_weight: float = setting(1.0, "weight of |G - whole| in the second phase", minimum=0)
    feature_weight: float = setting(1.0, "weight of the perceptual loss", minimum=0, when="perceptual")
    adversarial: float = setting(0.02, "weight of -log D(G)", minimum=0)
    disc_width: int = setting(64, "channels of D at full size", minimum=1)
    disc_stages: int = setting(3, "downsamplings of D; more give a larger receptive field", minimum=1)
    lr: float = setting(1e-3, "learning rate of G's Adam in the first phase, at its start", minimum=0)
    second_lr: float = setting(
        3e-4, "learning rate of both networks' Adam in the second phase, at its start", minimum=0
    )
    decay: str = setting(
        "cosine", "decay of the learning rate to zero over each phase", choices=("linear", "cosine", "none")
    )

    def build(self, spec: DataSpec) -> None:
        check_network("perceptual", self.perceptual, ("discriminator", "none"))
        self.G = self.build_generator(spec)
        self.D = LocalDiscriminator(spec.channels, width=self.disc_width, stages=self.disc_stages)
        self.extractor: FeatureExtractor | None = None
        self.plain: Tensor
        self.plain_steps: Tensor
        self.register_buffer("plain", torch.cat([part.detach().flatten() for part in floats(self.G)]))
        self.register_buffer("plain_steps", torch.zeros(()))

    def load_frozen(self, device: torch.device) -> None:
        """Reads the feature network, where `perceptual` names one; GanvasError where its weights are missing."""
        if self.perceptual in ("discriminator", "none"):
            return
        otherwise = "Or set perceptual=discriminator, which compares the features of D and needs no weights"
        self.extractor = FeatureExtractor(self.perceptual, self.layers, device=device, otherwise=otherwise)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of the feature network that are compared."""
        return find_entry(self.perceptual).style_layers[:COMPARED_LAYERS]

    # --- two phases -------------------------------------------------------------------------------------------------------------

    def updates(self) -> list[Update]:
        first, second = (0.0, self.first_phase), (self.first_phase, inf)
        pixels = Update("pixels", trains="G", loss=self.pixel_loss, span=first, after=self.follow)
        generator = Update("generator", trains="G", loss=self.generator_loss, span=second)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss, span=second)
        return [pixels, generator, discriminator] if self.first_phase else [generator, discriminator]

    def schedule(self, progress: float, steps: int) -> float:
        if progress < self.first_phase:
            return step_factor(self.decay, progress / self.first_phase, steps, self.warmup)
        part = (progress - self.first_phase) / (1 - self.first_phase)
        factor = step_factor(self.decay, part, steps, self.warmup)
        if self.lr == 0:
            return factor
        return factor * (self.second_lr / self.lr)

    def follow(self, report: dict[str, Tensor], batch: Batch) -> None:
        """After a step of the first phase: `plain` follows G, as its average does."""
        self.plain_steps += 1
        weight = 1 - torch.minimum(
            torch.full_like(self.plain_steps, self.ema), (1 + self.plain_steps) / (10 + self.plain_steps)
        )
        self.plain.lerp_(torch.cat([part.flatten() for part in floats(self.G)]), weight)

    def took_over(self, names: tuple[str, ...]) -> None:
        """The weights that G begins with count as those of a first phase: --interpolation begins there."""
        if "G" in names:
            self.plain.copy_(torch.cat([part.detach().flatten() for part in floats(self.G)]))
            self.plain_steps.fill_(1)

    # --- losses -----------------------------------------------------------------------------------------------------------------

    def pixel_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, fake = batch.memo("enlarged", lambda: self.enlarged(batch))
        return {"loss": absolute_error(fake, whole).mean()}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, fake = batch.memo("enlarged", lambda: self.enlarged(batch))
        seen = self.D.features(fake)
        pixels = absolute_error(fake, whole).mean()
        features = self.perceived(fake, whole, seen).mean()
        adversarial = non_saturating_generator(self.D.logits(seen)).mean()
        loss = self.pixel_weight * pixels + self.feature_weight * features + self.adversarial * adversarial
        return {"loss": loss, "pixels": pixels, "features": features, "adversarial": adversarial}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, fake = batch.memo("enlarged", lambda: self.enlarged(batch))
        return discriminator_loss(self.D, whole, fake)

    def perceived(self, fake: Tensor, whole: Tensor, seen: list[Tensor]) -> Tensor:
        """The perceptual loss (N,) of `fake` against the original images `whole`; `seen` are D's features of `fake`."""
        if self.perceptual == "none":
            return fake.new_zeros(len(fake))
        if self.perceptual == "discriminator":
            with torch.no_grad():
                target = self.D.features(whole)
            return feature_error(seen, target)
        assert self.extractor is not None, "load_frozen has read it"
        with torch.no_grad():
            target = self.extractor.maps(whole)
        return unit_distance(self.extractor.maps(fake), target)

    # --- images ---------------------------------------------------------------------------------------------------------------

    def enlarged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's images, flipped and rotated, and G's upscaled versions of them downsampled, (N, C, H, W) each."""
        small, whole = self.small_and_whole(self.training_images(batch), batch)
        return whole, self.G(small)

    def restoration(self) -> Restoration:
        return Restoration("resolution", scale=self.scale, invents=True)

    def interpolated(self, share: float) -> SRGAN:
        """A copy with each weight of G interpolated between the end of the first phase (0) and the last (1)."""
        if not float(self.plain_steps):
            raise UsageError(
                "this run had no phase by pixels alone (first_phase=0), so there are no weights to interpolate with"
            )
        interpolated = copy.deepcopy(self)
        start = 0
        for part in floats(interpolated.G):
            plain = self.plain[start : start + part.numel()].view_as(part)
            start += part.numel()
            part.data.copy_(torch.lerp(plain, part.data, share))
        return interpolated


def floats(network: nn.Module) -> Iterator[Tensor]:
    """Every parameter and running statistic of a network, in a fixed order."""
    return (part for part in network.state_dict(keep_vars=True).values() if part.is_floating_point())


@preset("srgan")
def tiny() -> SRGAN:
    """Seconds on a CPU; for tests and first looks. Without the first phase, so that each step trains both networks."""
    return SRGAN(batch_size=16, width=4, blocks=1, disc_width=4, disc_stages=2, first_phase=0.0)


@preset("srgan")
def small() -> SRGAN:
    """For photos cut into patches (data.fit=tile, data.size=96) on a CPU. Figures: docs/experiments.md."""
    return SRGAN(batch_size=16, width=32, blocks=6, disc_width=16, ema=0.995, first_phase=0.8)


@preset("srgan")
def paper() -> SRGAN:
    """The paper's sizes and adversarial weight (sec. 3.2): x4, 16 blocks of 64 channels with batch norm. For a GPU."""
    return SRGAN(
        scale=4, kernel=9, norm="batch", tail="staged", base="none", pixel_weight=0.0, adversarial=1e-3, lr=1e-4, second_lr=1e-4,
        decay="none", ema=0.0,
    )  # fmt: skip
