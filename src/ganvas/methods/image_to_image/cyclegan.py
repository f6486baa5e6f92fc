"""CycleGAN: translation between two kinds of images without pairs (Zhu 2017, arXiv:1703.10593).

Idea: two generators, A to B and B to A, each against a discriminator of its target domain. The adversarial loss alone would
allow any mapping between the domains; so an image translated to the other domain and back should equal the original (eq. 2),
and an image that is in the target domain already should not change (sec. 5.2). The adversarial loss is least squares. D also
sees earlier fakes from a pool of 50 (sec. 4, after Shrivastava 2017), which prevents oscillation.

    G_AB, G_BA  (D_B(G_AB(a)) - 1)^2 + (D_A(G_BA(b)) - 1)^2 + lambda (cycle + identity_weight identity)    (eq. 3)
    D_A, D_B    (D(real) - 1)^2 / 2 + D(fake)^2 / 2

Each row of a batch has its own pool, so that the pool is the paper's for batches of 1, and no two images of a step use the same
place.

Departs from the paper: nearest-neighbour upsampling and a 3 x 3 convolution in place of a transposed one, which leaves a
checkerboard; one update trains both generators, on batches of more than one image by default; their weights are averaged over
the steps; height and width need not be multiples of 4. Settings for small data sets and short trainings: generators that start
as the identity (`skip`), the relativistic loss (Huang 2024, arXiv:2501.05441, eq. 2), a penalty on D's gradient at real images
(R1), and D on the features of a network trained on photos (`discriminator`; Sauer 2021, arXiv:2111.01007).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganvas.errors import DataError
from ganvas.losses.adversarial import least_squares, relativistic_discriminator
from ganvas.losses.translation import cycle_consistency, identity_mapping
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.image_to_image._base_translation import Translation, patch_r1
from ganvas.networks.feature_discriminator import check_discriminator
from ganvas.networks.features.extractor import FeatureExtractor, discriminator_extractor
from ganvas.networks.translator import TRANSLATION_GENERATORS
from ganvas.registry import preset

POOL_PROBABILITY = 0.5  # probability that D sees an earlier fake, once the pool is full


class PooledFakes(NamedTuple):
    """The fakes that a D sees in a step, and where the new ones are stored afterwards."""

    images: Tensor
    """(N, C, H, W), new fakes or earlier ones from the pool."""
    new: Tensor
    """The new fakes (N, C, H, W)."""
    row: Tensor
    """(N,) int64: the row of the pool of each."""
    place: Tensor
    """(N,) int64: the place in that row where each new fake is stored; -1: not stored."""


class CycleGAN(Translation):
    name = "cyclegan"
    title = "unpaired image-to-image translation"
    paper = "Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, arXiv:1703.10593"

    batch_size: int = setting(8, "images of each domain per step, over all processes together", minimum=1)
    generator: str = setting(
        "resnet",
        "network of both generators; retouch only recolours and moves the input's pixels, repaint adds the output of a U-Net;"
        " both start as the identity, for domains with similar shapes",
        choices=TRANSLATION_GENERATORS,
    )
    downsamplings: int = setting(
        4,
        "unet, repaint: maximum number of downsamplings; small images allow fewer",
        minimum=1,
        maximum=10,
        when="generator=unet,repaint",
    )
    norm: str = setting(
        "instance", "normalisation in the generators, and in D where they are patch", choices=("instance", "none")
    )
    cycle: float = setting(10.0, "weight of the cycle consistency (lambda)", minimum=0)
    identity: float = setting(0.5, "weight of the identity loss, relative to that of the cycle", minimum=0)
    loss: str = setting("least_squares", "the adversarial loss", choices=("least_squares", "relativistic"))
    pool: int = setting(50, "size of the buffer of earlier fakes of each domain for D; 0: none", minimum=0)

    averaged = ("G_AB", "G_BA")
    carried = ("pool_a", "pool_b")

    def build(self, spec: DataSpec) -> None:
        if not (spec.paired or spec.unpaired):
            raise DataError(
                f"{self.name} learns from two kinds of images, and {spec.name} is one: name the other by --set"
                " data.partner=PATH --set data.unpaired=true"
            )
        check_discriminator(self.discriminator, spec.channels, self.gamma)
        channels, height, width = spec.shape
        self.G_AB, self.G_BA = self.build_generator(spec), self.build_generator(spec)
        self.extractor: FeatureExtractor | None = None
        self.D_A, self.D_B = self.build_discriminator(spec), self.build_discriminator(spec)
        # The pool has a row for each row of a batch: earlier fakes, concatenated along the channels.
        self.places = -(-self.pool // self.batch_size)
        self.pool_a: Tensor
        self.pool_b: Tensor
        for name in self.carried:
            shape = (self.batch_size, self.places * channels, height, width)
            self.register_buffer(name, torch.zeros(shape))
        self.rounds: Tensor  # places of each row that are filled
        self.register_buffer("rounds", torch.zeros((), dtype=torch.int64))

    def load_frozen(self, device: torch.device) -> None:
        """Reads D's feature network, where there is one; GanvasError where its weights are missing."""
        if self.discriminator != "patch":
            self.extractor = discriminator_extractor(
                self.discriminator, device, "Or set discriminator=patch, which needs no weights"
            )

    def trained(self) -> list[tuple[str, nn.Module, float]]:
        """Both generators by one optimiser, both discriminators by the other."""
        generators, discriminators = nn.ModuleList([self.G_AB, self.G_BA]), nn.ModuleList([self.D_A, self.D_B])
        return [("G", generators, self.lr), ("D", discriminators, self.lr * self.balance)]

    def updates(self) -> list[Update]:
        generators = Update("generators", trains="G", loss=self.generators_loss)
        discriminators = Update("discriminators", trains="D", loss=self.discriminators_loss, after=self.store_fakes)
        penalty = Update("penalty", trains="D", loss=self.penalty_loss, every=self.penalty_every)
        return [generators, discriminators, penalty] if self.gamma else [generators, discriminators]

    # --- losses ---------------------------------------------------------------------------------------------------------

    def generators_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 3 with the identity term of sec. 5.2."""
        a, b = self.inputs(batch)
        fake_a, same_a, fake_b, same_b = batch.memo("translated", lambda: self.translated(batch))
        again_a, again_b = self.G_BA(fake_b).float(), self.G_AB(fake_a).float()
        adversarial = self.adversarial_loss(self.D_B, fake_b, b) + self.adversarial_loss(self.D_A, fake_a, a)
        cycle = cycle_consistency(a, again_a, b, again_b).mean()
        report = {"adversarial": adversarial, "cycle": cycle}
        loss = self.adversarial * adversarial + self.cycle * cycle
        if same_a is not None and same_b is not None:
            report["identity"] = identity_mapping(a, same_a.float(), b, same_b.float()).mean()
            loss = loss + self.cycle * self.identity * report["identity"]
        return {"loss": loss, **report}

    def adversarial_loss(self, D: nn.Module, fake: Tensor, real: Tensor) -> Tensor:
        """The adversarial loss of one generator, a scalar: (D(fake) - 1)^2, or relative to D's logits of real images."""
        real_logits = None
        if self.loss == "relativistic":
            with torch.no_grad():  # a generator is moved through its own images only
                real_logits = self.logits(D, real)
        term = self.generator_term(self.logits(D, fake), real_logits).mean()
        if self.loss == "least_squares":
            return 2 * term  # least_squares is halved
        return term

    def logits(self, D: nn.Module, images: Tensor) -> Tensor:
        """D's logits (N, k, h, w), float32, of images or of their features."""
        if self.extractor is not None:
            return D(self.extractor.maps(images)).float()
        return D(images).float()

    def translated(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        """Fakes of A, translations to A of images of A (None without the identity term), and both of B, (N, C, H, W) each."""
        a, b = self.inputs(batch)
        fake_b, same_b = self.both(self.G_AB, a, b)
        fake_a, same_a = self.both(self.G_BA, b, a)
        return fake_a, same_a, fake_b, same_b

    def both(self, network: nn.Module, x: Tensor, same: Tensor) -> tuple[Tensor, Tensor | None]:
        """Translations of `x`, and of `same`, which is in the target domain already, in one pass: no norm here mixes images."""
        if not self.identity:
            return network(x), None
        fake, identity = network(torch.cat([x, same])).chunk(2)
        return fake, identity

    def discriminators_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Of each D, (D(real) - 1)^2 / 2 + D(fake)^2 / 2, fakes partly from the pool."""
        a, b = self.inputs(batch)
        fakes_a, fakes_b = self.fakes(batch)
        logits_a = self.logits(self.D_A, torch.cat([a, fakes_a.images]))
        logits_b = self.logits(self.D_B, torch.cat([b, fakes_b.images]))
        real, fake = torch.cat([logits_a, logits_b], 1).chunk(2)
        if self.loss == "least_squares":
            loss = least_squares(real, 1).mean() + least_squares(fake, 0).mean()
        else:
            loss = relativistic_discriminator(real, fake).mean()
        loss = 2 * loss  # the mean of both D is half their sum
        return {"loss": loss, "real": real.detach().mean(), "fake": fake.detach().mean()}

    def penalty_loss(self, batch: Batch) -> dict[str, Tensor]:
        """R1 of both D, in a step of its own: gamma / 2 times the squared gradient of the logits, per patch."""
        a, b = self.inputs(batch)
        return self.penalty_report(patch_r1(self.D_A, a) + patch_r1(self.D_B, b))

    # --- the pool -------------------------------------------------------------------------------------------------------

    def fakes(self, batch: Batch) -> tuple[PooledFakes, PooledFakes]:
        """The fakes, without a graph, that D_A and D_B see in this step."""
        fake_a, _, fake_b, _ = batch.memo("translated", lambda: self.translated(batch))

        def pooled() -> tuple[PooledFakes, PooledFakes]:
            of_a = self.pooled(batch, fake_a.detach().float(), self.pool_a)
            of_b = self.pooled(batch, fake_b.detach().float(), self.pool_b)
            return of_a, of_b

        return batch.memo("pooled", pooled)

    def pooled(self, batch: Batch, fake: Tensor, pool: Tensor) -> PooledFakes:
        """The fakes that D sees in place of `fake` (N, C, H, W), partly from a pool.

        While the pool fills up, each fake is used and stored. Afterwards each is either used and not stored, or, with a
        probability of 1/2, stored in the place of a random earlier one, which is used instead.
        """
        row = batch.rank * len(batch) + torch.arange(len(batch), device=fake.device)
        if not self.pool:
            return PooledFakes(fake, fake, row, torch.full_like(row, -1))
        full = self.rounds >= self.places
        place = torch.where(full, batch.integers(self.places), self.rounds.clamp_max(self.places - 1))
        swapped = full & (batch.uniform() < POOL_PROBABILITY)
        old = self.places_of(pool)[row, place]
        images = torch.where(swapped.view(-1, 1, 1, 1), old, fake)
        stored_at = torch.where(swapped | ~full, place, torch.full_like(place, -1))
        return PooledFakes(images, fake, row, stored_at)

    def store_fakes(self, report: dict[str, Tensor], batch: Batch) -> None:
        """After D's step: stores this process's fakes in the pool."""
        if not self.pool:
            return
        for pool, fakes in zip((self.pool_a, self.pool_b), self.fakes(batch), strict=True):
            stored, place = self.places_of(pool), fakes.place.clamp_min(0)
            is_stored = (fakes.place >= 0).view(-1, 1, 1, 1)
            stored[fakes.row, place] = torch.where(is_stored, fakes.new, stored[fakes.row, place])
        self.rounds.add_(1).clamp_(max=self.places)

    def places_of(self, pool: Tensor) -> Tensor:
        """A view of a pool (B, places * C, H, W) as (B, places, C, H, W)."""
        return pool.unflatten(1, (self.places, -1))

    # --- translating ----------------------------------------------------------------------------------------------------

    def directions(self) -> tuple[str, ...]:
        """Both directions; "ab" alone where the weights were imported and hold one generator."""
        if "G_AB" in self._modules and "G_BA" not in self._modules:
            return ("ab",)
        return ("ab", "ba")

    def multiple(self) -> int:
        """Larger images are padded inside; tiles of this multiple need no padding."""
        return self.G_AB.multiple

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """Translations (n, C, H, W) of images (n, C, H, W), both in [-1, 1]."""
        network = self.G_AB if direction == "ab" else self.G_BA
        return network(images, whole=whole)

    def rows(self, batch: Batch) -> Tensor:
        """An image of A and its translation, one of B (the true partner, where the data are pairs) and its translation."""
        a, b = batch.real, self.partner(batch)
        return torch.stack([a, self.translate(a), b, self.translate(b, "ba")], 1)


@preset("cyclegan")
def tiny() -> CycleGAN:
    """Seconds on a CPU; for tests and first looks."""
    return CycleGAN(batch_size=16, width=4, blocks=1, d_width=4, d_layers=1, pool=32, norm="none")


@preset("cyclegan")
def small() -> CycleGAN:
    """For images of 32 to 64 pixels and minutes of a CPU core: U-Nets of about 4 million MACs an image of 32 x 32 in
    place of the residual ones, which work at full size. Figures: docs/experiments/translation.md."""
    return CycleGAN(generator="unet", width=16, downsamplings=3, d_width=16, d_layers=2, norm="none", lr=1e-3, ema=0.99)


@preset("cyclegan")
def restyle() -> CycleGAN:
    """For domains with equal shapes, such as the emoji of two vendors: colours are learned, shapes stay. Best with
    --set data.mirror=true. Figures: docs/experiments/translation.md."""
    return CycleGAN(
        generator="retouch", width=16, norm="none", d_layers=2, d_width=16, cycle=0.3, identity=0.0, shift=3, lr=1e-3,
        ema=0.99,
    )  # fmt: skip


@preset("cyclegan")
def repaint() -> CycleGAN:
    """As restyle, and shapes change too; scored by EfficientNet-Lite0, whose weights must be at hand. Minutes of a CPU core, best
    with --set data.mirror=true. Figures: docs/experiments/translation.md."""
    return CycleGAN(
        generator="repaint", width=24, downsamplings=4, max_displacement=6.0, norm="none", shift=3, d_width=64,
        discriminator="efficientnet_lite0", cycle=1.0, identity=0.0, lr=1e-3, beta2=0.99, ema=0.99,
    )  # fmt: skip


@preset("cyclegan")
def paper() -> CycleGAN:
    """Section 4 and appendix of the paper, for 256 x 256 images; 200 epochs. For a GPU."""
    return CycleGAN(batch_size=1, ema=0.0)
