"""DCGAN: deep convolutional GAN (Radford, Metz, Chintala 2015, arXiv:1511.06434).

Idea: strided convolutions instead of pooling, batch norm in both networks, no hidden fully connected layers, ReLU in G and
LeakyReLU(0.2) in D; Adam at 2e-4 with beta1 0.5; weights from N(0, 0.02). The loss is the non-saturating one.

Departs from the paper: noise is normal (theirs uniform), any height and width. Where the data have labels both networks are
conditioned on the class: a vector of it beside z, and a projection in D (Miyato 2018, arXiv:1802.05637). The defaults are for
minutes of a CPU: narrow networks, batches of 16 in place of 128 and many times the paper's learning rate, which batch norm in
both networks stands. Preset `paper` has the paper's values and figure 1's 1024-512-256-128.
"""

from __future__ import annotations

from ganvas.method import DataSpec, setting
from ganvas.methods.gan._base import NonSaturating
from ganvas.networks.conditional import labelled, projected
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class DCGAN(NonSaturating):
    name = "dcgan"
    title = "deep convolutional GAN"
    paper = "Radford et al. 2015, Unsupervised Representation Learning with DCGANs, arXiv:1511.06434"

    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    lr: float = setting(2e-3, "learning rate of Adam, both networks", minimum=0)
    conditional: bool | None = setting(
        None, "condition both networks on the class of each image; auto: where the data have labels that are worth it"
    )

    filled = ("conditional",)

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        self.G = labelled(DCGANGenerator(self.z_dim + classes, spec.shape, self.width, norm="batch"), classes)
        self.D = projected(DCGANDiscriminator(spec.shape, self.width, norm="batch", outputs=1 + classes), classes)


@preset("dcgan")
def tiny() -> DCGAN:
    """Seconds on a CPU; for tests and first looks."""
    return DCGAN(batch_size=16, z_dim=8, width=4, lr=2e-4, conditional=False)


@preset("dcgan")
def paper() -> DCGAN:
    """Figure 1 of the paper: 1024 channels at 4 x 4 for images of 64 x 64; its batches and learning rate. Slow on a CPU."""
    return DCGAN(batch_size=128, width=128, lr=2e-4, conditional=False)


@preset("dcgan")
def small() -> DCGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return DCGAN()
