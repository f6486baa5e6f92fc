"""Denoising by a network that predicts the noise (DnCNN, Zhang 2017, arXiv:1608.03981).

Idea: degrade clean images with noise of a random strength for each, and train a network to predict what was added (eq. 1):

    loss = |R(y) - (y - x)|^2, the clean image is y - R(y)

Trained on a range of strengths, it does not need to be given the strength (sec. III-C, "blind"). `kind` is the degradation:
Gaussian noise, shot noise of few photons (Poisson), pixels set to black or white, JPEG blocks, or one of the four for each image.
With `adversarial` above 0 there is a discriminator of clean and denoised images: more texture, less PSNR.

Departs from the paper: each 2 x 2 pixels are folded into channels (FFDNet, Zhang 2018, arXiv:1710.04026), which costs a quarter;
every second convolution is added to its input, which learns much faster than a plain stack (docs/experiments.md), and without
batch norm, since strengths differ within a batch; Adam with a falling learning rate. Preset `paper` has its network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.abilities import Degraded, Restoration
from ganvas.data.degrade import gaussian_noise, jpeg, poisson_noise, salt_and_pepper
from ganvas.losses.adversarial import non_saturating_generator
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.image_to_image._base_restoration import DISTANCES, RestorationMethod, discriminator_loss
from ganvas.networks.dncnn import DnCNN
from ganvas.networks.local_discriminator import LocalDiscriminator
from ganvas.registry import preset

NOISE_KINDS = ("gaussian", "poisson", "salt_and_pepper", "jpeg")


class Denoise(RestorationMethod):
    name = "denoise"
    title = "blind denoising by predicting the noise (DnCNN)"
    paper = "Zhang et al. 2017, Beyond a Gaussian Denoiser, arXiv:1608.03981"

    kind: str = setting(
        "gaussian", "the degradation; mix: one of the four for each image", choices=(*NOISE_KINDS, "mix")
    )
    sigma_min: float = setting(
        0.0, "gaussian: minimum standard deviation", minimum=0, unit="levels of 255", when="kind=gaussian,mix"
    )
    sigma_max: float = setting(
        55.0, "gaussian: maximum standard deviation", minimum=0, unit="levels of 255", when="kind=gaussian,mix"
    )
    peak_min: float = setting(10.0, "poisson: minimum photons of a white pixel", minimum=1, when="kind=poisson,mix")
    peak_max: float = setting(200.0, "poisson: maximum photons of a white pixel", minimum=1, when="kind=poisson,mix")
    share_max: float = setting(
        0.3, "salt_and_pepper: maximum share of degraded pixels", minimum=0, maximum=1, when="kind=salt_and_pepper,mix"
    )
    quality_min: float = setting(
        5.0, "jpeg: minimum quality, as in libjpeg", minimum=1, maximum=100, when="kind=jpeg,mix"
    )
    quality_max: float = setting(80.0, "jpeg: maximum quality", minimum=1, maximum=100, when="kind=jpeg,mix")
    width: int = setting(64, "channels", minimum=1)
    depth: int = setting(12, "convolutions", minimum=2)
    body: str = setting(
        "residual",
        "residual connections around every two convolutions, or a plain stack",
        choices=("residual", "plain"),
    )
    fold: int = setting(2, "side of the squares of pixels that are folded into channels", minimum=1, maximum=4)
    norm: str = setting("none", "normalisation between the convolutions", choices=("none", "batch"))
    loss: str = setting("l2", "difference from the clean image", choices=("l1", "l2"))
    adversarial: float = setting(0.0, "weight of -log D(G); 0: no discriminator", minimum=0)
    disc_width: int = setting(32, "channels of the discriminator at full size", minimum=1, when="adversarial")

    def build(self, spec: DataSpec) -> None:
        for low, high in (("sigma_min", "sigma_max"), ("peak_min", "peak_max"), ("quality_min", "quality_max")):
            self.check_range(low, high)
        self.G = DnCNN(
            spec.channels, width=self.width, depth=self.depth, norm=self.norm, body=self.body, fold=self.fold
        )
        if self.adversarial:
            self.D = LocalDiscriminator(spec.channels, width=self.disc_width)

    def updates(self) -> list[Update]:
        denoiser = Update("denoiser", trains="G", loss=self.denoiser_loss)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss)
        return [denoiser, discriminator] if self.adversarial else [denoiser]

    def denoiser_loss(self, batch: Batch) -> dict[str, Tensor]:
        clean, denoised = batch.memo("denoised", lambda: self.denoised(batch))
        pixels = DISTANCES[self.loss](denoised, clean).mean()
        if not self.adversarial:
            return {"loss": pixels}
        adversarial = non_saturating_generator(self.D(denoised)).mean()
        return {"loss": pixels + self.adversarial * adversarial, "pixels": pixels, "adversarial": adversarial}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        clean, denoised = batch.memo("denoised", lambda: self.denoised(batch))
        return discriminator_loss(self.D, clean, denoised)

    def denoised(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's clean images, flipped and rotated, and G's output for their degraded versions, (N, C, H, W) each."""
        clean = self.training_images(batch)
        return clean, self.G(self.degraded(clean, batch))

    def degraded(self, clean: Tensor, batch: Batch) -> Tensor:
        """`clean` (N, C, H, W) with the degradation that is set, of a strength drawn for each image."""
        degradations = {
            "gaussian": lambda: gaussian_noise(
                clean, batch.normal(*clean.shape[1:]), batch.uniform(low=self.sigma_min, high=self.sigma_max)
            ),
            # Few photons matter more than many: the logarithm of their number is uniform.
            "poisson": lambda: poisson_noise(
                clean,
                batch.normal(*clean.shape[1:]),
                self.peak_min * (self.peak_max / self.peak_min) ** batch.uniform(),
            ),
            "salt_and_pepper": lambda: salt_and_pepper(
                clean, batch.uniform(1, *clean.shape[2:]), batch.uniform(high=self.share_max)
            ),
            "jpeg": lambda: jpeg(clean, batch.uniform(low=self.quality_min, high=self.quality_max)),
        }
        if self.kind != "mix":
            return degradations[self.kind]()
        which = batch.integers(len(NOISE_KINDS))
        several = torch.stack([degradations[kind]().to(clean.dtype) for kind in NOISE_KINDS])
        return several[which, torch.arange(len(clean), device=clean.device)]

    def degrade(self, batch: Batch) -> Degraded:
        degraded = self.degraded(batch.real, batch)
        return Degraded(degraded, batch.real, degraded)

    def restoration(self) -> Restoration:
        return Restoration("noise", multiple=self.fold, invents=bool(self.adversarial))


@preset("denoise")
def tiny() -> Denoise:
    """Seconds on a CPU; for tests and first looks."""
    return Denoise(batch_size=16, width=8, depth=4, disc_width=4)


@preset("denoise")
def small() -> Denoise:
    """For photos cut into patches (data.fit=tile, data.size=64) on a CPU. Figures: docs/experiments.md."""
    return Denoise(batch_size=16, width=48, depth=10, ema=0.995)


@preset("denoise")
def paper() -> Denoise:
    """The paper's blind network (sec. IV-A): 20 layers of 64 channels with batch norm at full size, batches of 128. For a GPU."""
    return Denoise(batch_size=128, depth=20, fold=1, norm="batch", body="plain")
