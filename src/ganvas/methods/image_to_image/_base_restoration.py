"""What methods that restore images share: settings of the training, Adam with one schedule; and the sizes of super-resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganvas.abilities import Degraded, Demonstrates, Restoration, Restores, restored_rows
from ganvas.data.degrade import check_shrinks, small_and_whole, turned, upscaled
from ganvas.data.photo_degradation import PhotoDegradation
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report
from ganvas.losses.restoration import absolute_error, squared_error
from ganvas.method import Batch, DataSpec, Method, setting, step_factor
from ganvas.networks.srresnet import SRResNet
from ganvas.networks.upscalers import SUPER_RESOLUTION_GENERATORS, UPSCALERS, build_upscaler
from ganvas.settings import settings_of

DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": absolute_error, "l2": squared_error}


class RestorationMethod(Method, Restores, Demonstrates):
    """Base of the methods that restore: subclasses build `self.G`, some also `self.D`, and define their losses."""

    batch_size: int = setting(16, "images per step, over all processes together", minimum=1)
    flip_rotate: bool = setting(True, "flip and rotate training images at random")
    lr: float = setting(1e-3, "learning rate of Adam at the start", minimum=0)
    decay: str = setting(
        "cosine", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    warmup: int = setting(50, "steps over which the learning rate rises from 0", minimum=0)
    ema: float = setting(0.999, "decay of G's average per step", minimum=0, maximum=0.999999)

    averaged = ("G",)
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        optimizers: dict[str, Optimizer] = {}
        for name, network in self.named_children():
            optimizers[name] = Adam(network.parameters(), lr=self.lr, betas=self.betas, fused=True)
        return optimizers

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)

    def training_images(self, batch: Batch) -> Tensor:
        """The batch's images (N, C, H, W), each flipped and rotated at random where `flip_rotate` is set."""
        if not self.flip_rotate:
            return batch.real
        return turned(batch.real, batch.uniform(3))

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        return self.get_submodule("G")(degraded).clamp(-1, 1)

    def rows(self, batch: Batch) -> Tensor:
        """Degraded, restored and original image, (n, 3, C, H, W)."""
        return restored_rows(self, batch)

    def check_range(self, low: str, high: str) -> None:
        """UsageError where the setting `low` is above the setting `high`."""
        if getattr(self, low) > getattr(self, high):
            raise UsageError(f"{low} is {getattr(self, low):g}, above {high}, {getattr(self, high):g}")


