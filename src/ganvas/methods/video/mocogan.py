"""MoCoGAN: videos from a code of content and a path of codes of motion (Tulyakov 2018, arXiv:1707.04993).

Idea: a clip is a path in the latent space of images. All of its frames share the content z_C; the motion z_M of each frame is the
state of a GRU (R_M) whose inputs are noise, and G_I makes a frame of both (sec. 3.1, fig. 2). Two discriminators look at a clip:
D_I at single frames, the paper's S_1, and D_V with convolutions in three dimensions at all of them, S_T (F_V, the sum of both).
So content and motion can be drawn apart: the content of one seed moves as another seed's clip does.

`loss` is the paper's cross-entropy (with -log D(G(z)) for G), with its batch norm in G_I and both discriminators, or the
relativistic loss of R3GAN (Huang 2024, arXiv:2501.05441, eq. 2) without norms and with R1 and R2 (eqs. 3 and 4) on both
discriminators, each with its own gamma. `noise` is added to what the discriminators see, as in the authors' code, there in each
layer. Where the data have labels that are worth it (`conditional`), a vector of the class is joined to z_C, and both
discriminators have a projection on the class; with `classify` those outputs also learn to tell the class of real frames and
clips, and G learns by them, as in AC-GAN (Odena 2017, arXiv:1610.09585).

Departs from the paper: the class is given, in place of a categorical code that a third network Q reads again from the clips
(sec. 3.2); the GRU's first state is part of the latent, and its update gate starts out keeping it; clips have one length; D_I
may see several frames of a clip in a step (`frames_seen`), which cost little beside those that D_V sees. The default is the
relativistic loss; presets `quick` and `paper` have the paper's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.abilities import LatentSpace
from ganvas.draws import Draw
from ganvas.method import Batch, DataSpec, setting
from ganvas.methods.video._base import PAPER, QUICK, VideoGAN
from ganvas.networks.conditional import labelled
from ganvas.networks.strided import StridedDiscriminator
from ganvas.networks.video import ClipDiscriminator, MotionContentGenerator
from ganvas.registry import preset


class MoCoGAN(VideoGAN):
    name = "mocogan"
    title = "MoCoGAN, videos by codes of content and of motion"
    paper = "Tulyakov et al. 2018, MoCoGAN: Decomposing Motion and Content for Video Generation, arXiv:1707.04993"

    z_dim: int = setting(50, "size of the content z_C, which all frames share", minimum=1)
    motion_dim: int = setting(16, "size of the motion z_M of a frame, the state of the GRU", minimum=1)
    noise_dim: int = setting(1, "numbers of noise that the GRU gets for each frame", minimum=1)
    widths: tuple[int, ...] = setting(
        (64, 32, 16), "channels of G_I and D_I from the smallest images up, without full size", minimum=1
    )
    clip_widths: tuple[int, ...] = setting(
        (64, 32, 16), "channels of D_V from the smallest size up, without full size", minimum=1
    )
    frames_seen: int = setting(4, "frames of each clip that D_I sees in a step; 1 in the paper", minimum=1)

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        self.frames = spec.video.frames
        G = MotionContentGenerator(
            self.z_dim, self.motion_dim, self.noise_dim, self.frames, spec.shape, self.widths, classes, self.norm
        )
        size = (self.frames, spec.height, spec.width)
        D_I = StridedDiscriminator(spec.shape, self.widths, 1 + classes, self.norm)
        D_V = ClipDiscriminator(spec.channels, size, self.clip_widths, 1 + classes, self.norm)
        self.G = labelled(G, classes)
        self.D = nn.ModuleDict({"frames": D_I, "clips": D_V})

    def total_variances(self, spec: DataSpec) -> list[float]:
        return [spec.total_variance / self.frames, spec.total_variance]

    def outputs(self, batch: Batch, clips: Tensor) -> list[Tensor]:
        """For `frames_seen` random frames of each clip, those of a clip one after the other, and for the clips."""
        seen = self.augmented(batch, clips)
        times = len(clips) // len(batch)
        drawn = torch.cat([batch.integers(self.frames, self.frames_seen) for _ in range(times)])
        rows = torch.arange(len(clips), device=clips.device)[:, None]
        frames = seen[rows, :, drawn].flatten(0, 1)
        D_I, D_V = self.D.get_submodule("frames"), self.D.get_submodule("clips")
        return [D_I(frames).float(), D_V(seen).float()]

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """z_C, the first state of the GRU, and its noise, frame by frame: normal numbers."""
        return (Draw("normal", self.z_dim + self.motion_dim + self.frames * self.noise_dim),)

    def motion_start(self) -> int:
        """After z_C."""
        return self.z_dim

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z_C, with the motion of the seed; what moves it, with its content; and z, both."""
        size = self.draws()[0].size
        return (
            self.space_of_part("content", 0, self.z_dim),
            self.space_of_part("motion", self.z_dim, size - self.z_dim),
            self.space_of_part("z", 0, size),
        )


@preset("mocogan")
def tiny() -> MoCoGAN:
    """Seconds on a CPU; for tests and first looks."""
    return MoCoGAN(
        batch_size=8, conditional=False, z_dim=8, motion_dim=8, noise_dim=4, widths=(8, 4), clip_widths=(8, 4)
    )


@preset("mocogan")
def small() -> MoCoGAN:
    """The moving digits on a CPU. Figures: docs/experiments/videos.md."""
    return MoCoGAN(lr=3e-3, classify=0.5)


@preset("mocogan")
def quick() -> MoCoGAN:
    """The paper's loss, for a minute of a CPU: motion comes soon, but digits do not stay themselves, and six minutes give no
    better ones. Figures: docs/experiments/videos.md."""
    return MoCoGAN(z_dim=64, motion_dim=8, noise_dim=4, conditional=False, **QUICK)


@preset("mocogan")
def paper() -> MoCoGAN:
    """64 pixels a side on a GPU, for hours: the learning rate, codes and widths of the authors' code. Not measured."""
    return MoCoGAN(
        batch_size=32, lr=2e-4, decay="none", conditional=False, motion_dim=10, noise_dim=10, frames_seen=1, noise=0.1,
        widths=(512, 256, 128, 64), clip_widths=(512, 256, 128, 64), **PAPER,
    )  # fmt: skip


@preset("mocogan")
def large() -> MoCoGAN:
    """64 pixels a side on a GPU, for hours: wider networks, larger batches. Not measured."""
    return MoCoGAN(
        batch_size=64, lr=5e-4, motion_dim=64, noise_dim=4, frames_seen=2, widths=(512, 256, 128, 64),
        clip_widths=(256, 128, 64, 32), ema=0.9995,
    )  # fmt: skip
