"""SRResNet: super-resolution by residual blocks, scored pixel by pixel (Ledig 2017, arXiv:1609.04802, the start of SRGAN).

Idea: make each training image smaller (bicubic, antialiased), and train a network to give back what it was. All work is done
at the small size; at the end, scale^2 values a pixel are laid out as that many pixels (pixel shuffle). With a loss by pixels
(eq. 4) it gives the mean of all sharp images that fit: the best PSNR, and a little blurred. `srgan` continues from there.

Departs from the paper: the network is added to the bicubic enlargement, where it starts (`base`); L1 in place of squares, no
batch norm (both as in Lim 2017, arXiv:1707.02921), and a direct last layer are what the defaults here take, since a CPU learns
faster so; preset `paper` has the paper's network and loss. Images of any size and number of channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import Degraded, Demonstrates, Restoration, Restores, restored_rows
from ganvas.data.degrade import check_shrinks, small_and_whole, turned, upscaled
from ganvas.losses.restoration import absolute_error, squared_error
from ganvas.method import Batch, DataSpec, Method, Update, setting, step_factor
from ganvas.networks.srresnet import SRResNet as Network
from ganvas.registry import preset


class SRResNet(Method, Restores, Demonstrates):
    name = "srresnet"
    title = "super-resolution with a residual network and a pixel loss"
    paper = "Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution, arXiv:1609.04802"

    batch_size: int = setting(16, "images a step, over all processes together", minimum=1)
    scale: int = setting(2, "times the height and width", choices=(2, 3, 4))
    width: int = setting(64, "channels", minimum=1)
    blocks: int = setting(16, "residual blocks", minimum=0)
    kernel: int = setting(
        3, "side of the first convolution, and of the last where the tail is staged", minimum=1, odd=True
    )
    norm: str = setting("none", "normalisation in the blocks", choices=("none", "batch"))
    tail: str = setting(
        "direct", "direct: shuffled in one go at the end; staged: doubled step by step", choices=("direct", "staged")
    )
    base: str = setting("bicubic", "what the network's answer is added to", choices=("bicubic", "none"))
    loss: str = setting("l1", "difference from the whole image", choices=("l1", "l2"))
    turn: bool = setting(True, "flip and turn training images at random")
    lr: float = setting(1e-3, "learning rate of Adam at the start", minimum=0)
    decay: str = setting(
        "cosine", "fall of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    warmup: int = setting(50, "steps over which the learning rate rises from 0", minimum=0)
    ema: float = setting(0.999, "decay of the network's average, a step", minimum=0, maximum=0.999999)

    averaged = ("G",)

    def build(self, spec: DataSpec) -> None:
        check_shrinks(spec.height, spec.width, self.scale)
        self.G = Network(
            spec.channels, self.scale, width=self.width, blocks=self.blocks, kernel=self.kernel, norm=self.norm,
            tail=self.tail, base=self.base == "bicubic",
        )  # fmt: skip

    def optimizers(self) -> dict[str, Optimizer]:
        return {"G": Adam(self.G.parameters(), lr=self.lr, betas=(0.9, 0.99), fused=True)}

    def updates(self) -> list[Update]:
        return [Update("pixels", trains="G", loss=self.pixel_loss)]

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)

    def pixel_loss(self, batch: Batch) -> dict[str, Tensor]:
        small, whole = small_and_whole(turned(batch.real, batch.uniform(3)) if self.turn else batch.real, self.scale)
        distance = absolute_error if self.loss == "l1" else squared_error
        return {"loss": distance(self.G(small), whole).mean()}

    def degrade(self, batch: Batch) -> Degraded:
        """Made smaller, at the 256 levels of a file."""
        small, whole = small_and_whole(batch.real, self.scale)
        return Degraded(small, whole, upscaled(small, self.scale))

    def restoration(self) -> Restoration:
        return Restoration("resolution", scale=self.scale)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Images (n, C, H * scale, W * scale) in [-1, 1]."""
        return self.G(degraded).clamp(-1, 1)

    def rows(self, batch: Batch) -> Tensor:
        """Degraded, restored, original."""
        return restored_rows(self, batch)


@preset("srresnet")
def tiny() -> SRResNet:
    """Seconds on a CPU; for tests and first looks."""
    return SRResNet(batch_size=16, width=4, blocks=1)


@preset("srresnet")
def small() -> SRResNet:
    """For photos cut into patches (data.fit=tile, data.size=96) on a CPU. Figures: docs/experiments.md."""
    return SRResNet(batch_size=16, width=32, blocks=6, ema=0.995)


@preset("srresnet")
def paper() -> SRResNet:
    """The paper's network and loss (sec. 3.2): 16 blocks of 64 channels with batch norm, x4. For a GPU."""
    return SRResNet(
        scale=4, kernel=9, norm="batch", tail="staged", base="none", loss="l2", lr=1e-4, decay="none", ema=0.0
    )
