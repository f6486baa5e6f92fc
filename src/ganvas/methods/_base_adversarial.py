"""What GANs of several kinds of data share: two networks with learning rates of their own, an Adam for each, augmentation before
D, and the choice between a paper's cross-entropy and R3GAN's loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganvas.data.augment import Draw, adapted, adaptive_augment, diff_augment
from ganvas.losses.gradient import auto_gamma
from ganvas.method import Batch, Method, setting
from ganvas.methods._base import refuse_without_effect


class TwoNetworks(Method):
    """A method with an optimiser for its generator and one for its discriminator."""

    batch_size: int = setting(64, "examples per step, over all processes together", minimum=1)
    lr: float = setting(2e-4, "learning rate of both optimisers", minimum=0)
    balance: float = setting(1.0, "learning rate of D over that of G", minimum=0)

    def trained(self) -> list[tuple[str, nn.Module, float]]:
        """(key of the optimiser, network, learning rate) of each: G and D."""
        return [("G", self.get_submodule("G"), self.lr), ("D", self.get_submodule("D"), self.lr * self.balance)]


class TwoAdams(TwoNetworks):
    """One whose optimisers are Adam, for each network of `trained`."""

    beta1: float = setting(0.5, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.999, "Adam's second decay", minimum=0, maximum=0.99999)

    def optimizers(self) -> dict[str, Optimizer]:
        decays = (self.beta1, self.beta2)
        optimizers: dict[str, Optimizer] = {}
        for key, network, rate in self.trained():
            optimizers[key] = Adam(network.parameters(), lr=rate, betas=decays, fused=True)
        return optimizers


class AugmentsBeforeD(Method):
    """A GAN whose D may see augmented examples (ganvas.data.augment)."""

    augment: str = setting(
        "none",
        "augmentation of what D sees, in a clip alike in all frames, for small data sets; ada adapts its strength",
        choices=("none", "diffaugment", "ada"),
    )
    ada_target: float = setting(
        0.6, "ada: mean sign of D's logits on real examples to hold", minimum=0, maximum=1, when="augment=ada"
    )
    ada_images: int = setting(
        500_000, "ada: images, or clips, over which its strength may rise from 0 to 1", minimum=1, when="augment=ada"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augment == "ada":
            self.augment_p: Tensor
            self.register_buffer("augment_p", torch.zeros(()))

    def augmented_images(self, images: Tensor, draw: Draw) -> Tensor:
        """`images` (n, C, H, W) after the augmentation that is set, by the random numbers of `draw`."""
        if self.augment == "none":
            return images
        if self.augment == "ada":
            return adaptive_augment(images, self.augment_p, draw)
        return diff_augment(images, draw)

    def adapt(self, report: dict[str, Tensor], batch: Batch, times: float = 1) -> None:
        """After D's step: ADA's strength follows "sign" of D's report (see `discriminator_report`). `times`: how often a step
        scores the same images."""
        if self.augment == "ada":
            p = adapted(self.augment_p, report["sign"], self.ada_target, self.batch_size, self.ada_images * times)
            self.augment_p.copy_(p)
            report["augment_p"] = p.clone()


class ChoiceOfLoss(Method):
    """A GAN with its paper's cross-entropy and batch norm, or with the relativistic loss of R3GAN, its penalties and no norms
    (Huang 2024, arXiv:2501.05441, eqs. 2 to 4)."""

    loss: str = setting(
        "relativistic",
        "cross_entropy with batch norm, as in the paper, or relativistic with R1 and R2 and without norms",
        choices=("relativistic", "cross_entropy"),
    )
    gamma: float | None = setting(
        None,
        "relativistic: weight of R1 and R2; auto = total variance of what a discriminator sees / 200",
        minimum=0,
        when="loss=relativistic",
    )
    penalty_every: int = setting(
        4, "relativistic: penalise in every n-th step only, n times as strongly", minimum=1, when="loss=relativistic"
    )

    def start_training(self, resumed: bool) -> None:
        super().start_training(resumed)
        if self.loss == "cross_entropy" and not resumed:  # a run that has them goes on as it began
            refuse_without_effect(self, "loss=cross_entropy has no penalty", "gamma", "penalty_every")

    def gamma_for(self, total_variance: float) -> float:
        """The weight of R1 and R2 of a discriminator that sees examples of this total variance."""
        return auto_gamma(total_variance) if self.gamma is None else self.gamma
