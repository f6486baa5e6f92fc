"""What methods that translate images share: settings of generators and discriminators, inputs, the R1 penalty."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ganvas.abilities import Demonstrates, Translates
from ganvas.data.augment import shifted
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.losses.adversarial import least_squares, non_saturating_generator, relativistic_generator
from ganvas.losses.gradient import squared_gradient
from ganvas.method import Batch, setting, step_factor
from ganvas.methods._base_adversarial import TwoAdams
from ganvas.networks.feature_discriminator import build_discriminator
from ganvas.networks.translator import TRANSLATION_GENERATORS, Translator, build_translator


class Translation(TwoAdams, Translates, Demonstrates):
    """Base of the translators: subclasses build generators and discriminators and define their losses."""

    decay: str = setting(
        "second_half", "decay of the learning rates to zero over the budget", choices=("second_half", "linear", "none")
    )
    generator: str = setting(
        "unet",
        "G's network; retouch only recolours and moves the input's pixels, repaint adds the output of a U-Net; both start as"
        " the identity, for domains with similar shapes",
        choices=TRANSLATION_GENERATORS,
    )
    width: int = setting(64, "G's channels at its first size", minimum=1)
    downsamplings: int = setting(
        8,
        "unet, repaint: maximum number of downsamplings; small images allow fewer",
        minimum=1,
        maximum=10,
        when="generator=unet,repaint",
    )
    blocks: int = setting(9, "resnet: residual blocks", minimum=0, when="generator=resnet")
    norm: str = setting(
        "batch", "normalisation in G, and in D where it is patch", choices=("batch", "instance", "none")
    )
    skip: bool = setting(
        False,
        "unet, resnet: G predicts a residual and starts as the identity, for similar domains",
        when="generator=unet,resnet",
    )
    relu_skips: bool = setting(
        False, "unet: rectify what the skip connections carry, as the authors' code does", when="generator=unet"
    )
    transposed: bool = setting(
        False,
        "resnet: transposed convolutions as in the paper; the default upsamples by nearest neighbour first",
        when="generator=resnet",
    )
    max_displacement: float = setting(
        0.0,
        "retouch, repaint: maximum shift of a pixel; 0: colours only",
        minimum=0,
        maximum=64,
        unit="pixels",
        when="generator=retouch,repaint",
    )
    d_width: int = setting(64, "D's channels at its first size", minimum=1)
    d_layers: int = setting(
        3,
        "patch: maximum downsamplings of D: patches of 16, 34, 70 pixels for 1, 2, 3; 0: one pixel",
        minimum=0,
        when="discriminator=patch",
    )
    discriminator: str = setting(
        "patch",
        "D's network: patch, or a few layers on the features of a network with available weights (efficientnet_lite0,"
        " mobilenet_v2, vgg16, vgg19 or digits), preferably not the one used by the metrics",
    )
    loss: str = setting(
        "cross_entropy", "the adversarial loss", choices=("cross_entropy", "least_squares", "relativistic")
    )
    adversarial: float = setting(1.0, "weight of the adversarial loss, for G", minimum=0)
    gamma: float = setting(0.0, "weight of D's squared gradient at real images (R1), halved, per patch", minimum=0)
    penalty_every: int = setting(
        4, "gamma: steps between two penalties, which are scaled up accordingly", minimum=1, when="gamma"
    )
    shift: int = setting(0, "maximum random shift of training images, in pixels", minimum=0)
    ema: float = setting(0.999, "decay of G's average per step", minimum=0, maximum=0.999999)

    shifts_alike: ClassVar[bool] = False
    """Whether `shift` shifts an image and its partner by the same pixels."""

    # --- networks -------------------------------------------------------------------------------------------------------

    def build_generator(self, spec: DataSpec, dropout: float = 0.0, resize: bool = True) -> Translator:
        """One generator."""
        return build_translator(
            self.generator, spec.shape, self.width, downsamplings=self.downsamplings, blocks=self.blocks, norm=self.norm,
            dropout=dropout, max_displacement=self.max_displacement, skip=self.skip, resize=resize,
            transposed=self.transposed, relu_skips=self.relu_skips,
        )  # fmt: skip

    def build_discriminator(self, spec: DataSpec, images: int = 1) -> nn.Module:
        """One discriminator, which sees `images` images together."""
        return build_discriminator(
            self.discriminator, spec.shape, self.d_width, layers=self.d_layers, norm=self.norm, images=images
        )

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps)

    # --- a training step ------------------------------------------------------------------------------------------------

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The step's images and partners (N, C, H, W), shifted at random (`shift`)."""
        return batch.memo("inputs", lambda: self.shifted_inputs(batch))

    def shifted_inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's images and partners (N, C, H, W), each shifted by a random number of pixels along both axes."""
        a, b = batch.real, self.partner(batch)
        if not self.shift:
            return a, b
        down, right = self.offsets(batch), self.offsets(batch)
        if self.shifts_alike:
            return shifted(a, down, right), shifted(b, down, right)
        return shifted(a, down, right), shifted(b, self.offsets(batch), self.offsets(batch))

    def offsets(self, batch: Batch) -> Tensor:
        """Random numbers of pixels (N,) int64 from -`shift` to `shift`."""
        return batch.integers(2 * self.shift + 1) - self.shift

    def partner(self, batch: Batch) -> Tensor:
        """The batch's partners (N, C, H, W), as they are."""
        if batch.partner is None:
            raise DataError(f"{self.name} learns from images and their partners, and this batch has no partners")
        return batch.partner

    def generator_term(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        """G's adversarial loss for each of D's logits of its images; `real_logits` only where the loss is relativistic."""
        if real_logits is not None:
            return relativistic_generator(real_logits, fake_logits)
        if self.loss == "least_squares":
            return least_squares(fake_logits, 1)
        return non_saturating_generator(fake_logits)

    def penalty_report(self, r1: Tensor) -> dict[str, Tensor]:
        """The penalty gamma / 2 times `r1`, a scalar, scaled up by `penalty_every`."""
        return {"loss": self.penalty_every * self.gamma / 2 * r1, "r1": r1.detach()}


def patch_r1(D: nn.Module, images: Tensor) -> Tensor:
    """The squared gradient of the sum of all patches' logits at real images (N, C, H, W), per patch; a scalar."""
    points = images.detach().requires_grad_()
    logits = D(points).float().flatten(1)
    return squared_gradient(points, logits.sum(1)).mean() / logits.shape[1]
