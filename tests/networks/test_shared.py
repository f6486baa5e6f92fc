"""Generators that share a trunk, packs of images, and classes joined to the input: numbers by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from ganvas.errors import UsageError
from ganvas.networks.dcgan import DCGANGenerator
from ganvas.networks.joined import JoinedDiscriminator, JoinedGenerator, LabelMapped, Maxout
from ganvas.networks.packed import PackedDiscriminator, packs
from ganvas.networks.shared import SharedGenerators


def latents(z: torch.Tensor, which: torch.Tensor, count: int) -> torch.Tensor:
    return torch.cat([z, F.one_hot(which, count).float()], 1)


# --- several generators --------------------------------------------------------------------------------------------------


def test_a_latent_fills_the_block_of_its_generator() -> None:
    """z = (5, 7) of generator 1 of 3: two numbers and a one in the second block."""
    G = SharedGenerators(lambda inputs: nn.Linear(inputs, 4), 2, 3)
    blocks = G.blocks(latents(torch.tensor([[5.0, 7.0]]), torch.tensor([1]), 3))
    assert blocks.tolist() == [[0, 0, 0, 5, 7, 1, 0, 0, 0]]


def test_a_mixture_in_one_pass_is_each_generator_by_itself() -> None:
    """The first layer by hand: a weight and a bias for each generator; then the same trunk for all."""
    torch.manual_seed(0)
    G = SharedGenerators(partial(DCGANGenerator, shape=(1, 8, 8), width=4, norm="none"), 3, 5).eval()
    z, which = torch.randn(9, 3), torch.arange(9) % 5
    bank = G.trunk.project.weight.view(-1, 5, 4)  # (features, generators, 3 of z and a one)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    own = torch.stack([bank[:, k, :3] @ row + bank[:, k, 3] for row, k in zip(z, which, strict=True)])
    trunk = nn.Sequential(G.trunk.first, G.trunk.blocks)  # pyright: ignore[reportArgumentType]
    x = (own + G.trunk.project.bias).view(9, 4, 4, -1).permute(0, 3, 1, 2)  # pyright: ignore[reportAttributeAccessIssue, reportOperatorIssue]
    assert_close(G(latents(z, which, 5)), trunk(x))


def test_only_the_first_layer_is_their_own() -> None:
    """Parameters of K generators: those of one, and K - 1 first layers more (a bias for each beside its weights)."""
    make = partial(DCGANGenerator, shape=(1, 28, 28), width=4)
    one = sum(parameter.numel() for parameter in make(8).parameters())
    first = make(8).project.weight.shape[0]
    for count in (2, 5):
        mixture = SharedGenerators(make, 8, count)
        assert sum(parameter.numel() for parameter in mixture.parameters()) == one + first * (count * 9 - 8)


def test_an_image_moves_the_first_layer_of_its_generator_only() -> None:
    torch.manual_seed(0)
    G = SharedGenerators(partial(DCGANGenerator, shape=(1, 8, 8), width=4), 3, 4)
    G(latents(torch.randn(6, 3), torch.tensor([2] * 6), 4)).square().sum().backward()
    moved = G.trunk.project.weight.grad.view(-1, 4, 4).abs().sum((0, 2)) > 0  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue, reportOptionalMemberAccess]
    assert moved.tolist() == [False, False, True, False]
    assert G.trunk.blocks[0].conv.weight.grad.abs().sum() > 0  # pyright: ignore[reportAttributeAccessIssue, reportIndexIssue]


# --- packs ---------------------------------------------------------------------------------------------------------------


def test_packs_join_neighbours_along_the_channels() -> None:
    images = torch.arange(6 * 2 * 3 * 3).view(6, 2, 3, 3).to(memory_format=torch.channels_last)
    joined = packs(images, 3)
    assert joined.shape == (2, 6, 3, 3) and joined.is_contiguous(memory_format=torch.channels_last)
    for pack in range(2):
        for place in range(3):
            assert torch.equal(joined[pack, 2 * place : 2 * place + 2], images[3 * pack + place])


def test_images_that_fill_no_pack_are_refused() -> None:
    with pytest.raises(UsageError, match=r"7 images make no packs of 2.*multiple of 2"):
        packs(torch.zeros(7, 1, 4, 4), 2)


def test_each_image_gets_the_logit_of_its_pack() -> None:
    def make(shape: tuple[int, int, int]) -> nn.Module:
        assert shape == (2, 1, 1)
        discriminator = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        nn.init.constant_(discriminator[1].weight, 1.0)  # pyright: ignore[reportArgumentType]
        return discriminator

    D = PackedDiscriminator(make, (1, 1, 1), 2)
    logits = D(torch.tensor([1.0, 2.0, 10.0, 20.0]).view(4, 1, 1, 1))
    assert logits.tolist() == [[3.0], [3.0], [30.0], [30.0]]


# --- classes at the input ------------------------------------------------------------------------------------------------


def test_maxout_by_hand() -> None:
    """Outputs max(x, -x) and max(2 x, 3 x + 1), of two pieces each."""
    layer = Maxout(1, 2, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0], [2.0], [3.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    assert layer(torch.tensor([[-3.0], [2.0]])).tolist() == [[3.0, -6.0], [2.0, 7.0]]


def test_a_class_is_one_more_channel() -> None:
    D = LabelMapped(lambda shape: nn.Conv2d(shape[0], 1, shape[1:], bias=False), (2, 3, 5), 4)
    with torch.no_grad():
        D.network.weight.zero_()[:, 2] = 1.0  # sees the map only  # pyright: ignore[reportCallIssue]
    logits = D(torch.randn(3, 2, 3, 5), torch.tensor([0, 3, 0])).flatten()
    assert_close(logits, D.maps.weight.sum(1)[[0, 3, 0]])


def test_the_first_conditional_networks() -> None:
    """100 numbers and 10 classes by 200 and 1000 units to 1200 and 784; 784 and 10 by 240 and 50 to 240 and 1 (sec. 4.1)."""
    G = JoinedGenerator(100, 10, (1, 28, 28), [200, 1000, 1200])
    D = JoinedDiscriminator((1, 28, 28), 10, [240, 50, 240])
    count = sum(parameter.numel() for parameter in G.parameters())
    assert count == 100 * 200 + 200 + 10 * 1000 + 1200 * 1200 + 1200 + 1200 * 784 + 784
    count = sum(parameter.numel() for parameter in D.parameters())
    assert count == 785 * 240 * 5 + 11 * 50 * 5 + 291 * 240 * 4 + 241
    label = torch.tensor([1, 2])
    made = G(torch.randn(2, 100), label)
    assert made.shape == (2, 1, 28, 28) and made.abs().max() <= 1
    x = torch.zeros(2, 1, 28, 28)
    assert D(x, label).shape == (2, 1) and not torch.equal(*D(x, label))
