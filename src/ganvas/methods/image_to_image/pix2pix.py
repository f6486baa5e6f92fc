"""pix2pix: images into their partners, by a GAN that sees both (Isola 2017, arXiv:1611.07004).

Idea: a regression from A to B by the absolute error gives the median of all possible B, which is blurred. So a discriminator that
also sees the input scores whether the pair looks real (eq. 1), patch by patch: it is responsible for texture, and the absolute
error for the rest (eqs. 3 and 4). The noise is dropout in the upsampling half, since a generator with an input image learns to
ignore a z (sec. 3.1).

    G  -log D(A, G(A)) + lambda |B - G(A)|            D  -log D(A, B) - log(1 - D(A, G(A)))

Departs from the paper: no dropout in eval mode, so that an image has one translation; batch norm then uses the running
statistics, not those of the image; D's update follows G's on the same fake images; G's weights are averaged over the steps;
height and width need not be powers of two, and small images have fewer downsamplings. Settings for small data sets and short
trainings: a G that starts as the identity (`skip`), the relativistic loss (Huang 2024, arXiv:2501.05441, eq. 2) with a penalty
on D's gradient at real pairs (R1), random shifts in place of the paper's jitter, and the features of networks trained on
photos, for a perceptual loss (`perceptual`; Zhang 2018, arXiv:1801.03924, eq. 1) and as D's input (`discriminator`; Sauer 2021,
arXiv:2111.01007).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import DataError, UsageError
from ganvas.losses.adversarial import discriminator_cross_entropy, least_squares, relativistic_discriminator
from ganvas.losses.perceptual import unit_distance
from ganvas.losses.restoration import absolute_error
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.image_to_image._base_translation import Translation, patch_r1
from ganvas.networks.feature_discriminator import check_discriminator
from ganvas.networks.features.catalog import CATALOG, check_network
from ganvas.networks.features.extractor import FeatureExtractor, discriminator_extractor
from ganvas.registry import preset


class Pix2Pix(Translation):
    name = "pix2pix"
    title = "paired image-to-image translation"
    paper = "Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks, arXiv:1611.07004"

    batch_size: int = setting(16, "pairs per step, over all processes together", minimum=1)
    resize: bool = setting(
        False,
        "unet: nearest-neighbour upsampling and a 3 x 3 convolution instead of a transposed one, which gives checkerboards",
        when="generator=unet",
    )
    dropout: float = setting(0.5, "dropout rate in G, its only noise", minimum=0, maximum=0.95)
    perceptual: str = setting(
        "none",
        "feature extractor of the perceptual loss: none, or a network whose weights are available: efficientnet_lite0,"
        " mobilenet_v2, vgg16, vgg19 or digits",
    )
    feature_weight: float = setting(10.0, "perceptual: weight of the perceptual loss", minimum=0, when="perceptual")
    l1: float = setting(100.0, "weight of the absolute error (lambda)", minimum=0)
    adversarial: float = setting(1.0, "weight of the adversarial loss, for G; 0 is a plain regression", minimum=0)

    averaged = ("G",)
    shifts_alike = True

    def build(self, spec: DataSpec) -> None:
        if not spec.paired:
            raise DataError(
                f"{self.name} learns from pairs, and {spec.name} shows none: name a second folder with the same file names by"
                " --set data.partner=PATH, say where the halves are by --set data.pairs=left_right, or take drawings of edges by"
                " --set data.pairs=edges; for images without partners there is cyclegan"
            )
        if self.adversarial == 0 and self.l1 == 0 and not self.compares:
            raise UsageError("adversarial=0 and l1=0 leave nothing to learn from: set one of them above 0")
        check_network("perceptual", self.perceptual, ("none",))
        check_discriminator(self.discriminator, spec.channels, self.gamma)
        self.extractors: dict[str, FeatureExtractor] = {}
        self.G = self.build_generator(spec, dropout=self.dropout, resize=self.resize)
        self.D = self.build_discriminator(spec, images=2)

    def load_frozen(self, device: torch.device) -> None:
        """Reads the feature networks; GanvasError where their weights are missing."""
        otherwise = "Or set perceptual=none and discriminator=patch, which need no weights"
        names = {self.discriminator}
        if self.compares:
            names.add(self.perceptual)
        for name in names & {*CATALOG}:
            self.extractors[name] = discriminator_extractor(name, device, otherwise)

    def updates(self) -> list[Update]:
        generator = Update("generator", trains="G", loss=self.generator_loss, keeps_graph=True)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss)
        penalty = Update("penalty", trains="D", loss=self.penalty_loss, every=self.penalty_every)
        return [generator, discriminator, penalty] if self.gamma else [generator, discriminator]

    # --- losses ---------------------------------------------------------------------------------------------------------

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 4, and the perceptual loss."""
        _, target = self.inputs(batch)
        fake = self.fake(batch)
        fake_view = batch.memo("fake_view", lambda: self.view(fake))
        logits = batch.memo("fake_logits", lambda: self.discriminate_pair(self.input_view(batch), fake_view))
        error = absolute_error(fake, target).mean()
        loss = self.adversarial * self.adversarial_loss(batch, logits).mean() + self.l1 * error
        report = {"l1": error}
        if self.compares:
            if self.discriminator == self.perceptual:
                features, wanted = fake_view, self.target_view(batch)
            else:
                features, wanted = self.features(fake, target)
            report["features"] = unit_distance(features, wanted).mean()
            loss = loss + self.feature_weight * report["features"]
        return {"loss": loss, **report}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 1, halved: D learns slower than G (sec. 3.3)."""
        fake = self.fake(batch).detach()
        # Two passes: batch statistics of real and fake pairs must not mix.
        real_logits = self.real_logits(batch)
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate_pair(self.input_view(batch), self.view(fake)))
        if self.loss == "least_squares":
            loss = least_squares(real_logits, 1) + least_squares(fake_logits, 0)
        elif self.loss == "relativistic":
            loss = 2 * relativistic_discriminator(real_logits, fake_logits)
        else:
            loss = discriminator_cross_entropy(real_logits, fake_logits)
        return {
            "loss": loss.mean() / 2,
            "real": real_logits.detach().mean(),
            "fake": fake_logits.detach().mean(),
        }

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """R1 alone, in a step of its own: gamma / 2 times the squared gradient of the logits, per patch."""
        return self.penalty_report(patch_r1(self.D, torch.cat(self.inputs(batch), 1)))

    def adversarial_loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """G's adversarial loss for each of D's logits of its images, relative to those of the targets where it is
        relativistic."""
        real_logits = None
        if self.loss == "relativistic":
            real_logits = self.real_logits(batch).detach()  # G is moved through its own images only
        return self.generator_term(logits, real_logits)

    # --- what several updates of a step need ------------------------------------------------------------------------------

    def fake(self, batch: Batch) -> Tensor:
        """G's images (N, C, H, W) of the step's inputs, with their graph."""
        return batch.memo("fake", lambda: self.generate_for(batch, self.inputs(batch)[0]))

    def real_logits(self, batch: Batch) -> Tensor:
        """D's logits for the step's inputs and targets, with their graph."""
        return batch.memo(
            "real_logits", lambda: self.discriminate_pair(self.input_view(batch), self.target_view(batch))
        )

    def input_view(self, batch: Batch) -> list[Tensor]:
        """D's input for the step's inputs, without a graph."""
        x, _ = self.inputs(batch)
        return batch.memo("input_view", lambda: self.frozen_view(x))

    def target_view(self, batch: Batch) -> list[Tensor]:
        """D's input for the step's targets, without a graph."""
        _, target = self.inputs(batch)
        return batch.memo("target_view", lambda: self.frozen_view(target))

    def generate_for(self, batch: Batch, x: Tensor) -> Tensor:
        """G's images (N, C, H, W) of the inputs x, with dropout as noise."""
        return self.G(x, batch.uniform)

    # --- what D sees ----------------------------------------------------------------------------------------------------

    @property
    def compares(self) -> bool:
        """Whether features of outputs and targets are compared."""
        return self.perceptual != "none" and self.feature_weight > 0

    def features(self, fake: Tensor, target: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features of outputs, with a graph, and of targets, a map per layer."""
        with torch.no_grad():
            wanted = self.extractors[self.perceptual].maps(target)
        return self.extractors[self.perceptual].maps(fake), wanted

    def view(self, images: Tensor) -> list[Tensor]:
        """D's input for images: the images, or their features from several layers."""
        if self.discriminator == "patch":
            return [images]
        return self.extractors[self.discriminator].maps(images)

    @torch.no_grad()
    def frozen_view(self, images: Tensor) -> list[Tensor]:
        """`view` without a graph."""
        return self.view(images)

    def discriminate_pair(self, x: list[Tensor], images: list[Tensor]) -> Tensor:
        """D's logits (N, k, h, w), float32, of pairs: the `view` of images and that of their inputs `x`."""
        if self.discriminator == "patch":
            return self.D(torch.cat([x[0], images[0].to(x[0].dtype)], 1)).float()
        return self.D(x, images)

    # --- translating ----------------------------------------------------------------------------------------------------

    def directions(self) -> tuple[str, ...]:
        """A to B only."""
        return ("ab",)

    def multiple(self) -> int:
        """Larger images are padded inside; tiles of this multiple need no padding."""
        return self.G.multiple

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """G of images (n, C, H, W) in [-1, 1], without dropout."""
        return self.G(images, whole=whole)

    def rows(self, batch: Batch) -> Tensor:
        """Input, output and target, (n, 3, C, H, W)."""
        return torch.stack([batch.real, self.translate(batch.real), self.partner(batch)], 1)


@preset("pix2pix")
def tiny() -> Pix2Pix:
    """Seconds on a CPU; for tests and first looks."""
    return Pix2Pix(width=4, d_width=4, d_layers=1, downsamplings=3, blocks=1)


@preset("pix2pix")
def small() -> Pix2Pix:
    """About 3 million MACs an image of 32 x 32 for G, as many for D: minutes of a CPU core. No normalisation: on emoji
    it learned faster than batch norm. Figures: docs/experiments/translation.md."""
    return Pix2Pix(width=16, downsamplings=4, d_width=16, d_layers=2, norm="none", dropout=0.0, lr=1e-3, ema=0.99)


@preset("pix2pix")
def restyle() -> Pix2Pix:
    """For domains with equal shapes, such as the emoji of two vendors: colours are learned, shapes stay. Best with
    --set data.mirror=true. Figures: docs/experiments/translation.md."""
    return Pix2Pix(
        generator="retouch", width=16, norm="none", dropout=0.3, d_layers=0, d_width=16, loss="relativistic", gamma=0.1,
        l1=10.0, adversarial=0.3, shift=3, lr=1e-3, ema=0.99,
    )  # fmt: skip


@preset("pix2pix")
def features() -> Pix2Pix:
    """`small` for images of 64 pixels with little information, such as edges or label maps: perceptual loss by
    EfficientNet-Lite0, whose weights must be at hand. Some ten minutes of a CPU core, best with --set data.mirror=true. Figures:
    docs/experiments/translation.md."""
    return Pix2Pix(
        width=24, downsamplings=5, resize=True, norm="none", dropout=0.1, d_width=32, d_layers=2, shift=4,
        perceptual="efficientnet_lite0", feature_weight=10.0, l1=20.0, adversarial=0.3, lr=1e-3, ema=0.99,
    )  # fmt: skip


@preset("pix2pix")
def photo() -> Pix2Pix:
    """Label maps or sketches to photos of 128 pixels: half an hour of a CPU core. EfficientNet-Lite0, whose weights must be at
    hand, measures the distance to the target and provides D's features; small batches, for more steps. Best with --set
    data.mirror=true. Figures: docs/experiments/translation.md."""
    return Pix2Pix(
        batch_size=4, width=32, downsamplings=6, resize=True, dropout=0.1, shift=8, perceptual="efficientnet_lite0",
        feature_weight=10.0, discriminator="efficientnet_lite0", d_width=64, l1=20.0, adversarial=1.0, lr=5e-4, ema=0.999,
    )  # fmt: skip


@preset("pix2pix")
def repaint() -> Pix2Pix:
    """As restyle, and shapes change too; compared and scored by EfficientNet-Lite0, whose weights must be at hand. Minutes of a
    CPU core, best with --set data.mirror=true. Figures: docs/experiments/translation.md."""
    return Pix2Pix(
        generator="repaint", width=24, downsamplings=4, max_displacement=6.0, norm="none", dropout=0.3, shift=3,
        perceptual="efficientnet_lite0", feature_weight=15.0, discriminator="efficientnet_lite0", d_width=64, l1=4.0,
        adversarial=1.0, lr=1e-3, beta1=0.5, beta2=0.99, ema=0.995,
    )  # fmt: skip


@preset("pix2pix")
def paper() -> Pix2Pix:
    """Section 6 of the paper, for 256 x 256 images; batches of 1, 80,000 steps for 400 facades. For a GPU."""
    return Pix2Pix(batch_size=1, ema=0.0)
