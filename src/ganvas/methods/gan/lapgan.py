"""LAPGAN: a Laplacian pyramid of GANs (Denton, Chintala, Szlam, Fergus 2015, arXiv:1506.05751).

Idea: generate an image from coarse to fine. A small GAN generates the coarsest image (z_K to I_K, about 8 x 8); then at each
level the image is upsampled, and a conditional GAN adds the missing detail (eq. 5):

    I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1}))        z_k: a plane of noise

Each level is trained by itself on real coarse images u(d(I_k)), so no gradient crosses levels (sec. 2.3, fig. 2). D_k sees the
sum u(I_{k+1}) + h_k of the coarse image and a real or generated band. Level 0 is the finest, K the coarsest.

Labels (the paper's CC-LAPGAN): a learned plane per class for G_k; for D_k a projection (Miyato 2018), theirs is a plane as well.

Departs from the paper: Adam in place of SGD with rising momentum; batch norm but no dropout; D_k is DCGAN's, with strided
convolutions down to 4 x 4; the coarsest pair can be DCGAN's too (`base`); the pyramid is built by 2 x 2 means and bilinear
upsampling. Preset `small` has two levels of digits, 14 x 14 and 28 x 28, where the paper has 8, 14 and 28, and trains the finer
one in every fourth step.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import cast

from torch import Tensor, nn

from ganvas.draws import Draw
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report, non_saturating_generator
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.conditional import labelled, projected
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.networks.mlp import MLPDiscriminator, MLPGenerator
from ganvas.networks.pyramid import BandGenerator, PyramidDiscriminator, PyramidGenerator, downsampled, up
from ganvas.networks.resample import pyramid
from ganvas.registry import preset


class LAPGAN(Adversarial):
    name = "lapgan"
    title = "a pyramid of GANs, coarse to fine"
    paper = "Denton et al. 2015, Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks, arXiv:1506.05751"

    batch_size: int = setting(64, "images per step, over all processes together", minimum=2)
    z_dim: int = setting(
        100, "numbers in the coarsest level's latent; finer levels have one per pixel", minimum=1, fewer_is_fine=True
    )
    coarsest: int = setting(8, "the coarsest images' shorter side is at most this", minimum=2, unit="pixels")
    order: str = setting(
        "together",
        "train all levels in each step, or the coarsest for its share of the budget, then the next",
        choices=("together", "in_turn"),
    )
    finest_every: int = setting(
        1,
        "together: train the finest of several levels in every n-th step only; it costs most",
        minimum=1,
        when="order=together",
    )
    base: str = setting(
        "mlp",
        "the coarsest level's pair: fully connected (the paper), or convolutions as in DCGAN",
        choices=("mlp", "conv"),
    )
    base_generator: tuple[int, ...] = setting(
        (1200, 1200), "mlp: hidden widths of the coarsest level's G", minimum=1, when="base=mlp"
    )
    base_discriminator: tuple[int, ...] = setting(
        (600, 600), "mlp: hidden widths of the coarsest level's D", minimum=1, when="base=mlp"
    )
    base_width: int = setting(
        128, "conv: channels of the coarsest level's pair at its largest inner size", minimum=1, when="base=conv"
    )
    width: int = setting(64, "channels of G_k", minimum=1)
    depth: int = setting(1, "3 x 3 convolutions of G_k between its first and its last", minimum=0)
    disc_width: int = setting(64, "channels of D_k at its largest inner size", minimum=1)
    conditional: bool | None = setting(
        None, "condition all networks on the class of each image; auto: where the data have labels that are worth it"
    )

    filled = ("conditional",)

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        sizes = pyramid(spec.height, spec.width, self.coarsest)
        shapes = [(spec.channels, *size) for size in sizes]
        self.last = len(sizes) - 1  # K
        finer = [BandGenerator(shape, self.width, self.depth, "batch", classes) for shape in shapes[:-1]]
        discriminators = [DCGANDiscriminator(shape, self.disc_width, "batch", 1 + classes) for shape in shapes[:-1]]
        generator, discriminator = self.build_base(shapes[-1], classes)
        self.G = PyramidGenerator(labelled(generator, classes), self.z_dim, finer)
        self.D = PyramidDiscriminator([projected(one, classes) for one in (*discriminators, discriminator)], sizes)

    def build_base(self, shape: tuple[int, int, int], classes: int) -> tuple[nn.Module, nn.Module]:
        """G_K and D_K: a plain GAN for small images."""
        if self.base == "conv":
            G = DCGANGenerator(self.z_dim + classes, shape, self.base_width, "batch")
            return G, DCGANDiscriminator(shape, self.base_width, "batch", 1 + classes)
        G = MLPGenerator(self.z_dim + classes, self.base_generator, shape)
        return G, MLPDiscriminator(shape, self.base_discriminator, outputs=1 + classes)

    def trained(self) -> list[tuple[str, nn.Module, float]]:
        """Each level's two networks by the names G0, D0, G1, ..."""
        generators, discriminators = cast(PyramidGenerator, self.G).levels, cast(PyramidDiscriminator, self.D).levels
        trained: list[tuple[str, nn.Module, float]] = []
        for level, (G, D) in enumerate(zip(generators, discriminators, strict=True)):
            trained += [(f"G{level}", G, self.lr), (f"D{level}", D, self.lr * self.balance)]
        return trained

    def updates(self) -> list[Update]:
        updates = []
        for level in reversed(range(self.last + 1)):
            updates += self.level_updates(level)
        return updates

    def level_updates(self, level: int) -> list[Update]:
        """One step of G_k and one of D_k."""
        span = self.span(level)
        together = self.order == "together"
        levels_per_step = self.last + 1 / self.finest_every if together else 1
        adapt = partial(self.adapt, times=levels_per_step)
        g_loss, d_loss = partial(self.generator_loss, level=level), partial(self.discriminator_loss, level=level)
        every = self.finest_every if together and level == 0 < self.last else 1
        return [
            Update(f"generator{level}", trains=f"G{level}", loss=g_loss, span=span, every=every, keeps_graph=True),
            Update(f"discriminator{level}", trains=f"D{level}", loss=d_loss, after=adapt, span=span, every=every),
        ]

    def span(self, level: int) -> tuple[float, float]:
        """The start and the end of a level's training as fractions of the budget. In turn: equal parts, the coarsest first."""
        if self.order == "together":
            return 0.0, inf
        number, levels = self.last - level, self.last + 1
        if level == 0:
            return number / levels, inf
        return number / levels, (number + 1) / levels

    # --- losses: those of any GAN, on the images of one level -----------------------------------------------------------------

    def generator_loss(self, batch: Batch, level: int = 0) -> dict[str, Tensor]:
        fake = batch.memo(f"fake{level}", lambda: self.generate_level(batch, level))
        logits = batch.memo(f"fake_logits{level}", lambda: self.discriminate(batch, fake))
        return {"loss": non_saturating_generator(logits).mean()}

    def discriminator_loss(self, batch: Batch, level: int = 0) -> dict[str, Tensor]:
        fake = batch.memo(f"fake{level}", lambda: self.generate_level(batch, level)).detach()
        # Two passes: batch statistics of real and fake images must not mix.
        real_logits = self.discriminate(batch, downsampled(batch.real, level)[-1])
        fake_logits = batch.memo(f"fake_logits{level}", lambda: self.discriminate(batch, fake))
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits)

    def generate_level(self, batch: Batch, level: int) -> Tensor:
        """Images of one level with their graph: from noise at the coarsest, else from real coarse images and noise."""
        G = cast(PyramidGenerator, self.G)
        label = batch.label if self.classes else None
        noise = batch.uniform(G.numbers[level], low=-1.0, high=1.0)
        if level == self.last:
            return G.coarsest(noise, label)
        coarse = up(downsampled(batch.real, level + 1)[-1], G.size(level))
        return G.refine(level, noise, coarse, label)

    # --- noise: uniform, as in the paper; z holds that of all levels ----------------------------------------------------------

    def noise(self, batch: Batch) -> Tensor:
        return batch.uniform(cast(PyramidGenerator, self.G).z_dim, low=-1.0, high=1.0)

    def draws(self) -> tuple[Draw, ...]:
        """Noise of every level."""
        return (Draw("uniform", cast(PyramidGenerator, self.G).z_dim, -1.0, 1.0),)


