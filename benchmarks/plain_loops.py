"""The baseline of train_step.py: GAN training as tutorials write it.

Images lie in memory as an array, as in torchvision's MNIST and CIFAR10, and pass one by one through PIL,
resize, tensor and normalise (torchvision's own operations, written out, since it is not needed for anything
else here). A DataLoader makes batches; Adam as it comes; default memory format; real and fake images through
D one after the other; D's step uses the images that G's step needs too; both losses are asked for by
`.item()` in every step. No moving average of G, no check for NaN.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, Dataset

Step = Callable[[], None]


class ArrayImages(Dataset[tuple[Tensor, int]]):
    """Items (image (C, H, W) in [-1, 1], label) of images uint8 (N, H, W, C), C 1 or 3."""

    def __init__(self, images: np.ndarray, size: int) -> None:
        self.images, self.size = images, size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        array = self.images[index]
        image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        return normalize(to_tensor(image.resize((self.size, self.size), Image.Resampling.BILINEAR))), 0


def to_tensor(image: Image.Image) -> Tensor:
    """(C, H, W) in [0, 1], by the operations of torchvision's ToTensor."""
    bytes_ = torch.from_numpy(np.array(image, copy=True))
    shaped = bytes_.view(image.height, image.width, -1)
    return shaped.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)


def normalize(image: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], by the operations of torchvision's Normalize with mean and deviation 0.5."""
    halves = torch.full((len(image), 1, 1), 0.5)
    return image.clone().sub_(halves).div_(halves)


def batches(images: np.ndarray, size: int, batch: int, workers: int) -> Iterator[Tensor]:
    """Endless shuffled batches (batch, C, H, W)."""
    dataset = ArrayImages(images, size)
    # Workers that stay spare the baseline a new start each epoch: the built-in digits' epochs are short.
    loader = DataLoader(
        dataset, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    while True:
        for real, _ in loader:
            yield real


def tutorial_dcgan(z_dim: int, channels: int, size: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
    """G and D of PyTorch's DCGAN tutorial, for a size that is a power of two: the layers of ganvas.networks.dcgan.

    G takes z (N, z_dim, 1, 1). D's last layer gives logits. Parameters in the order of the library's.
    """
    levels = int(math.log2(size)) - 2
    top = width * 2 ** (levels - 1)
    up: list[nn.Module] = [nn.ConvTranspose2d(z_dim, top, 4, 1, 0, bias=False), nn.BatchNorm2d(top), nn.ReLU(True)]
    down: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for level in range(levels - 1):
        wide, narrow = top // 2**level, top // 2 ** (level + 1)
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU(True)]
        narrow, wide = width * 2**level, width * 2 ** (level + 1)
        down += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
    up += [nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh()]
    down += [nn.Conv2d(top, 1, 4, 1, 0, bias=False)]
    return nn.Sequential(*up), nn.Sequential(*down)


def copy_dcgan(source: tuple[nn.Module, nn.Module], target: tuple[nn.Module, nn.Module]) -> None:
    """The library's weights into the tutorial's networks."""
    with torch.no_grad():
        for mine, theirs in zip(source, target, strict=True):
            for here, there in zip(mine.parameters(), theirs.parameters(), strict=True):
                # G's first layer is a matrix (16 C, z) whose rows run over cells, then channels; the tutorial's is (z, C, 4, 4).
                moved = here.view(4, 4, -1, here.shape[1]).permute(3, 2, 0, 1) if here.ndim < there.ndim else here
                there.copy_(moved)


def print_nowhere(loss_D: float, loss_G: float) -> None:
    """A tutorial prints both in every step; the terminal's time is not its fault."""


def gan_step(
    G: nn.Module,
    D: nn.Module,
    reals: Iterator[Tensor],
    latent: tuple[int, ...],
    lr: float,
    betas: tuple[float, float],
    device: torch.device,
) -> Step:
    """One step of a GAN with binary cross-entropy."""
    optimizer_G = torch.optim.Adam(G.parameters(), lr=lr, betas=betas)
    optimizer_D = torch.optim.Adam(D.parameters(), lr=lr, betas=betas)
    criterion = nn.BCEWithLogitsLoss()

    def step() -> None:
        real = next(reals).to(device)
        ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)

        optimizer_D.zero_grad()
        loss_real = criterion(D(real).view(-1), ones)
        loss_real.backward()
        fake = G(torch.randn(len(real), *latent, device=device))
        loss_fake = criterion(D(fake.detach()).view(-1), zeros)
        loss_fake.backward()
        optimizer_D.step()

        optimizer_G.zero_grad()
        loss_G = criterion(D(fake).view(-1), ones)
        loss_G.backward()
        optimizer_G.step()
        print_nowhere(loss_real.item() + loss_fake.item(), loss_G.item())

    return step


