"""What InfoGAN's paper says of codes, their bound, and who learns from it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.abilities import Code, Samples, offers
from ganvas.data.batch import Batch
from ganvas.errors import UsageError
from ganvas.registry import create
from parts import images, small, trainer_for, unexpected


def batch_of(n: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


def built(**settings: Any) -> Any:
    method = small("infogan", **settings)
    method.build(images().spec)
    return method


def test_the_bound_of_a_known_reader() -> None:
    """Q gives the true one of two categories 3/4: log 2 - log(4/3) = entropy less cross-entropy. Without a clue it is 0."""
    method = built(categorical="2", continuous=0)
    latent = torch.cat([torch.zeros(2, 8), torch.eye(2)], 1)
    logits = torch.eye(2) * math.log(3.0)
    assert_close(method.information(latent, logits)["categorical"], torch.tensor(math.log(2) - math.log(4 / 3)))
    assert method.information(latent, torch.zeros(2, 2))["categorical"].item() == pytest.approx(0.0, abs=1e-6)
    sure = method.information(latent, torch.eye(2) * 100)["categorical"].item()
    assert sure == pytest.approx(math.log(2), abs=1e-6), "no more can be known than the code has"


def test_a_continuous_code_costs_a_squared_error() -> None:
    """H = log 2, N(c; mu, 1): log 2 - log(2 pi) / 2 - (c - mu)^2 / 2, with c - mu = 0.5; weights multiply each kind."""
    method = built(categorical="2", continuous=1, categorical_weight=3.0, continuous_weight=0.1)
    latent = torch.cat([torch.zeros(2, 8), torch.eye(2), torch.full((2, 1), 0.25)], 1)
    read = torch.cat([torch.zeros(2, 2), torch.full((2, 1), -0.25)], 1)
    bounds = method.information(latent, read)
    number = math.log(2) - math.log(2 * math.pi) / 2 - 0.125
    assert_close(bounds["continuous"], torch.tensor(number))
    assert_close(bounds["loss"], 3.0 * bounds["categorical"] + 0.1 * bounds["continuous"])


def test_two_categories_are_read_each_in_its_place() -> None:
    method = built(categorical="2-3", continuous=0)
    latent = torch.cat([torch.zeros(1, 8), torch.tensor([[0.0, 1.0, 0.0, 0.0, 1.0]])], 1)
    read = torch.tensor([[0.0, 50.0, 0.0, 0.0, 50.0]])
    assert method.information(latent, read)["categorical"].item() == pytest.approx(math.log(6), abs=1e-5)


def test_codes_lie_behind_the_noise() -> None:
    method = built(categorical="3-2", continuous=2)
    assert offers(method, Samples.codes)
    assert method.codes() == [
        Code("category1", "categorical", 8, 3), Code("category2", "categorical", 11, 2),
        Code("continuous1", "continuous", 13, 1), Code("continuous2", "continuous", 14, 1),
    ]  # fmt: skip
    for latents in (method.latents(range(200)), method.noise(batch_of(200))):
        assert latents.shape == (200, 15)
        for code in method.codes():
            part = latents[:, code.start : code.start + code.size]
            if code.kind == "categorical":
                assert (
                    set(part.unique().tolist()) == {0.0, 1.0} and (part.sum(1) == 1).all() and (part.sum(0) > 20).all()
                )
            else:
                assert -1 <= part.min() < -0.9 and 0.9 < part.max() <= 1
        assert latents[:, :8].std().item() == pytest.approx(1.0, abs=0.1)


def test_images_that_hide_their_codes_leave_the_bound_at_or_below_zero() -> None:
    """A G that ignores its codes: no Q gets above 0 but by luck, so training Q alone leads to 0 from below."""
    method = built(categorical="2", continuous=0)
    method.G = Blank()
    optimizer = torch.optim.Adam(method.D.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        report = method.discriminator_loss(batch_of(16))
        report["loss"].backward()
        optimizer.step()
    assert report["categorical"].item() < 0.05  # pyright: ignore[reportPossiblyUnboundVariable]


class Blank(nn.Module):
    """Grey images, whatever the latent."""

    def forward(self, z):
        return torch.zeros(len(z), 1, 28, 28)


@pytest.mark.parametrize("update", ["generator", "discriminator"])
def test_both_updates_learn_from_the_bound(update: str) -> None:
    """The gradient changes with lambda for G, and for D's body; the head Q nothing else trains, and nothing else D's own."""
    gradients = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        method = built(categorical_weight=weight, continuous_weight=0.0)
        (chosen,) = (one for one in method.updates() if one.name == update)
        chosen.loss(batch_of())["loss"].backward()
        network = method.G if update == "generator" else method.D
        gradients[weight] = [parameter.grad.clone() for parameter in network.parameters()]
    same = [torch.equal(a, b) for a, b in zip(gradients[0.0], gradients[1.0], strict=True)]
    assert sum(same) == (0 if update == "generator" else 2), "D's own head has a weight and a bias"
    if update == "discriminator":
        head = {weight: found[-1] for weight, found in gradients.items()}  # the biases of what Q says
        assert not head[0.0].any(), "without the bound nobody trains Q"
        assert head[1.0][:3].any() and not head[1.0][3:].any(), "three categories; the number's lambda is 0"


def test_d_reads_the_images_of_g_with_their_codes() -> None:
    """What G's update leaves in the memo are images and the latents that made them, of one step; D makes none of its own."""
    trainer = trainer_for(small("infogan"))
    method, batch = trainer.method, trainer.feed.next()
    trainer.updates[0].loss(batch)
    latent, generated = batch.memo("generated", unexpected)
    method.eval()  # by running statistics, which a second pass does not move
    passes: list[int] = []
    method.G.register_forward_hook(lambda *_: passes.append(1))  # pyright: ignore
    trainer.updates[1].loss(batch)
    assert not passes and generated.shape == batch.real.shape
    assert latent.shape == (len(batch), method.z_dim + 4)  # pyright: ignore


