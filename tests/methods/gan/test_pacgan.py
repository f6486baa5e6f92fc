"""PacGAN: D sees packs, and all else is DCGAN."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.data.batch import Batch
from ganvas.errors import UsageError
from ganvas.registry import create
from parts import images, small


def built(**settings):
    method = small("pacgan", **settings)
    torch.manual_seed(0)
    method.build(images().spec)
    return method


def batch_of(n: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


@pytest.mark.parametrize("pack", [2, 3, 4])
def test_only_the_first_layer_of_d_grows(pack: int) -> None:
    method, plain = built(pack=pack, batch_size=12), small("dcgan")
    plain.build(images().spec)
    shapes = [tuple(one.shape) for one in method.D.parameters()]
    expected = [tuple(one.shape) for one in plain.D.parameters()]
    assert shapes[0] == (4, pack, 4, 4) and expected[0] == (4, 1, 4, 4)
    assert shapes[1:] == expected[1:]
    assert [one.shape for one in method.G.parameters()] == [one.shape for one in plain.G.parameters()]


@pytest.mark.parametrize("pack", [2, 3])
def test_a_logit_depends_on_the_whole_pack_and_on_no_other(pack: int) -> None:
    method, batch = built(pack=pack, batch_size=12).eval(), batch_of(12)  # eval: batch statistics would mix the packs
    before = method.discriminate(batch, batch.real)
    assert before.shape == (12, 1)
    for changed in (0, pack - 1, pack):
        other = batch.real.clone()
        other[changed] = -other[changed]
        differs = (method.discriminate(batch, other) != before).flatten().tolist()
        own = changed // pack
        assert differs == [place // pack == own for place in range(12)]


def test_losses_are_means_over_packs() -> None:
    """A D that adds up its pack's pixels at one place: logits 1 + 2 and 3 + 4 of real images, 0 of fake ones."""
    method = built(batch_size=4)

    class Corner(nn.Module):
        def forward(self, x):
            return x[:, :, 0, 0].sum(1, keepdim=True)

    method.D.network, batch = Corner(), batch_of(4)
    batch.real[:, 0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    batch.memo("fake", lambda: torch.zeros_like(batch.real))
    report = method.discriminator_loss(batch)
    expected = (math.log1p(math.exp(-3)) + math.log1p(math.exp(-7))) / 2 + math.log(2)
    assert_close(report["loss"], torch.tensor(expected))


def test_a_batch_that_fills_no_packs_is_refused() -> None:
    with pytest.raises(UsageError, match="batch_size 16 makes no packs of 3: choose a multiple of 3"):
        built(pack=3)
    method = built(pack=4, batch_size=12)
    with pytest.raises(UsageError, match="6 images make no packs of 4"):  # half of the batch, on one of two processes
        method.discriminator_loss(batch_of(6))
    with pytest.raises(UsageError, match="pack must be >= 2 and <= 4"):
        create("pacgan", None, {"pack": 5})