def r3gan_step(
    G: nn.Module,
    D: nn.Module,
    reals: Iterator[Tensor],
    latent: tuple[int, ...],
    lr: float,
    betas: tuple[float, float],
    device: torch.device,
    gamma: float,
    penalty_every: int,
) -> Step:
    """One step of R3GAN with lazy R1 + R2."""
    optimizer_G = torch.optim.Adam(G.parameters(), lr=lr, betas=betas)
    optimizer_D = torch.optim.Adam(D.parameters(), lr=lr, betas=betas)
    steps = 0

    def squared_gradient(images: Tensor) -> Tensor:
        points = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    def step() -> None:
        nonlocal steps
        real = next(reals).to(device)
        fake = G(torch.randn(len(real), *latent, device=device))

        optimizer_D.zero_grad()
        loss_D = softplus(D(fake.detach()) - D(real)).mean()
        loss_D.backward()
        optimizer_D.step()
        if steps % penalty_every == 0:
            optimizer_D.zero_grad()
            penalty = penalty_every * gamma / 2 * (squared_gradient(real) + squared_gradient(fake))
            penalty.backward()
            optimizer_D.step()

        optimizer_G.zero_grad()
        loss_G = softplus(D(real) - D(fake)).mean()
        loss_G.backward()
        optimizer_G.step()
        steps += 1
        print_nowhere(loss_D.item(), loss_G.item())

    return step


def stylegan2_step(
    G: nn.Module,
    D: nn.Module,
    reals: Iterator[Tensor],
    latent: tuple[int, ...],
    lr: float,
    betas: tuple[float, float],
    device: torch.device,
    gamma: float,
    r1_every: int,
    path_weight: float,
    path_every: int,
    path_share: int,
    mixing: float,
) -> Step:
    """One step of StyleGAN2 with style mixing, lazy R1 and lazy path length, on the library's networks.

    Those scale activations instead of making a kernel for each image, which is most of what makes it fast on a CPU: the ratio
    is that of the loops alone.
    """
    mapping, synthesis = cast(nn.Module, G.mapping), cast(nn.Module, G.synthesis)
    layers, sizes = cast(int, synthesis.inputs), cast(list[tuple[int, int]], synthesis.noise_sizes)

    def adam(network: nn.Module, every: int) -> torch.optim.Adam:
        share = every / (every + 1)
        return torch.optim.Adam(network.parameters(), lr=lr * share, betas=(betas[0] ** share, betas[1] ** share))

    optimizer_G, optimizer_D = adam(G, path_every), adam(D, r1_every)
    steps, mean_length = 0, 0.0

    def draw_styles(count: int) -> Tensor:
        w = mapping(torch.randn(count, *latent, device=device)).unsqueeze(1).repeat(1, layers, 1)
        if random.random() < mixing:
            other = mapping(torch.randn(count, *latent, device=device)).unsqueeze(1).repeat(1, layers, 1)
            cut = random.randint(1, layers - 1)
            w = torch.cat([w[:, :cut], other[:, cut:]], 1)
        return w

    def generate(styles: Tensor) -> Tensor:
        return synthesis(styles, [torch.randn(len(styles), 1, *size, device=device) for size in sizes])

    def step() -> None:
        nonlocal steps, mean_length
        real = next(reals).to(device)
        fake = generate(draw_styles(len(real)))

        optimizer_D.zero_grad()
        loss_D = (softplus(-D(real)) + softplus(D(fake.detach()))).mean()
        loss_D.backward()
        optimizer_D.step()
        if steps % r1_every == 0:
            optimizer_D.zero_grad()
            points = real.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
            (r1_every * gamma / 2 * gradient.square().sum((1, 2, 3)).mean()).backward()
            optimizer_D.step()

        optimizer_G.zero_grad()
        loss_G = softplus(-D(fake)).mean()
        loss_G.backward()
        optimizer_G.step()
        if steps % path_every == 0:
            optimizer_G.zero_grad()
            styles = draw_styles(max(1, len(real) // path_share))
            made = generate(styles)
            directions = torch.randn_like(made) / math.sqrt(made.shape[2] * made.shape[3])
            (gradient,) = torch.autograd.grad((made * directions).sum(), styles, create_graph=True)
            lengths = gradient.square().sum(2).mean(1).sqrt()
            (path_every * path_weight * (lengths - mean_length).square().mean()).backward()
            optimizer_G.step()
            mean_length += 0.01 * (lengths.mean().item() - mean_length)
        steps += 1
        print_nowhere(loss_D.item(), loss_G.item())

    return step