def test_no_code_is_an_error_and_so_is_a_wrong_word() -> None:
    method = create("infogan", None, {"categorical": "none", "continuous": "0"})
    with pytest.raises(UsageError, match="infogan needs a code"):
        method.build(images().spec)
    with pytest.raises(UsageError, match="categorical must be"):
        create("infogan", None, {"categorical": "ten"}).build(images().spec)
    numbers = built(categorical="none", continuous=3)
    assert [code.kind for code in numbers.codes()] == ["continuous"] * 3


def test_settings_of_the_paper() -> None:
    """Table 1: 62 noise numbers, a 10-way code and two numbers for MNIST; C.1: 1e-3 for G and 2e-4 for D, lambda 1 and 0.1."""
    method = create("infogan")
    assert (method.z_dim, method.categorical, method.continuous) == (62, (10,), 2)
    assert (method.width, method.hidden, method.warp) == (64, 1024, 0.0)
    assert (method.lr, method.balance) == (1e-3, 0.2)
    assert (method.categorical_weight, method.continuous_weight) == (1.0, 0.1)


@pytest.mark.parametrize("hidden", [0, 16])
def test_layers_of_table_one_or_none(hidden: int) -> None:
    method = built(hidden=hidden)
    assert any(isinstance(module, nn.BatchNorm1d) for module in method.G.modules()) == bool(hidden)
    assert method.D(batch_of().real).shape == (4, 1 + 3 + 1)


def test_a_warp_is_of_what_d_and_q_see_only() -> None:
    """G's images go into the memo as they are; D is shown others, each time new ones."""
    method, batch = built(warp=1.0), batch_of(8)
    seen = method.augmented(batch, batch.real)
    assert not torch.equal(seen, batch.real) and not torch.equal(seen, method.augmented(batch, batch.real))
    twice = method.augmented(batch, torch.cat([batch.real, batch.real]), 2)
    assert twice.shape[0] == 16 and not torch.equal(twice[:8], twice[8:])
    still = built(warp=0.0)
    assert still.augmented(batch, batch.real) is batch.real


def test_a_decay_of_the_second_half_spares_the_first() -> None:
    second_half, none = create("infogan", None, {"decay": "second_half"}), create("infogan")
    assert [second_half.schedule(share, 9) for share in (0.0, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]
    assert none.schedule(0.9, 9) == 1.0
