"""MoCoGAN: videos from a code of content and a path of codes of motion (Tulyakov 2018, arXiv:1707.04993).

Idea: a clip is a path in the latent space of images. All of its frames share the content z_C; the motion z_M of each frame is the
state of a GRU (R_M) whose inputs are noise, and G_I makes a frame of both (sec. 3.1, fig. 2). Two discriminators look at a clip:
D_I at single frames, the paper's S_1, and D_V with convolutions in three dimensions at all of them, S_T (F_V, the sum of both).
So content and motion can be drawn apart: the content of one seed moves as another seed's clip does.

With `moved` (the default) a frame is not made anew of both codes. Features of the content are made once a clip, and z_M gives the
affine maps by which each frame samples them, and the scales of their channels (as a spatial transformer, Jaderberg 2015,
arXiv:1506.02025; the idea of first order motion models, Siarohin 2019, arXiv:2003.00196); two convolutions, the same for all
frames, follow. So what is shown stays itself. Their channels are in `pieces` groups that move apart.

`loss` is the relativistic one of R3GAN (Huang 2024, arXiv:2501.05441, eq. 2) without norms and with R1 and R2 (eqs. 3 and 4) on
both discriminators, each with its own gamma, or the paper's cross-entropy (with -log D(G(z)) for G), with its batch norm in G_I
and both discriminators. `noise` is added to what the discriminators see, as in the authors' code, there in each layer. Where the
data have labels that are worth it (`conditional`), a vector of the class is joined to z_C, and both discriminators have a
projection on the class; with `classify` those outputs also learn to tell the class of real frames and clips, and G learns by
them, as in AC-GAN (Odena 2017, arXiv:1610.09585).

Departs from the paper: `moved`, the relativistic loss; the class is given, in place of a categorical code that a third network Q
reads again from the clips (sec. 3.2); the GRU's first state is part of the latent, and its update gate starts out keeping it;
clips have one length; D_I may see several frames of a clip in a step (`frames_seen`), which cost little beside those that D_V
sees. Preset `paper` has the paper's generator and loss.
"""

from __future__ import annotations

from ganvas.abilities import LatentSpace
from ganvas.draws import Draw
from ganvas.errors import UsageError
from ganvas.method import DataSpec, setting
from ganvas.methods._base import refuse_without_effect
from ganvas.methods.video._base import PAPER, VideoGAN
from ganvas.networks.conditional import labelled
from ganvas.networks.video import MotionContentGenerator
from ganvas.registry import preset


class MoCoGAN(VideoGAN):
    name = "mocogan"
    title = "MoCoGAN, videos by codes of content and of motion"
    paper = "Tulyakov et al. 2018, MoCoGAN: Decomposing Motion and Content for Video Generation, arXiv:1707.04993"

    z_dim: int = setting(50, "size of the content z_C, which all frames share", minimum=1, fewer_is_fine=True)
    motion_dim: int = setting(
        16, "size of the motion z_M of a frame, the state of the GRU", minimum=1, fewer_is_fine=True
    )
    noise_dim: int = setting(1, "numbers of noise that the GRU gets for each frame", minimum=1)
    widths: tuple[int, ...] = setting(
        (64, 32, 16), "channels of G_I and D_I from the smallest images up, without full size", minimum=1
    )
    clip_widths: tuple[int, ...] = setting(
        (64, 32, 16), "channels of D_V from the smallest size up, without full size", minimum=1
    )
    frames_seen: int = setting(4, "random frames of each clip that D_I sees in a step; 1 in the paper", minimum=1)
    moved: int = setting(
        32,
        "channels of features of the content that are made once a clip and moved in each frame; 0: the paper's generator",
        minimum=0,
    )
    pieces: int = setting(1, "moved: groups of channels that move by maps of their own", minimum=1, when="moved")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.moved % self.pieces:
            raise UsageError(f"moved must be a multiple of pieces (got {self.moved} and {self.pieces})")

    def start_training(self, resumed: bool) -> None:
        super().start_training(resumed)
        if not (resumed or self.moved):
            refuse_without_effect(self, "moved=0 has no pieces", "pieces")

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        self.frames = spec.video.frames
        G = MotionContentGenerator(
            self.z_dim, self.motion_dim, self.noise_dim, self.frames, spec.shape, self.widths, classes, self.norm,
            self.moved, self.pieces,
        )  # fmt: skip
        self.G = labelled(G, classes)
        self.build_discriminators(spec, self.widths, self.clip_widths)

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
    return MoCoGAN(conditional=False, z_dim=8, motion_dim=8, noise_dim=4, moved=8, widths=(8, 4), clip_widths=(8, 4))


@preset("mocogan")
def small() -> MoCoGAN:
    """The moving digits in minutes of a CPU. Figures: docs/experiments/videos.md."""
    return MoCoGAN()


@preset("mocogan")
def paper() -> MoCoGAN:
    """64 pixels a side on a GPU, for hours: the generator and the loss of the paper, with the learning rate, codes and widths of
    the authors' code. Not measured."""
    return MoCoGAN(
        batch_size=32, lr=2e-4, decay="none", conditional=False, motion_dim=10, noise_dim=10, frames_seen=1, moved=0,
        noise=0.1, widths=(512, 256, 128, 64), clip_widths=(512, 256, 128, 64), **PAPER,
    )  # fmt: skip


@preset("mocogan")
def large() -> MoCoGAN:
    """64 pixels a side on a GPU, for hours: wider networks, larger batches. Not measured."""
    return MoCoGAN(
        batch_size=64, lr=5e-4, motion_dim=64, noise_dim=4, frames_seen=2, moved=128, pieces=4,
        widths=(512, 256, 128, 64), clip_widths=(256, 128, 64, 32), ema=0.9995,
    )  # fmt: skip