class SuperResolution(RestorationMethod):
    """Base of super-resolution methods: their inputs are images downsampled by `scale`, bicubic and clean or as photos are."""

    scale: int = setting(2, "upscaling factor of height and width", choices=(2, 3, 4, 8))
    generator: str = setting(
        "srresnet",
        "G's network; rrdb is ESRGAN's, rrdb_unshuffle and compact are Real-ESRGAN's, residual has no normalisation, slim is a"
        " small dense network",
        choices=SUPER_RESOLUTION_GENERATORS,
    )
    width: int = setting(64, "channels of G", minimum=1)
    blocks: int = setting(16, "residual blocks of G", minimum=0)
    kernel: int = setting(
        3,
        "srresnet: side of G's first convolution, and of its last where the tail is staged",
        minimum=1,
        odd=True,
        when="generator=srresnet",
    )
    norm: str = setting(
        "none", "srresnet: normalisation in G's blocks", choices=("none", "batch"), when="generator=srresnet"
    )
    tail: str = setting(
        "direct",
        "srresnet: direct is one pixel shuffle at the end, staged upsamples in steps of two",
        choices=("direct", "staged"),
        when="generator=srresnet",
    )
    base: str = setting(
        "bicubic",
        "srresnet: image that G's output is added to",
        choices=("bicubic", "none"),
        when="generator=srresnet",
    )
    degradation: str = setting(
        "bicubic",
        "how training images become small; photo: blur or sharpening, one of three interpolations, noise and JPEG, of strengths"
        " drawn for each image",
        choices=("bicubic", "photo"),
    )
    blur_max: float = setting(
        1.6,
        "photo: maximum standard deviation of the Gaussian blur",
        minimum=0.1,
        maximum=8,
        unit="pixels of the large image",
        when="degradation=photo",
    )
    anisotropic_share: float = setting(
        0.5,
        "photo: share of images blurred more in one direction than across it",
        minimum=0,
        maximum=1,
        when="degradation=photo",
    )
    sharpened_share: float = setting(
        0.2, "photo: share of images sharpened in place of blurred", minimum=0, maximum=1, when="degradation=photo"
    )
    noise_max: float = setting(
        15.0,
        "photo: maximum standard deviation of Gaussian noise",
        minimum=0,
        unit="levels of 255",
        when="degradation=photo",
    )
    poisson_share: float = setting(
        0.5,
        "photo: share of images with Poisson noise in place of Gaussian",
        minimum=0,
        maximum=1,
        when="degradation=photo",
    )
    peak_min: float = setting(
        150.0, "photo: minimum photons of a white pixel under Poisson noise", minimum=1, when="degradation=photo"
    )
    grey_noise_share: float = setting(
        0.4,
        "photo: share of images with the same noise in all channels",
        minimum=0,
        maximum=1,
        when="degradation=photo",
    )
    quality_min: float = setting(
        40.0, "photo: minimum quality of JPEG, as in libjpeg", minimum=1, maximum=100, when="degradation=photo"
    )
    quality_max: float = setting(
        95.0, "photo: maximum quality of JPEG", minimum=1, maximum=100, when="degradation=photo"
    )

    def build_generator(self, spec: DataSpec) -> nn.Module:
        """G for images of the spec."""
        self.check_degradation()
        check_shrinks(spec.height, spec.width, self.scale)
        if self.generator in UPSCALERS:
            return build_upscaler(self.generator, spec.channels, self.scale, width=self.width, blocks=self.blocks)
        return SRResNet(
            spec.channels, self.scale, width=self.width, blocks=self.blocks, kernel=self.kernel, norm=self.norm, tail=self.tail,
            base=self.base == "bicubic",
        )  # fmt: skip

    def check_degradation(self) -> None:
        """UsageError for strengths without effect, and for a range of qualities that is none."""
        if self.degradation != "photo":
            for name, declared in settings_of(self).items():
                if declared.when == "degradation=photo" and getattr(self, name) != declared.default:
                    raise UsageError(f"{name} has no effect with degradation={self.degradation}: set degradation=photo")
        self.check_range("quality_min", "quality_max")

    def small_and_whole(self, images: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images (N, C, h, w) at the 256 levels of a file, and what they were made of, (N, C, h * scale, w * scale): `images`
        (N, C, H, W) without the rows and columns that lack to a multiple. `batch` draws the degradation of a photo."""
        small, whole = small_and_whole(images, self.scale)
        if self.degradation == "photo":
            small = self.photo_degradation()(whole, self.scale, batch)
        return small, whole

    def photo_degradation(self) -> PhotoDegradation:
        """What degradation=photo draws from."""
        return PhotoDegradation(
            blur_max=self.blur_max, anisotropic_share=self.anisotropic_share, sharpened_share=self.sharpened_share,
            noise_max=self.noise_max, poisson_share=self.poisson_share, peak_min=self.peak_min,
            grey_share=self.grey_noise_share, quality_min=self.quality_min, quality_max=self.quality_max,
        )  # fmt: skip

    def degrade(self, batch: Batch) -> Degraded:
        """The images made small as in training, and rounded to 256 levels as in a file."""
        small, whole = self.small_and_whole(batch.real, batch)
        return Degraded(small, whole, upscaled(small, self.scale))

    def restoration(self) -> Restoration:
        return Restoration("resolution", scale=self.scale)


def discriminator_loss(D: nn.Module, real: Tensor, restored: Tensor) -> dict[str, Tensor]:
    """D's report on real and restored images (N, C, H, W), without a gradient to the latter (Goodfellow 2014, eq. 1)."""
    real_logits, fake_logits = D(torch.cat([real, restored.detach().to(real.dtype)])).chunk(2)
    loss = discriminator_cross_entropy(real_logits, fake_logits).mean()
    return discriminator_report(loss, real_logits, fake_logits)
