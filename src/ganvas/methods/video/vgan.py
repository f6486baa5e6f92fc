"""VGAN: videos by convolutions in three dimensions (Vondrick 2016, arXiv:1609.02612).

Idea: one latent gives a whole clip at once, by the generator of DCGAN with a third axis of convolutions, time. `background` adds
the paper's second stream (sec. 3.2, fig. 1): a static image b, and a mask m between 0 and 1 that says where the moving foreground
f covers it, G(z) = m(z) * f(z) + (1 - m(z)) * b(z). One discriminator sees whole clips.

With `frames_seen` a second discriminator sees single frames of the clips, as in MoCoGAN (Tulyakov 2018, arXiv:1707.04993).

`loss` is the relativistic one of R3GAN without norms and with R1 and R2 (Huang 2024, arXiv:2501.05441, eqs. 2 to 4), or the
paper's cross-entropy, with its batch norm in both networks. Where the data have labels that are worth it (`conditional`), a
vector of the class is joined to the latent, and D has a projection on the class; with `classify` those outputs also learn to
tell the class of real clips, and G learns by them, as in AC-GAN (Odena 2017, arXiv:1610.09585).

Departs from the paper: the relativistic loss and the discriminator of frames; the background is off unless asked for, and the
mask has no penalty of its own; D may see clips with `noise`; clips of any size in place of 32 frames of 64 pixels. Presets
`quick` and `paper` have the paper's loss and its one discriminator.
"""

from __future__ import annotations

from ganvas.draws import Draw
from ganvas.method import DataSpec, setting
from ganvas.methods.video._base import PAPER, VideoGAN
from ganvas.networks.conditional import labelled
from ganvas.networks.video import ClipGenerator, TwoStreamGenerator
from ganvas.registry import preset


class VGAN(VideoGAN):
    name = "vgan"
    title = "VGAN, videos by three-dimensional convolutions"
    paper = "Vondrick et al. 2016, Generating Videos with Scene Dynamics, arXiv:1609.02612"

    lr: float = setting(1.5e-3, "learning rate of Adam, both networks, at the start", minimum=0)
    z_dim: int = setting(100, "size of the latent", minimum=1, fewer_is_fine=True)
    widths: tuple[int, ...] = setting(
        (64, 32, 16), "channels of both networks from the smallest size up, without full size", minimum=1
    )
    frames_seen: int = setting(
        4, "random frames of each clip that a second discriminator sees in a step; 0, as in the paper: none", minimum=0
    )
    background: bool = setting(False, "generate a static background and a mask of what moves, beside what moves")

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        size = (spec.video.frames, spec.height, spec.width)
        network = TwoStreamGenerator if self.background else ClipGenerator
        self.G = labelled(network(self.z_dim + classes, spec.channels, size, self.widths, self.norm), classes)
        self.build_discriminators(spec, self.widths, self.widths)

    def draws(self) -> tuple[Draw, ...]:
        """z, normal numbers."""
        return (Draw("normal", self.z_dim),)


@preset("vgan")
def tiny() -> VGAN:
    """Seconds on a CPU; for tests and first looks."""
    return VGAN(conditional=False, z_dim=16, widths=(8, 4))


@preset("vgan")
def small() -> VGAN:
    """The moving digits in minutes of a CPU, by the loss of R3GAN. Figures: docs/experiments/videos.md."""
    return VGAN()


@preset("vgan")
def quick() -> VGAN:
    """The paper's loss, small batches and a high learning rate, for a minute of a CPU. Figures: docs/experiments/videos.md."""
    return VGAN(lr=6e-3, balance=0.5, noise=0.2, frames_seen=0, conditional=False, **PAPER)


@preset("vgan")
def paper() -> VGAN:
    """64 pixels a side on a GPU, for hours, with a background of its own: the paper's batches, learning rate and widths. Not
    measured."""
    return VGAN(
        batch_size=64, lr=2e-4, decay="none", conditional=False, frames_seen=0, widths=(512, 256, 128, 64),
        background=True, **PAPER,
    )  # fmt: skip


@preset("vgan")
def scenes() -> VGAN:
    """64 pixels a side on a GPU, for hours, with a background of its own, by the loss of R3GAN. Not measured."""
    return VGAN(batch_size=64, lr=5e-4, widths=(512, 256, 128, 64), background=True, ema=0.9995)
