"""Inpainting: filling holes by what stands around them (context encoders, Pathak 2016, arXiv:1604.07379).

Idea: cut a hole into each training image and train a network to fill it. The loss compares with the true pixels (eq. 1), which
alone gives the blurred mean of all possible fillings; a discriminator that looks at parts of the filled image asks for one
of them (eq. 2, 3):

    loss of G = |G - x|^2 in the hole + around * |G - x|^2 everywhere + adversarial * (-D(filled))

Holes are rectangles, strokes or either, anew for each image, so one network fills holes of any form. Pixels outside of the
hole come back as they were, to the bit.

Departs from the paper: gated convolutions, hinge loss and spectral norm of Yu (2019, arXiv:1806.03589, eqs. 3 to 5), which know
where there is no image, in place of an encoder with a fully connected layer; the network is added to a smooth filling, a spline
under tension, where it starts; squares or L1; the discriminator comes in a second phase; any size of image.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import Degraded, Demonstrates, Restoration, Restores, restored_rows
from ganvas.data.degrade import box_masks, stroke_masks, turned
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_report, hinge_discriminator, wasserstein_generator
from ganvas.losses.restoration import absolute_error, hole_error, squared_error
from ganvas.method import Batch, DataSpec, Method, Update, setting, step_factor
from ganvas.networks.inpainter import GatedInpainter, smoothly_filled
from ganvas.networks.local_discriminator import LocalDiscriminator
from ganvas.registry import preset

STROKES = 8  # of one broken line


class Inpaint(Method, Restores, Demonstrates):
    name = "inpaint"
    title = "filling holes in images (context encoder, gated convolutions)"
    paper = "Pathak et al. 2016, Context Encoders: Feature Learning by Inpainting, arXiv:1604.07379"

    batch_size: int = setting(16, "images a step, over all processes together", minimum=1)
    holes: str = setting("mix", "their form; mix is one of both for each image", choices=("boxes", "strokes", "mix"))
    loss: str = setting("l2", "difference from the whole image", choices=("l1", "l2"))
    first_phase: float = setting(
        0.5, "share of the budget in which pixels alone count, before the discriminator", minimum=0, maximum=0.95
    )
    around: float = setting(0.1, "weight of the error outside of the hole, where the answer is known", minimum=0)
    adversarial: float = setting(0.0005, "weight of the discriminator's word; 0: no discriminator", minimum=0)
    width: int = setting(32, "channels at the largest inner size", minimum=1)
    blocks: int = setting(1, "rounds of dilated convolutions at the smallest size", minimum=1)
    fold: int = setting(2, "side of the squares of pixels that are folded into channels", minimum=1, maximum=4)
    disc_width: int = setting(32, "channels of the discriminator at full size", minimum=1)
    turn: bool = setting(True, "flip and turn training images at random")
    lr: float = setting(1e-3, "learning rate of both networks' Adam at the start", minimum=0)
    decay: str = setting(
        "cosine", "fall of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    warmup: int = setting(50, "steps over which the learning rate rises from 0", minimum=0)
    ema: float = setting(0.999, "decay of the network's average, a step", minimum=0, maximum=0.999999)

    averaged = ("G",)

    def build(self, spec: DataSpec) -> None:
        self.G = GatedInpainter(spec.channels, width=self.width, blocks=self.blocks, fold=self.fold)
        if self.adversarial:
            self.D = LocalDiscriminator(spec.channels + 1, width=self.disc_width)

    def optimizers(self) -> dict[str, Optimizer]:
        trained = {"G": self.G, "D": self.D} if self.adversarial else {"G": self.G}
        return {
            key: Adam(network.parameters(), lr=self.lr, betas=(0.5, 0.99), fused=True)
            for key, network in trained.items()
        }

    def updates(self) -> list[Update]:
        if not self.adversarial:
            return [Update("pixels", trains="G", loss=self.pixel_loss)]
        first, second = (0.0, self.first_phase), (self.first_phase, inf)
        pixels = Update("pixels", trains="G", loss=self.pixel_loss, span=first)
        filler = Update("filler", trains="G", loss=self.filler_loss, span=second)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss, span=second)
        return [pixels, filler, discriminator] if self.first_phase else [filler, discriminator]

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)

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
        """The batch's images, turned at random; their holes (N, 1, H, W); and G's images (N, C, H, W)."""
        whole = turned(batch.real, batch.uniform(3)) if self.turn else batch.real
        mask = self.masks(batch)
        return whole, mask, self.G(whole, mask)

    def pixel_error(self, output: Tensor, whole: Tensor, mask: Tensor) -> Tensor:
        """Eq. 1 in the hole, and `around` times the same everywhere, a scalar."""
        squares = self.loss == "l2"
        hole = hole_error(output, whole, mask, squares=squares).mean()
        everywhere = (squared_error if squares else absolute_error)(output, whole).mean()
        return hole + self.around * everywhere

    def masks(self, batch: Batch) -> Tensor:
        """(N, 1, H, W), 1 in the hole that each image of the batch gets."""
        height, width = batch.real.shape[2:]
        boxes = strokes = None
        if self.holes != "strokes":
            boxes = box_masks(batch.uniform(4), height, width)
        if self.holes != "boxes":
            strokes = stroke_masks(batch.uniform(2 + 3 * STROKES), height, width)
        if boxes is None or strokes is None:
            return boxes if strokes is None else strokes  # pyright: ignore[reportReturnType]
        return torch.where(batch.uniform(1, 1, 1) < 0.5, boxes, strokes)

    def degrade(self, batch: Batch) -> Degraded:
        mask = self.masks(batch)
        return Degraded(torch.where(mask > 0, 0.0, batch.real), batch.real, smoothly_filled(batch.real, mask), mask)

    def restoration(self) -> Restoration:
        return Restoration("holes", multiple=self.G.multiple)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Whole images (n, C, H, W): in the hole within [-1, 1], elsewhere as they came. UsageError without a mask."""
        if mask is None:
            raise UsageError("filling holes needs a mask, 1 where the image is missing")
        # One by one: a convolution of several rounds otherwise than that of one.
        made = torch.cat([self.G(x, hole) for x, hole in zip(degraded.split(1), mask.split(1), strict=True)])
        return torch.where(mask > 0, made.clamp(-1, 1), degraded)

    def rows(self, batch: Batch) -> Tensor:
        """Degraded, restored, original."""
        return restored_rows(self, batch)


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
