"""SRResNet: super-resolution by residual blocks, scored pixel by pixel (Ledig 2017, arXiv:1609.04802, the start of SRGAN).

Idea: downsample each training image (bicubic, antialiased), and train a network to reconstruct the original. All layers work at
the small size; at the end, scale^2 values per pixel are rearranged to pixels (pixel shuffle). With a pixel loss (eq. 4) the
result is the mean of all possible sharp images: the best PSNR, but a little blurred. `srgan` continues from there.

With degradation=photo the small images are also blurred or sharpened, noisy and saved as JPEG (see data/photo_degradation.py), so
that enlarging a photo also cleans it.

Departs from the paper: the output is added to the bicubic enlargement (`base`); the defaults are L1 in place of squares, no batch
norm (both as in Lim 2017, arXiv:1707.02921), and a direct last layer, which train faster on a CPU; preset `paper` has the paper's
network and loss. Images of any size and number of channels.
"""

from __future__ import annotations

from torch import Tensor

from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.image_to_image._base_restoration import DISTANCES, SuperResolution
from ganvas.registry import preset


class SRResNet(SuperResolution):
    name = "srresnet"
    title = "super-resolution with a residual network and a pixel loss"
    paper = "Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution, arXiv:1609.04802"

    loss: str = setting("l1", "error against the complete image", choices=("l1", "l2"))

    def build(self, spec: DataSpec) -> None:
        self.G = self.build_generator(spec)

    def updates(self) -> list[Update]:
        return [Update("pixels", trains="G", loss=self.pixel_loss)]

    def pixel_loss(self, batch: Batch) -> dict[str, Tensor]:
        small, whole = self.small_and_whole(self.training_images(batch), batch)
        return {"loss": DISTANCES[self.loss](self.G(small), whole).mean()}


@preset("srresnet")
def tiny() -> SRResNet:
    """Seconds on a CPU; for tests and first looks."""
    return SRResNet(batch_size=16, width=4, blocks=1)


@preset("srresnet")
def small() -> SRResNet:
    """For photos cut into patches (data.fit=tile, data.size=96) on a CPU. Figures: docs/experiments.md."""
    return SRResNet(batch_size=16, width=32, blocks=6, ema=0.995)


@preset("srresnet")
def photo() -> SRResNet:
    """For photos of phones, x2: enlarges, and removes blur, noise and JPEG's blocks. Train it on good photos cut into patches
    (data.fit=tile, data.size=64). Clean small images are better enlarged by `small`. Figures: docs/experiments.md."""
    return SRResNet(batch_size=16, width=32, blocks=6, ema=0.995, degradation="photo")


@preset("srresnet")
def paper() -> SRResNet:
    """The paper's network and loss (sec. 3.2): 16 blocks of 64 channels with batch norm, x4. For a GPU."""
    return SRResNet(
        scale=4, kernel=9, norm="batch", tail="staged", base="none", loss="l2", lr=1e-4, decay="none", ema=0.0
    )
