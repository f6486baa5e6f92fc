"""3D-GAN: a GAN of volumes (Wu 2016, arXiv:1610.07584).

Idea: generator and discriminator of DCGAN with convolutions in three dimensions (fig. 2). G gives each voxel of a grid a
probability of being inside of the object, and D sees volumes of such probabilities beside volumes of 0 and 1.

`loss` is the paper's cross-entropy (eq. 1, with -log D(G(z)) for G), or the relativistic loss of R3GAN with its penalties on the
gradient of D (Huang 2024, arXiv:2501.05441, eqs. 2 to 4), which needs no batch norm and no balance between the two networks.
Its G has no sigmoid: with one, G soon gave nothing but empty volumes and had no gradient left to leave them (most voxels are
empty, so both ends of the sigmoid are flat where it would have to move).

With `reach` G generates signed distances from the surface in place of occupancies (a truncated distance field, Curless 1996):
they are smooth where occupancy jumps, and of values in between D has nothing to tell. The surface is where they are 0.

D may see shifted or mirrored volumes (`shift`, `mirror`), since a few hundred objects are soon memorised. To a D that sees
mirrored volumes all eight mirror images of a volume are equal, and G has no reason to generate more than one of them. What D was
shown are volumes of G mirrored at random, so with `mirror` samples are mirrored at random too: three numbers of each latent say
how.

Voxels of generated volumes are told from real ones by their values alone, of which distances have few: D is then right on every
volume, held-out ones too, and what it tells G says little about shapes. Noise on all that D sees hides such differences
(`noise`, Arjovsky 2017, arXiv:1701.04862), and falls to 0, without which loose voxels stay. With `pack` D sees several volumes at
once, so that it can tell how often G repeats itself (Lin 2018, arXiv:1712.04086).

G still makes too little of what is rare. Latents longer than those it was trained with (`truncation` above 1, against Brock 2018,
arXiv:1809.11096, sec. 3.1, who takes shorter ones) are of rarer shapes.

Departs from the paper: distances (its own occupancies: `reach=0`); grids of any size that the stages divide, 32 in place of 64;
leaky ReLU in both networks; no rule that skips D's update where its accuracy is above 80 % (its state would have to move within a
step): `balance` does that work. The defaults are for minutes of a CPU: narrow networks, batches of 8 in place of 100, and one
learning rate of 0.006 in place of 0.0025 for G and 0.00001 for D. Preset `paper` has the paper's values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.abilities import HasDiscriminator
from ganvas.data.distance import MAX_REACH, surface_distances
from ganvas.draws import Draw
from ganvas.losses.adversarial import (
    discriminator_cross_entropy,
    discriminator_report,
    non_saturating_generator,
    relativistic_discriminator,
    relativistic_generator,
)
from ganvas.losses.gradient import squared_gradient
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods._base_adversarial import ChoiceOfLoss, TwoAdams
from ganvas.methods.volume._base import AXES, Volumetric, mirrored
from ganvas.networks.conditional import labelled, projected
from ganvas.networks.packed import check_packs
from ganvas.networks.volume import VolumeDiscriminator, VolumeGenerator
from ganvas.registry import preset


class GAN3D(ChoiceOfLoss, TwoAdams, Volumetric, HasDiscriminator):
    name = "gan3d"
    title = "3D-GAN, volumes by three-dimensional convolutions"
    paper = (
        "Wu et al. 2016, Learning a Probabilistic Latent Space of Object Shapes via 3D Generative-Adversarial Modeling,"
        " arXiv:1610.07584"
    )

    batch_size: int = setting(8, "volumes per step, over all processes together", minimum=2)
    widths: tuple[int, ...] = setting(
        (32, 16, 8),
        "channels from the smallest grid up, each twice as long as the one before; full size excepted",
        minimum=1,
    )
    lr: float = setting(6e-3, "learning rate of Adam, both networks, at the start", minimum=0)
    loss: str = setting(
        "cross_entropy",
        "cross_entropy with batch norm, as in the paper, or relativistic with R1 and R2 and without norms",
        choices=("relativistic", "cross_entropy"),
    )
    reach: float = setting(
        3.0, "generate distances from the surface, cut at so many voxels; 0 generates occupancies", minimum=0,
        maximum=MAX_REACH, unit="voxels",
    )  # fmt: skip

    noise: float = setting(
        0.0, "standard deviation, at the start, of normal noise on all values that D sees; falls to 0 over the budget",
        minimum=0, maximum=2,
    )  # fmt: skip
    pack: int = setting(1, "volumes that D sees at once; batch_size is a multiple of it", minimum=1, maximum=4)

    averaged = ("G",)

    def build(self, spec: DataSpec) -> None:
        check_packs(self.batch_size, self.pack)
        self.strength = self.gamma_for(spec.total_variance)
        classes = self.classes_for(spec, self.conditional)
        norm = self.loss == "cross_entropy"
        start = 0.0 if norm else -1.0  # most voxels are empty
        self.G: nn.Module = labelled(
            VolumeGenerator(self.z_dim + classes, spec.shape, self.widths, norm, start), classes
        )
        D = VolumeDiscriminator(spec.shape, self.widths[::-1], norm, outputs=1 + classes, bias=norm, pack=self.pack)
        self.D: nn.Module = projected(D, classes)

    def updates(self) -> list[Update]:
        if self.loss == "cross_entropy":
            return [
                Update("generator", trains="G", loss=self.cross_entropy_generator, keeps_graph=True),
                Update("discriminator", trains="D", loss=self.cross_entropy_discriminator),
            ]
        return [
            Update("generator", trains="G", loss=self.relativistic_generator),
            Update("discriminator", trains="D", loss=self.relativistic_discriminator),
            Update("penalty", trains="D", loss=self.penalty_loss, every=self.penalty_every),
        ]

    # --- a training step ------------------------------------------------------------------------------------------------

    def generate_for(self, batch: Batch) -> Tensor:
        """New volumes with their graph, of the batch's classes where G is conditioned on them."""
        return self.volumes(batch.normal(self.z_dim), batch.label)

    def volumes(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Volumes (N, D, H, W) of G, not mirrored: in [-1, 1] by a sigmoid with the paper's loss, else as they are, mostly
        within."""
        outputs = self.occupancy(z, labels)
        if self.loss == "cross_entropy":
            return 2 * outputs.sigmoid() - 1
        return outputs

    def real_for(self, batch: Batch) -> Tensor:
        """Occupancies (N, D, H, W) in [-1, 1], or with `reach` distances from their surface."""
        if not self.reach:
            return batch.real
        return batch.memo("distances", lambda: surface_distances(batch.real > 0, self.reach))

    def draws(self) -> tuple[Draw, ...]:
        """z, normal numbers; with `mirror` three more, of which the signs say along which axes the volume of z is mirrored."""
        z = Draw("normal", self.z_dim)
        return (z, Draw("normal", AXES)) if self.mirror else (z,)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Volumes (n, D, H, W) in [-1, 1]."""
        z, sides = latents[:, : self.z_dim], latents[:, self.z_dim :]
        volumes = self.volumes(self.truncation * z, labels).clamp(-1, 1)
        # D tells no volume from its mirror images, so that G has no reason to generate more than one of the eight.
        return mirrored(volumes, sides > 0) if self.mirror else volumes

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """D's logits (M, 1), float32, of M = k * len(batch) volumes, mirrored, shifted and noisy as the settings say, with the
        batch's classes k times."""
        seen = self.moved(batch, images)
        level = self.noise * max(0.0, 1 - batch.progress)
        if level:
            # Real and generated volumes get the same numbers, which take a tenth of a step to draw.
            noise = batch.memo("noise", lambda: batch.normal(*images.shape[1:]))
            seen = seen + level * noise.repeat(len(images) // len(batch), 1, 1, 1)
        if batch.label is None or not self.classes:
            return self.D(seen).float()
        return self.D(seen, batch.label.repeat(len(images) // len(batch))).float()

    def cross_entropy_generator(self, batch: Batch) -> dict[str, Tensor]:
        """-log D(G(z))."""
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        return {"loss": non_saturating_generator(logits).mean()}

    def cross_entropy_discriminator(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 1, negated. Two passes: batch statistics of real and fake volumes must not mix."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        real_logits = self.discriminate(batch, self.real_for(batch))
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits)

    def relativistic_generator(self, batch: Batch) -> dict[str, Tensor]:
        """Huang 2024, eq. 2, for G."""
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        with torch.no_grad():  # G is moved through its own volumes only
            real_logits = self.discriminate(batch, self.real_for(batch))
        return {"loss": relativistic_generator(real_logits, self.discriminate(batch, fake)).mean()}

    def relativistic_discriminator(self, batch: Batch) -> dict[str, Tensor]:
        """Huang 2024, eq. 2, for D."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        real_logits, fake_logits = self.discriminate(batch, torch.cat([self.real_for(batch), fake])).chunk(2)
        loss = relativistic_discriminator(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits, boundary=None)

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """gamma / 2 (R1 + R2) (Huang 2024, eqs. 3 and 4) in a step of its own, `penalty_every` times as strong."""
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        points = torch.cat([self.real_for(batch), fake]).requires_grad_()
        r1, r2 = squared_gradient(points, self.discriminate(batch, points)).chunk(2)
        # Each volume of a pack has the pack's output, of which the sum above has `pack` copies.
        r1, r2 = r1 / self.pack, r2 / self.pack
        loss = self.penalty_every * self.strength / 2 * (r1 + r2).mean()
        return {"loss": loss, "r1": r1.detach().mean(), "r2": r2.detach().mean()}


@preset("gan3d")
def tiny() -> GAN3D:
    """Seconds on a CPU; for tests and first looks. Occupancies, and the relativistic loss."""
    return GAN3D(
        batch_size=8, z_dim=8, widths=(8, 4), loss="relativistic", reach=0.0, lr=2e-3, beta1=0.0, beta2=0.99,
    )  # fmt: skip


@preset("gan3d")
def small() -> GAN3D:
    """The built-in shapes, for minutes of a CPU: the defaults with `mirror`, `noise`, `pack` and a `truncation` above 1, since G
    learns too few of the rarer shapes. Figures: docs/experiments/volumes.md."""
    return GAN3D(mirror=True, noise=0.4, pack=2, truncation=1.2)


@preset("gan3d")
def paper() -> GAN3D:
    """The paper's widths, losses and settings, for a GPU; it has 64 voxels a side: set data.voxels=64."""
    return GAN3D(
        batch_size=100, z_dim=200, widths=(512, 256, 128, 64), reach=0.0, lr=0.0025, balance=0.004, decay="none", ema=0.0,
    )  # fmt: skip
