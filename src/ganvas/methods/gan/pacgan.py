"""PacGAN: packing (Lin 2018, arXiv:1712.04086).

Idea: D sees packs of `pack` images at once, all real or all generated, concatenated along the channels. Packs of real images are
diverse; a G that collapses generates packs that are not, even where each image is good. The paper proves that packing favours a G
with less mode collapse. The loss and all networks but D's first layer are the same. Compare the file dcgan.py.

Departs from the paper: DCGAN's networks at any height and width; every image gets the logit of its pack, so that means over
images are means over packs; the defaults are for minutes of a CPU, as those of dcgan.py (preset `paper` has its values).
"""

from __future__ import annotations

from functools import partial

from ganvas.method import DataSpec, setting
from ganvas.methods.gan._base import NonSaturating
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.networks.packed import PackedDiscriminator, check_packs
from ganvas.registry import preset


class PacGAN(NonSaturating):
    name = "pacgan"
    title = "DCGAN whose D sees packs of images"
    paper = "Lin et al. 2018, PacGAN: The power of two samples in generative adversarial networks, arXiv:1712.04086"
    batch_size: int = setting(16, "images per step, over all processes together; a multiple of pack", minimum=2)
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    lr: float = setting(4e-3, "learning rate of Adam, both networks", minimum=0)
    pack: int = setting(2, "images that D sees at once", minimum=2, maximum=4)

    def build(self, spec: DataSpec) -> None:
        check_packs(self.batch_size, self.pack)
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        self.D = PackedDiscriminator(partial(DCGANDiscriminator, width=self.width, norm="batch"), spec.shape, self.pack)


@preset("pacgan")
def tiny() -> PacGAN:
    """Seconds on a CPU; for tests and first looks."""
    return PacGAN(batch_size=16, z_dim=8, width=4, lr=2e-4)


@preset("pacgan")
def paper() -> PacGAN:
    """DCGAN's width, batch and learning rate. Slow on a CPU."""
    return PacGAN(batch_size=128, width=64, lr=2e-4)


@preset("pacgan")
def small() -> PacGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return PacGAN()
