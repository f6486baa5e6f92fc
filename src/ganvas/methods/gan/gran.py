"""GRAN: a recurrent GAN that generates in steps (Im, Kim, Jiang, Memisevic 2016, arXiv:1602.05110).

Idea: the gradient descent of an image, unrolled, is a recurrent network that adds to a canvas. So is G here: T times a decoder
f adds to the canvas (eq. 6), and in between an encoder g encodes the last addition as a hidden state (eq. 5). The image is tanh
of the sum (eq. 7). Each image has one z, the same at each step, as in the authors' code. D sees the final image only. T = 1 is
a plain DCGAN with a tanh layer after z.

Departs from the paper: what the steps after the first add has a scale, learned from 0 (networks/canvas.py): as the paper has
it, G of two or three steps collapsed to a few images a digit; batch norm has statistics and scales of its own at each step
(shared ones fit no step once they are fixed for sampling; with layer norm instead, G collapsed to a few digits); tanh for
pixels in [-1, 1] in place of a sigmoid for [0, 1]; any height and width.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor

from ganvas.method import DataSpec, setting
from ganvas.methods.gan._base import NonSaturating
from ganvas.networks.canvas import CanvasGenerator
from ganvas.networks.dcgan import DCGANDiscriminator
from ganvas.registry import preset


class GRAN(NonSaturating):
    name = "gran"
    title = "recurrent generator, additive canvas"
    paper = "Im et al. 2016, Generating Images with Recurrent Adversarial Networks, arXiv:1602.05110"

    batch_size: int = setting(64, "images per step, over all processes together", minimum=2)
    width: int = setting(64, "channels of decoder and encoder at the largest inner size", minimum=1)
    disc_width: int = setting(64, "channels of D at the largest inner size", minimum=1)
    steps: int = setting(3, "times that G adds to its canvas (T)", minimum=1)
    hidden: int = setting(100, "size of the hidden states, of z's and of the encoder's", minimum=1)

    def build(self, spec: DataSpec) -> None:
        self.G = CanvasGenerator(self.z_dim, spec.shape, self.steps, self.width, self.hidden)
        self.D = DCGANDiscriminator(spec.shape, self.disc_width, norm="batch")

    def drawing(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """The canvas after each step, (n, T, C, H, W) in [-1, 1]; the last is what `generate` gives."""
        return cast(CanvasGenerator, self.G).canvases(latents)


@preset("gran")
def tiny() -> GRAN:
    """Seconds on a CPU; for tests and first looks."""
    return GRAN(batch_size=16, z_dim=8, width=4, disc_width=4, hidden=8, steps=2)


@preset("gran")
def paper() -> GRAN:
    """The largest of the paper's 1, 3 and 5 steps, with the 128 channels of the authors' code. For a GPU."""
    return GRAN(width=128, disc_width=128, steps=5)


@preset("gran")
def small() -> GRAN:
    """For minutes of a CPU: narrow networks, small batches and a high learning rate, three times that for D. Figures:
    docs/experiments/gans.md."""
    return GRAN(batch_size=16, lr=1e-3, balance=3, width=16, disc_width=28)