@preset("lapgan")
def tiny() -> LAPGAN:
    """Seconds on a CPU; for tests and first looks."""
    return LAPGAN(
        batch_size=16, z_dim=8, base_generator=(16,), base_discriminator=(16,), base_width=4, width=4, disc_width=4,
        conditional=False,
    )  # fmt: skip


@preset("lapgan")
def paper() -> LAPGAN:
    """The defaults, under the paper's name: its layers for CIFAR-10 (sec. 3.1), at a batch of 128. For a GPU."""
    return LAPGAN(batch_size=128, conditional=False)


@preset("lapgan")
def small() -> LAPGAN:
    """For minutes of a CPU: a convolutional coarsest pair for up to 16 pixels, narrow networks, small batches, a high learning
    rate, the finest level in every fourth step. Figures: docs/experiments/gans.md."""
    return LAPGAN(
        batch_size=16, lr=2e-3, coarsest=16, finest_every=4, base="conv", base_width=40, width=16, disc_width=16
    )


@preset("lapgan")
def emoji() -> LAPGAN:
    """For the built-in emoji on a CPU. In 60 s of processor time (one busy core, seed 0) 1,188 steps: outlines, faces' yellow and
    edges, no readable emoji. Detail on real coarse images is good by then; it is the coarsest level that takes longer."""
    return LAPGAN(batch_size=32, lr=5e-4, base="conv", base_width=128, width=16, disc_width=16)
