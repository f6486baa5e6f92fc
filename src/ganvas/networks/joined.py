"""Networks conditioned on a class as in the first conditional GAN: the class is concatenated to the input.

LabelMapped: the class as one more channel of the image, a learned map.
JoinedGenerator, JoinedDiscriminator: a layer each for image (or noise) and class, then a layer of both (Mirza and Osindero 2014,
arXiv:1411.1784, sec. 4.1), with the paper's maxout units in D (Goodfellow 2013, arXiv:1302.4389).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import WideLinear

Shape = tuple[int, int, int]


class LabelMapped(nn.Module):
    """D(x, label): the network that `make` builds for one more channel, which is a learned map of the class."""

    def __init__(self, make: Callable[[Shape], nn.Module], shape: Shape, classes: int) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        self.maps = nn.Embedding(classes, self.height * self.width)
        self.network = make((channels + 1, self.height, self.width))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        map_ = self.maps(label).to(x.dtype).view(-1, 1, self.height, self.width)
        return self.network(torch.cat([x, map_], 1))


class Maxout(nn.Module):
    """(N, inputs) to (N, outputs): the largest of `pieces` linear functions, for each output."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = WideLinear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


class JoinedGenerator(nn.Module):
    """G(z, label): a ReLU layer each for z and class, a layer of both, images (N, C, H, W) in [-1, 1].

    `widths` of the layers of z, of the class and of both; 200, 1000 and 1200 in the paper.
    """

    def __init__(self, z_dim: int, classes: int, shape: Shape, widths: Sequence[int]) -> None:
        super().__init__()
        of_z, of_class, of_both = widths
        self.shape = shape
        self.of_z = nn.Linear(z_dim, of_z)
        self.of_class = nn.Embedding(classes, of_class)  # a linear layer of a one-hot vector
        self.of_both = nn.Linear(of_z + of_class, of_both)
        self.to_image = nn.Linear(of_both, math.prod(shape))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        z = self.of_z(z)
        both = F.relu(torch.cat([z, self.of_class(label).to(z.dtype)], 1))
        return torch.tanh(self.to_image(F.relu(self.of_both(both)))).view(-1, *self.shape)


class JoinedDiscriminator(nn.Module):
    """D(x, label), logits (N, 1): a maxout layer each for image and class, then one of both.

    `widths` of the layers of the image, of the class and of both; 240, 50 and 240 in the paper, of 5, 5 and 4 pieces.
    """

    def __init__(self, shape: Shape, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        of_image, of_class, of_both = widths
        self.classes = classes
        self.of_image = Maxout(math.prod(shape), of_image, 5)
        self.of_class = Maxout(classes, of_class, 5)
        self.of_both = Maxout(of_image + of_class, of_both, 4)
        self.head = nn.Linear(of_both, 1)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        image = self.of_image(x.flatten(1))
        class_ = self.of_class(F.one_hot(label, self.classes).to(x.dtype))
        return self.head(self.of_both(torch.cat([image, class_.to(image.dtype)], 1)))
