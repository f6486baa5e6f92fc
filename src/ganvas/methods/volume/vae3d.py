"""VAE of volumes (Kingma and Welling 2013, arXiv:1312.6114; on voxels Brock 2016, arXiv:1608.04236).

Idea: each voxel is 1 inside of the object and 0 outside, given z by a probability of its own (Bernoulli), and encoder and decoder
are trained on the bound of `vae`. What generated volumes show is that probability: a blurred mean where z leaves something open.

Departs from the paper: plain strided convolutions, plain cross-entropy (their weight on occupied voxels is
`occupied_weight`; with another value than 1 "bound" is no bound any more).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from ganvas.losses.divergence import normal_kl
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.volume._base import Volumetric
from ganvas.networks.conditional import labelled
from ganvas.networks.variational import GaussianEncoder
from ganvas.networks.volume import VolumeDiscriminator, VolumeGenerator
from ganvas.registry import preset


class VAE3D(Volumetric):
    name = "vae3d"
    title = "variational autoencoder of volumes"
    paper = "Brock et al. 2016, Generative and Discriminative Voxel Modeling with Convolutional Neural Networks, arXiv:1608.04236"

    lr: float = setting(2e-3, "learning rate of AdamW at the start", minimum=0)
    weight_decay: float = setting(0.0, "AdamW's weight decay", minimum=0)
    beta: float = setting(1.0, "weight of the KL term", minimum=0)
    occupied_weight: float = setting(
        1.0, "weight of the cross-entropy of occupied voxels over that of empty ones", minimum=0
    )

    averaged = ("E", "G")

    def build(self, spec: DataSpec) -> None:
        classes = self.classes_for(spec, self.conditional)
        body = VolumeDiscriminator(spec.shape, self.widths[::-1], norm=True, outputs=2 * self.z_dim)
        self.E = GaussianEncoder(body)
        self.G: nn.Module = labelled(VolumeGenerator(self.z_dim + classes, spec.shape, self.widths, norm=True), classes)

    def optimizers(self) -> dict[str, Optimizer]:
        both = [*self.E.parameters(), *self.G.parameters()]
        return {"vae": AdamW(both, lr=self.lr, weight_decay=self.weight_decay, fused=True)}

    def updates(self) -> list[Update]:
        return [Update("bound", trains="vae", loss=self.bound_loss)]

    def bound_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The bound negated (Kingma 2013, eq. 3), in nats, with one draw of z; "loss" weighs its terms."""
        x = self.moved(batch, batch.real)
        mu, logvar = self.E(x)
        z = mu + (logvar / 2).exp() * batch.normal(self.z_dim)
        target = (x + 1) / 2
        logits = self.occupancy(z, batch.label)
        weight = torch.ones_like(target).lerp(torch.full_like(target, self.occupied_weight), target)
        each = nn.functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
        reconstruction, kl = each.flatten(1).sum(1).mean(), normal_kl(mu, logvar).mean()
        parts = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return {"loss": reconstruction + self.beta * kl, "bound": (reconstruction + kl).detach(), **parts}


@preset("vae3d")
def tiny() -> VAE3D:
    """Seconds on a CPU; for tests and first looks."""
    return VAE3D(batch_size=8, z_dim=8, widths=(8, 4))


@preset("vae3d")
def small() -> VAE3D:
    """The built-in shapes on a CPU. Figures: docs/experiments/volumes.md."""
    return VAE3D(batch_size=16, widths=(32, 16, 8), mirror=True)
