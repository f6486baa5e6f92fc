"""cGAN: conditional GAN (Mirza, Osindero 2014, arXiv:1411.1784).

Idea: G and D are both conditioned on the class y of an image (eq. 2). D decides whether an image is real *and* fits its class, so
G must generate what is asked for: `ganvas sample RUN --label 7`.

`join` says how D is conditioned: "concat" concatenates the class to D's input as in the paper, "projection" adds the product of a
learned vector of the class and D's last features to the logit (Miyato and Koyama 2018, arXiv:1802.05637, eq. 3).

Departs from the paper: DCGAN's networks by default, where the class is one more channel; the preset `paper` has fully connected
networks, but without dropout, with Adam instead of momentum, and with normal noise (theirs uniform).
"""

from __future__ import annotations

from functools import partial

from torch import nn

from ganvas.errors import UsageError
from ganvas.method import DataSpec, setting
from ganvas.methods.gan._base import NonSaturating
from ganvas.networks.conditional import LabelledGenerator, ProjectionDiscriminator
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.networks.joined import JoinedDiscriminator, JoinedGenerator, LabelMapped
from ganvas.networks.mlp import MLPDiscriminator
from ganvas.registry import preset
from ganvas.settings import as_text


class CGAN(NonSaturating):
    name = "cgan"
    title = "class-conditional GAN"
    paper = "Mirza, Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784"
    batch_size: int = setting(16, "images per step, over all processes together", minimum=2)
    needs_classes = True
    lr: float = setting(2e-3, "learning rate of Adam, both networks", minimum=0)
    join: str = setting("projection", "how D is conditioned on the class", choices=("concat", "projection"))
    network: str = setting("conv", "DCGAN's convolutions, or fully connected layers", choices=("conv", "mlp"))
    width: int = setting(28, "conv: channels at the largest inner size, both networks", minimum=1, when="network=conv")
    generator: tuple[int, ...] = setting(
        (200, 1000, 1200), "mlp: widths of G's layers of z, of the class and of both", minimum=1, when="network=mlp"
    )
    discriminator: tuple[int, ...] = setting(
        (240, 50, 240),
        "mlp: widths of D's layers of the image, of the class and of both",
        minimum=1,
        when="network=mlp",
    )

    def build(self, spec: DataSpec) -> None:
        classes = self.learn_classes(spec)
        make = {"conv": self.convolutions, "mlp": self.layers}[self.network]
        self.G, self.D = make(spec, classes)

    def convolutions(self, spec: DataSpec, classes: int) -> tuple[nn.Module, nn.Module]:
        """G and D of DCGAN's layers."""
        G = LabelledGenerator(DCGANGenerator(self.z_dim + classes, spec.shape, self.width, norm="batch"), classes)
        make = partial(DCGANDiscriminator, width=self.width, norm="batch")
        if self.join == "concat":
            return G, LabelMapped(make, spec.shape, classes)
        return G, ProjectionDiscriminator(make(spec.shape, outputs=1 + classes))

    def layers(self, spec: DataSpec, classes: int) -> tuple[nn.Module, nn.Module]:
        """The paper's fully connected G and D (sec. 4.1)."""
        G = JoinedGenerator(self.z_dim, classes, spec.shape, three("generator", self.generator))
        widths = three("discriminator", self.discriminator)
        if self.join == "concat":
            return G, JoinedDiscriminator(spec.shape, classes, widths)
        of_image, _, of_both = widths
        return G, ProjectionDiscriminator(MLPDiscriminator(spec.shape, [of_image, of_both], outputs=1 + classes))


def three(name: str, widths: tuple[int, ...]) -> tuple[int, ...]:
    """The widths of the setting `name`, which must be three."""
    if len(widths) != 3:
        raise UsageError(f"{name} must be three widths joined by -, such as 200-1000-1200 (got {as_text(widths)})")
    return widths


@preset("cgan")
def tiny() -> CGAN:
    """Seconds on a CPU; for tests and first looks."""
    return CGAN(batch_size=16, z_dim=8, width=4, lr=2e-4, generator=(8, 8, 16), discriminator=(16, 8, 16))


@preset("cgan")
def small() -> CGAN:
    """The defaults: about 3 million MACs a network on digits, for minutes of a CPU. Figures: docs/experiments/gans.md."""
    return CGAN()


@preset("cgan")
def paper() -> CGAN:
    """The paper's fully connected networks and batch of 100 (sec. 4.1)."""
    return CGAN(join="concat", network="mlp", batch_size=100, lr=2e-4)
