"""Any G or D made class-conditional: a vector of the class beside z, and a logit of the class beside D's own.

`labelled` and `projected` leave a network as it is where there are no classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LabelledGenerator(nn.Module):
    """G(z, label): z (N, z_dim) joined by a learned vector of the class (N, classes), given to `network`."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network = network
        self.embed = nn.Embedding(classes, classes)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return self.network(torch.cat([z, self.embed(label).to(z.dtype)], 1))


def projection(logits: Tensor, products: Tensor, label: Tensor) -> Tensor:
    """D's logits (N, 1) with the product of each image's own class (Miyato and Koyama 2018, arXiv:1802.05637, eq. 3), of those of
    all classes, (N, classes); label (N,)."""
    return logits + products.gather(1, label[:, None])


class ProjectionDiscriminator(nn.Module):
    """D(x, label), (N, 1): psi(phi(x)) + V_label . phi(x) (Miyato and Koyama 2018, arXiv:1802.05637, eq. 3).

    `network` gives (N, 1 + classes) values linear in its last features phi: psi, then one product a class.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        scores = self.network(x)
        return projection(scores[:, :1], scores[:, 1:], label)


def labelled(network: nn.Module, classes: int) -> nn.Module:
    """`network`, made for z_dim + classes numbers, as G(z, label); itself where `classes` is 0."""
    if classes == 0:
        return network
    return LabelledGenerator(network, classes)


def projected(network: nn.Module, classes: int) -> nn.Module:
    """`network`, made for 1 + classes outputs, as D(x, label); itself where `classes` is 0."""
    if classes == 0:
        return network
    return ProjectionDiscriminator(network)
