"""StyleGAN2 (Karras 2020, arXiv:1912.04958), with the small-data settings of its successor (Karras 2020, arXiv:2006.06676).

Idea: a mapping network turns z into a style w, and w scales the channels of every convolution of G. Demodulation (eq. 3)
restores the variance of the activations, in place of StyleGAN's instance norm, which caused blobs. Noise at each layer is the
source of random details. Two lazy penalties, in a step of their own: R1 on D, and path length on G (eq. 4: a step of given
length in w should change the image equally everywhere). D also sees the standard deviation within small groups of images.

Gamma follows the total variance of the data unless it is set (losses/gradient.py, auto_gamma); only digits were tried here.

Random numbers of the training (noise, mixing, directions) come from the batch. Sampling uses one fixed image of noise per
layer, so an image depends on its seed alone. The minibatch deviation is over `group` neighbours of one pass; real and fake
images pass D separately and never share a group. Two processes compute the same as one if `group` divides the share of the
batch that each has; otherwise their groups are smaller.

Departs from the paper: any height and width; the path length is compared with the moving mean of the steps before, since a loss
changes no state; style mixing changes to the other style at a random layer of each image; optional decay of the learning rate
(`decay`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import LatentSpace
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report, non_saturating_generator
from ganvas.losses.gradient import auto_gamma, path_length, squared_gradient
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Pair
from ganvas.networks.conditional import projected
from ganvas.networks.style import StyleDiscriminator, StyleGenerator, style_inputs
from ganvas.registry import preset


class StyleGAN2(Pair):
    name = "stylegan2"
    title = "style-based G, path length, lazy R1"
    paper = "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958"

    batch_size: int = setting(32, "images per step, over all processes together", minimum=1)
    z_dim: int = setting(64, "size of the latent", minimum=1, fewer_is_fine=True)
    lr: float = setting(2.5e-3, "learning rate of Adam, both networks", minimum=0)
    beta1: float = setting(0.0, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.99, "Adam's second decay", minimum=0, maximum=0.99999)
    w_dim: int = setting(64, "numbers in a style w", minimum=1)
    mapping_layers: int = setting(8, "layers from z to w", minimum=1)
    mapping_lr_multiplier: float = setting(
        0.01, "learning rate of the mapping network over that of the others", minimum=1e-6
    )
    widths: tuple[int, ...] = setting((128, 64, 32, 16), "channels from the smallest images to full size", minimum=1)
    generator: str = setting("skip", "images of all sizes summed, or residual blocks", choices=("skip", "residual"))
    discriminator: str = setting(
        "residual",
        "residual blocks, downsampled images at all sizes, or neither",
        choices=("residual", "skip", "plain"),
    )
    group: int = setting(4, "images that share a minibatch deviation; 1: none", minimum=1)
    gamma: float | None = setting(None, "weight of R1; auto = total variance of the data / 200", minimum=0)
    r1_every: int = setting(16, "R1 in every n-th step only, n times as strongly", minimum=1, fewer_is_fine=True)
    path_weight: float = setting(2.0, "weight of the path length penalty; 0: none", minimum=0)
    path_every: int = setting(
        4, "path length in every n-th step only, n times as strongly", minimum=1, when="path_weight"
    )
    path_share: int = setting(2, "path length on every n-th image of the batch only", minimum=1, when="path_weight")
    path_decay: float = setting(
        0.99, "decay of the mean path length, a penalty", minimum=0, maximum=0.999999, when="path_weight"
    )
    mixing: float = setting(0.9, "share of training images that change to another style midway", minimum=0, maximum=1)
    truncation: float = setting(1.0, "sampling: 1 as trained, towards 0 nearer to the mean style", minimum=0, maximum=2)
    w_decay: float = setting(0.998, "decay of the mean style per step", minimum=0, maximum=0.999999)
    ema: float = setting(0.999, "decay of G's average per step", minimum=0, maximum=0.999999)
    conditional: bool = setting(False, "condition G and D on the class of each image; the data need labels")

    of_sampling = ("truncation",)

    def build(self, spec: DataSpec) -> None:
        self.strength = auto_gamma(spec.total_variance) if self.gamma is None else self.gamma
        classes = self.classes_for(spec, self.conditional)
        widths = self.widths
        self.G: StyleGenerator = StyleGenerator(  # pyright: ignore[reportIncompatibleVariableOverride]
            self.z_dim, spec.shape, widths, self.w_dim, kind=self.generator, mapping_layers=self.mapping_layers,
            mapping_lr_multiplier=self.mapping_lr_multiplier, classes=classes, truncation=self.truncation,
        )  # fmt: skip
        self.D = projected(
            StyleDiscriminator(spec.shape, widths, self.discriminator, self.group, outputs=1 + classes), classes
        )
        self.path_mean: Tensor
        self.register_buffer("path_mean", torch.zeros(()))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam, with smaller learning rate and decays where a penalty adds a step to every k: c = k / (k + 1) (appendix B)."""
        c = {"G": 1.0, "D": self.r1_every / (self.r1_every + 1)}
        if self.path_weight:
            c["G"] = self.path_every / (self.path_every + 1)
        optimizers: dict[str, Optimizer] = {}
        for key, network, rate in self.trained():
            decays = (self.beta1 ** c[key], self.beta2 ** c[key])
            optimizers[key] = Adam(network.parameters(), lr=rate * c[key], betas=decays, fused=True)
        return optimizers

    def updates(self) -> list[Update]:
        generator = Update(
            "generator", trains="G", loss=self.generator_loss, keeps_graph=True, after=self.move_style, means=("style",)
        )
        path = Update("path", trains="G", loss=self.path_loss, every=self.path_every, after=self.move_path)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt)
        r1 = Update("r1", trains="D", loss=self.r1_loss, every=self.r1_every)
        return [generator, path, discriminator, r1] if self.path_weight else [generator, discriminator, r1]

    # --- G ----------------------------------------------------------------------------------------------------------------

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        styles, fake = batch.memo("generated", lambda: self.generated(batch))
        logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake))
        loss = non_saturating_generator(logits).mean()
        return {"loss": loss, "style": styles.detach()[:, 0].float().mean(0)}

    def generated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """New styles (N, L, w_dim) and their images (N, C, H, W)."""
        styles = self.styles(batch)
        return styles, self.G.synthesis(styles, self.noises(batch))

    def generate_for(self, batch: Batch) -> Tensor:
        return self.generated(batch)[1]

    def styles(self, batch: Batch) -> Tensor:
        """w of each style input (N, L, w_dim). A fraction `mixing` of the images changes to another w at a random layer."""
        layers = self.G.synthesis.inputs
        label = batch.label if self.classes else None
        z = self.noise(batch)
        if not self.mixing:
            return self.G.mapping(z, label)[:, None].expand(-1, layers, -1)
        twice = label
        if label is not None:
            twice = label.repeat(2)
        one, other = self.G.mapping(torch.cat([z, self.noise(batch)]), twice)[:, None].chunk(2)
        start = 1 + batch.integers(layers - 1, 1)
        start = torch.where(batch.uniform(1) < self.mixing, start, layers)
        first = torch.arange(layers, device=z.device) < start
        return torch.where(first[:, :, None], one, other)

    def noises(self, batch: Batch) -> list[Tensor]:
        """One image of noise (N, 1, H, W) for each layer that takes one."""
        return [batch.normal(1, *size) for size in self.G.synthesis.noise_sizes]

    def path_loss(self, batch: Batch) -> dict[str, Tensor]:
        """path_every * path_weight * mean (|J_w^T y| - a)^2 (eq. 4), y divided by sqrt(H W): a depends less on the size."""
        # Every n-th row, not the first ones: shares of a batch then choose what the whole batch does.
        chosen = slice(None, None, self.path_share)
        styles = self.styles(batch)[chosen]
        noise = [one[chosen] for one in self.noises(batch)]
        images = self.G.synthesis(styles, noise)
        directions = batch.normal(*images.shape[1:])[chosen] / math.sqrt(images[0, 0].numel())
        lengths = path_length(styles, images, directions)
        penalty = (lengths - self.path_mean).square().mean()
        return {"loss": self.path_every * self.path_weight * penalty, "length": lengths.detach().mean()}

    def move_style(self, report: dict[str, Tensor], batch: Batch) -> None:
        """The mean style, for truncation."""
        self.G.mapping.average.lerp_(report["style"], 1 - self.w_decay)

    def move_path(self, report: dict[str, Tensor], batch: Batch) -> None:
        """a of eq. 4, the moving mean of the lengths. It starts at the first: from zero it would ask for images all alike."""
        moved = torch.lerp(self.path_mean, report["length"], 1 - self.path_decay)
        self.path_mean.copy_(torch.where(self.path_mean == 0, report["length"], moved))

    # --- D ----------------------------------------------------------------------------------------------------------------

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        _, fake = batch.memo("generated", lambda: self.generated(batch))
        # Two passes: a group of the minibatch deviation must not mix real and fake images.
        real_logits = self.discriminate(batch, batch.real)
        fake_logits = batch.memo("fake_logits", lambda: self.discriminate(batch, fake.detach()))
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
        return discriminator_report(loss, real_logits, fake_logits)

    def r1_loss(self, batch: Batch) -> dict[str, Tensor]:
        """r1_every * gamma / 2 * mean R1 on real images, alone (sec. 3.1)."""
        points = batch.real.detach().requires_grad_()
        r1 = squared_gradient(points, self.discriminate(batch, points)).mean()
        return {"loss": self.r1_every * self.strength / 2 * r1, "r1": r1.detach()}

    # --- over the training ---------------------------------------------------------------------------------------------------

    # --- editing -------------------------------------------------------------------------------------------------------------

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """w, w+ (a style of its own for each style input, Abdal 2019, arXiv:1904.03189) and z."""
        G, synthesis = self.G, self.G.synthesis

        def of_styles(styles: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return synthesis(styles, noise or None)

        def of_w(w: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return of_styles(G.to_layers(w), labels, noise)

        def of_z(z: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return of_w(G.style(z, labels), labels, noise)

        def to_layers(latents: Tensor, labels: Tensor | None) -> Tensor:
            return G.to_layers(G.style(latents, labels))

        sizes, takes = tuple(synthesis.noise_sizes), style_inputs(synthesis)
        return (
            LatentSpace("w", G.style, of_w, self.w_dim, noise_sizes=sizes, takes=takes, network=synthesis),
            LatentSpace(
                "w+", to_layers, of_styles, self.w_dim, layers=synthesis.inputs, noise_sizes=sizes, takes=takes,
                network=synthesis,
            ),
            LatentSpace("z", lambda z, labels: z, of_z, self.z_dim, normal=True, noise_sizes=sizes, network=G),
        )  # fmt: skip


@preset("stylegan2")
def tiny() -> StyleGAN2:
    """Seconds on a CPU; for tests and first looks."""
    return StyleGAN2(batch_size=16, z_dim=8, w_dim=8, mapping_layers=2, widths=(8, 4), r1_every=4)


@preset("stylegan2")
def small() -> StyleGAN2:
    """Digits on a CPU, five minutes or more. A learning rate four times the paper's, since weights of about 1 hardly move in a
    thousand steps; small batches and no path length, for more steps a minute; the minibatch deviation over the whole batch, which
    works against all images being one digit. Figures: docs/experiments/gans.md."""
    return StyleGAN2(
        batch_size=16, z_dim=32, w_dim=32, lr=1e-2, decay="linear", mapping_layers=2, widths=(64, 32, 16, 8), group=16,
        r1_every=8, path_weight=0.0, mixing=0.0,
    )  # fmt: skip


@preset("stylegan2")
def faces() -> StyleGAN2:
    """Some hundred grey faces of 64 x 64 on a CPU, half an hour or more: `small`, one stage deeper, with larger batches, path
    length, and ADA against D memorising them. Its strength may rise ten times as fast as in the paper, since a run sees far
    fewer images."""
    return StyleGAN2(
        lr=1e-2, decay="linear", mapping_layers=2, widths=(64, 64, 32, 16, 8), group=32, r1_every=8, mixing=0.0, augment="ada",
        ada_images=50_000,
    )  # fmt: skip


@preset("stylegan2")
def paper() -> StyleGAN2:
    """CIFAR-10 as in arXiv:2006.06676, appendix: 512 channels, ADA, no mixing, no path length. For a GPU."""
    return StyleGAN2(
        batch_size=64, z_dim=512, w_dim=512, mapping_layers=2, widths=(512, 512, 512, 512), discriminator="plain", group=32,
        gamma=0.01, path_weight=0.0, mixing=0.0, ema=0.9999, augment="ada",
    )  # fmt: skip
