"""A new GAN in one file: networks, two losses, settings, a preset; the library does the rest.

    python examples/new_gan_in_one_file.py --steps 2000

Idea: D as a maximum-margin classifier, as in Geometric GAN (Lim and Ye 2017, arXiv:1705.02894), with each
violation of the margin squared, as in an L2-SVM (Tang 2013, arXiv:1306.0239): far-off images count more, and
the loss has no corner at the margin. Both parts are published, this mixture is not: it is here as an example,
not as a claim.

What a method has to state is below: `build`, the two losses, and settings. From them come its flags, checks,
help, the log, checkpoints and resume, sampling, metrics and the report. Put this file into src/ganvas/methods/
and the command line knows it too: `ganvas train squared_hinge --set margin=2`.
"""

from __future__ import annotations

import argparse

from PIL import Image
from torch import Tensor

import ganvas
from ganvas.data import grid
from ganvas.losses.adversarial import discriminator_report
from ganvas.method import Batch, DataSpec, setting
from ganvas.methods.gan import Adversarial
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class SquaredHinge(Adversarial):
    name = "squared_hinge"
    title = "maximum margin, squared"
    paper = "after Lim and Ye 2017, Geometric GAN, arXiv:1705.02894, and Tang 2013, arXiv:1306.0239"

    # The base has batch_size, z_dim, lr, beta1, beta2 and more already.
    width: int = setting(28, "channels at the largest inner size, both networks", minimum=1)
    margin: float = setting(1.0, "logit beyond which an image is told apart well enough", minimum=0)

    def build(self, spec: DataSpec) -> None:
        # Any nn.Module will do: G makes (N, C, H, W) in [-1, 1] from (N, z_dim), D makes (N, 1) from images.
        self.G = DCGANGenerator(self.z_dim, spec.shape, self.width, norm="batch")
        self.D = DCGANDiscriminator(spec.shape, self.width, norm="none")

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))  # D's update finds the same images there
        return {"loss": -self.discriminate(batch, fake).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        real_logits, fake_logits = self.both(batch, fake)
        violation = (self.margin - real_logits).relu().square() + (self.margin + fake_logits).relu().square()
        return discriminator_report(violation.mean(), real_logits, fake_logits)


@preset("squared_hinge")
def tiny() -> SquaredHinge:
    """Seconds on a CPU; for tests and first looks."""
    return SquaredHinge(batch_size=16, z_dim=8, width=4)


def main() -> None:
    parser = argparse.ArgumentParser(description="trains the GAN of this file on digits and draws a grid of its images")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--preset", choices=["tiny"])
    parser.add_argument("--out", default="runs/squared_hinge")
    options = parser.parse_args()

    run = ganvas.train("squared_hinge", "digits", preset=options.preset, steps=options.steps, out=options.out)
    Image.fromarray(grid(run.sample(64, seed=0)).squeeze()).save(run.folder / "grid.png")
    print(f"{run.folder / 'grid.png'}: 64 new digits after {options.steps} steps")
    for name, found in run.metrics.items():
        print(name, found)


if __name__ == "__main__":
    main()
