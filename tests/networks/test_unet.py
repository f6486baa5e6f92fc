"""The U-Net that knows the time: sizes, what a fresh one says, and what time and class change."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.networks.unet import TimeEmbedding, UNet

SHAPES = [(1, 28, 28), (3, 32, 32), (2, 30, 50), (1, 3, 4), (1, 5, 9)]


@torch.no_grad()
def stirred(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.1)
    return network


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("blocks", [0, 2])
def test_any_size_and_nothing_in_the_beginning(shape: tuple[int, int, int], blocks: int) -> None:
    network, x = UNet(shape, [8, 4], blocks), torch.randn(2, *shape)
    t = torch.tensor([0.0, 1.0])
    assert network(x, t).shape == x.shape and network(x, t).abs().max() == 0
    assert stirred(network)(x, t).abs().max() > 0


def test_every_parameter_has_a_part_in_it() -> None:
    network = stirred(UNet((1, 28, 28), [8, 8, 4], 1, classes=2))
    network(torch.randn(3, 1, 28, 28), torch.rand(3), torch.tensor([0, 1, 2])).square().sum().backward()
    silent = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.abs().max() > 0
    ]
    assert not silent


def test_time_and_class_are_heard_image_by_image() -> None:
    network = stirred(UNet((1, 8, 8), [8], 1, classes=2)).eval()
    x, half = torch.randn(1, 1, 8, 8).repeat(4, 1, 1, 1), torch.full((4,), 0.5)
    out = network(x, torch.tensor([0.5, 0.5, 0.9, 0.5]), torch.tensor([0, 1, 0, 2]))
    for other in (1, 2, 3):
        assert not torch.allclose(out[0], out[other], atol=1e-3)
    assert torch.allclose(out[3], network(x, half)[0], atol=1e-6), "no label is the class beyond the last"


def test_times_apart_have_apart_vectors() -> None:
    """Neighbours are near each other, and no two far ones coincide."""
    clock = TimeEmbedding(32)
    with torch.no_grad():
        embeddings = clock(torch.linspace(0, 1, 101))
    distance = torch.cdist(embeddings, embeddings)
    beside = distance.diagonal(1).max()
    far = distance[torch.triu(torch.ones(101, 101), 10) > 0].min()
    assert far > beside > 0


def test_noise_finds_a_way_through() -> None:
    """Four times the image's channels at the first size: a step of the optimiser can pass all of it, so it can be fitted."""
    torch.manual_seed(0)
    network, x, t = UNet((1, 8, 8), [8], 0), torch.randn(256, 1, 8, 8), torch.rand(256)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (network(x, t) - x).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1  # pyright: ignore
