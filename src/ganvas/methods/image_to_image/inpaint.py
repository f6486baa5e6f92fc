"""Inpainting: filling holes from what surrounds them (context encoders, Pathak 2016, arXiv:1604.07379).

Idea: cut a hole into each training image and train a network to fill it. The pixel error (eq. 1) alone gives the blurred mean of
all possible fillings; a discriminator of patches of the completed image selects one of them (eqs. 2 and 3):

    loss of G = |G - x|^2 in the hole + around * |G - x|^2 everywhere + adversarial * (-D(completed))

Holes are rectangles, strokes or either, new ones for each image, so one network fills holes of any form. Pixels outside the
hole stay bit-equal.

Departs from the paper: gated convolutions, hinge loss and spectral norm of Yu (2019, arXiv:1806.03589, eqs. 3 to 5), which know
where the image is missing, in place of an encoder with a fully connected layer; the network's output is added to a filling that
needs no training, a spline under tension diffused along the edges around the hole; squared or absolute error; the discriminator
comes in a second phase; the result is averaged with a filling by few cosines (Guleryuz 2006), which starts from it and costs a
training nothing; any size of image.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from ganvas.abilities import Degraded, Restoration
from ganvas.data.degrade import box_masks, stroke_masks
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_report, hinge_discriminator, wasserstein_generator
from ganvas.losses.restoration import hole_error
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.image_to_image._base_restoration import DISTANCES, RestorationMethod
from ganvas.networks.inpainter import GatedInpainter, initially_filled
from ganvas.networks.local_discriminator import LocalDiscriminator
from ganvas.networks.sparse_filling import filled_by_cosines
from ganvas.registry import preset

STROKES_PER_LINE = 8  # of one broken line
NO_MASK = "filling holes needs a mask, 1 where the image is missing"


class Inpaint(RestorationMethod):
    name = "inpaint"
    title = "filling holes in images (context encoder, gated convolutions)"
    paper = "Pathak et al. 2016, Context Encoders: Feature Learning by Inpainting, arXiv:1604.07379"

    holes: str = setting(
        "mix", "form of the holes; mix: one of both for each image", choices=("boxes", "strokes", "mix")
    )
    loss: str = setting("l2", "error against the complete image", choices=("l1", "l2"))
    first_phase: float = setting(
        0.5,
        "share of the budget with the pixel loss only, before the discriminator",
        minimum=0,
        maximum=0.95,
        when="adversarial",
    )
    around: float = setting(0.1, "weight of the error outside of the hole, where the image is known", minimum=0)
    adversarial: float = setting(0.0005, "weight of the adversarial loss; 0: no discriminator", minimum=0)
    width: int = setting(32, "channels at the largest inner size", minimum=1)
    blocks: int = setting(1, "blocks of dilated convolutions at the smallest size", minimum=1)
    fold: int = setting(2, "side of the squares of pixels that are folded into channels", minimum=1, maximum=4)
    cosines: float = setting(
        0.6,
        "share of a second filling, by few cosines, in restored images; 0: the network's alone",
        minimum=0,
        maximum=1,
    )
    disc_width: int = setting(32, "channels of the discriminator at full size", minimum=1, when="adversarial")

    betas = (0.5, 0.99)

    def build(self, spec: DataSpec) -> None:
        self.G = GatedInpainter(spec.channels, width=self.width, blocks=self.blocks, fold=self.fold)
        if self.adversarial:
            self.D = LocalDiscriminator(spec.channels + 1, width=self.disc_width)

    def updates(self) -> list[Update]:
        if not self.adversarial:
            return [Update("pixels", trains="G", loss=self.pixel_loss)]
        first, second = (0.0, self.first_phase), (self.first_phase, inf)
        pixels = Update("pixels", trains="G", loss=self.pixel_loss, span=first)
        filler = Update("filler", trains="G", loss=self.filler_loss, span=second)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss, span=second)
        return [pixels, filler, discriminator] if self.first_phase else [filler, discriminator]

    def pixel_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, mask, output = batch.memo("output", lambda: self.output(batch))
        return {"loss": self.pixel_error(output, whole, mask)}

    def filler_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, mask, output = batch.memo("output", lambda: self.output(batch))
        pixels = self.pixel_error(output, whole, mask)
        completed = torch.where(mask > 0, output, whole)
        adversarial = wasserstein_generator(self.D(torch.cat([completed, mask], 1))).mean()
        return {"loss": pixels + self.adversarial * adversarial, "pixels": pixels, "adversarial": adversarial}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        whole, mask, output = batch.memo("output", lambda: self.output(batch))
        completed = torch.where(mask > 0, output.detach(), whole)
        images = torch.cat([whole, completed])
        real_logits, fake_logits = self.D(torch.cat([images, mask.repeat(2, 1, 1, 1)], 1)).chunk(2)
        return discriminator_report(hinge_discriminator(real_logits, fake_logits).mean(), real_logits, fake_logits)

    def output(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The batch's images (N, C, H, W), flipped and rotated; their masks (N, 1, H, W); and G's images (N, C, H, W)."""
        whole = self.training_images(batch)
        mask = self.masks(batch)
        return whole, mask, self.G(whole, mask)

    def pixel_error(self, output: Tensor, whole: Tensor, mask: Tensor) -> Tensor:
        """Eq. 1 in the hole, and `around` times the same everywhere, a scalar."""
        hole = hole_error(output, whole, mask, squares=self.loss == "l2").mean()
        everywhere = DISTANCES[self.loss](output, whole).mean()
        return hole + self.around * everywhere

    def masks(self, batch: Batch) -> Tensor:
        """Random masks (N, 1, H, W) for the images of a batch, 1 in the hole."""
        height, width = batch.real.shape[2:]
        if self.holes == "boxes":
            return box_masks(batch.uniform(4), height, width)
        if self.holes == "strokes":
            return stroke_masks(batch.uniform(2 + 3 * STROKES_PER_LINE), height, width)
        boxes = box_masks(batch.uniform(4), height, width)
        strokes = stroke_masks(batch.uniform(2 + 3 * STROKES_PER_LINE), height, width)
        return torch.where(batch.uniform(1, 1, 1) < 0.5, boxes, strokes)

    def degrade(self, batch: Batch) -> Degraded:
        mask = self.masks(batch)
        filled = self.with_cosines(initially_filled(batch.real, mask), mask)
        return Degraded(torch.where(mask > 0, 0.0, batch.real), batch.real, filled, mask)

    def restoration(self) -> Restoration:
        return Restoration("holes", multiple=self.G.multiple, by_size=True)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Whole images (n, C, H, W): in the hole in [-1, 1], elsewhere bit-equal to `degraded`. UsageError without a mask."""
        if mask is None:
            raise UsageError(NO_MASK)
        # One by one: a convolution of several images rounds differently from that of one.
        restored = []
        for x, hole in zip(degraded.split(1), mask.split(1), strict=True):
            restored.append(self.restore_batch(x, hole))
        return torch.cat(restored)

    def restore_batch(self, degraded: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            raise UsageError(NO_MASK)
        completed = torch.where(mask > 0, self.G(degraded, mask).clamp(-1, 1), degraded)
        return self.with_cosines(completed, mask)

    def with_cosines(self, completed: Tensor, mask: Tensor) -> Tensor:
        """Whole images (N, C, H, W), the hole's pixels averaged with those of `filled_by_cosines`, which starts from them."""
        if not self.cosines:
            return completed
        again = filled_by_cosines(completed, mask).clamp(-1, 1)
        return torch.where(mask > 0, torch.lerp(completed, again, self.cosines), completed)


@preset("inpaint")
def tiny() -> Inpaint:
    """Seconds on a CPU; for tests and first looks. Without the first phase, so that each step trains both networks."""
    return Inpaint(batch_size=16, width=4, disc_width=4, first_phase=0.0)


@preset("inpaint")
def small() -> Inpaint:
    """For photos cut into patches (data.fit=tile, data.size=64) on a CPU. Figures: docs/experiments.md."""
    return Inpaint(batch_size=16, width=24, disc_width=16, lr=2e-3, ema=0.995)


@preset("inpaint")
def paper() -> Inpaint:
    """Near Yu's sizes (2019, sec. 4): no folding, 48 channels, four rounds of dilated convolutions. For a GPU."""
    return Inpaint(width=48, blocks=4, fold=1, disc_width=64, lr=1e-4, decay="none")
