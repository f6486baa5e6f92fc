"""MGAN: generators that differ and share, and a classifier that D's update trains."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.abilities import Samples, offers
from ganvas.data.batch import Batch
from ganvas.losses.mixture import generator_cross_entropy
from ganvas.registry import create
from parts import images, small, trainer_for


def built(**settings):
    method = small("mgan", **settings)
    torch.manual_seed(0)
    method.build(images().spec)
    return method


def batch_of(n: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


def test_the_term_of_the_classifier_by_hand() -> None:
    """Scores (log 3, 0): C_0 = 3/4, C_1 = 1/4."""
    scores = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    assert_close(generator_cross_entropy(scores, torch.tensor([0, 1])), -torch.tensor([0.75, 0.25]).log())


def test_generators_differ_and_a_latent_names_its_own() -> None:
    method = built().eval()
    latents = method.latents(range(40))
    assert latents.shape == (40, 8 + 3)
    assert set(method.which(latents).tolist()) == {0, 1, 2} and latents[:, 8:].sum(1).eq(1).all()
    same = latents[:1].repeat(3, 1)
    same[:, 8:] = torch.eye(3)
    made = method.generate(same)
    assert not torch.equal(made[0], made[1]) and not torch.equal(made[1], made[2])


def test_the_generator_is_a_code() -> None:
    method = built()
    assert isinstance(method, Samples) and offers(method, Samples.codes)
    (code,) = method.codes()
    assert (code.kind, code.start, code.size) == ("categorical", 8, 3)


def test_a_step_draws_every_generator_equally_often() -> None:
    method, batch = built(), batch_of(3000)
    counts = torch.bincount(method.which(method.noise(batch)), minlength=3)
    assert counts.sum() == 3000 and counts.min() > 900


class Fixed(nn.Module):
    """Scores by hand, the same for all images: D's logit 0, C sure of generator 0 by 3 to 1 to 1."""

    def forward(self, x):
        return (torch.tensor([[0.0, math.log(3), 0.0, 0.0]]) + 0 * x.sum()).expand(len(x), 4)


def test_losses_are_those_of_equation_2() -> None:
    """With D = 1/2: log 2 for G; 2 log 2 for D; beta times -log C of the generator (3/5, 1/5 or 1/5) for both."""
    method, batch = built(beta=0.5), batch_of()
    method.D = Fixed()
    report = method.generator_loss(batch)
    _, which = batch.memo("generated", lambda: method.generated(batch))
    share = torch.where(which == 0, 0.6, 0.2)
    assert_close(report["loss"], math.log(2) - 0.5 * share.log().mean())
    report = method.discriminator_loss(batch)
    assert_close(report["loss"], 2 * math.log(2) - 0.5 * share.log().mean())
    assert_close(report["generator_accuracy"], (which == 0).float().mean())
    assert method.discriminate(batch, batch.real).shape == (6, 1)


def test_the_classifier_is_moved_by_d_s_update_only() -> None:
    trainer = trainer_for(small("mgan", lr=0.01))
    head = trainer.method.D.head.weight
    before = head.clone()
    generator, discriminator = trainer.updates
    trainer.updates = [generator]
    trainer.step()
    assert torch.equal(head, before)
    trainer.updates = [discriminator]
    trainer.step()
    assert all(not torch.equal(now, was) for now, was in zip(head, before, strict=True))


def test_the_diversity_term_reaches_the_generators() -> None:
    """With D's own head at zero the gradient of G is that of beta's term alone."""
    for beta in (0.0, 1.0):
        method, batch = built(beta=beta), batch_of()
        with torch.no_grad():
            method.D.head.weight[0] = 0
        method.generator_loss(batch)["loss"].backward()
        assert (method.G.trunk.project.weight.grad.abs().sum() > 0) == (beta > 0)


@pytest.mark.parametrize(("name", "default"), [("generators", 10), ("lr", 2e-4), ("beta1", 0.5), ("beta", 0.01)])
def test_mgan_follows_the_paper(name: str, default: float) -> None:
    assert getattr(create("mgan", "paper"), name) == default


def test_classes_where_the_data_have_them() -> None:
    """D adds the product of the image's own class, C's scores stay as they are, and G reads the class."""
    method = small("mgan", conditional=True)
    torch.manual_seed(0)
    method.build(images().spec)
    method.eval()
    batch = batch_of()
    batch.label = torch.tensor([0, 1, 0, 1, 0, 1])
    outputs = method.D(batch.real)
    logits, scores = method.logits_and_scores(batch, batch.real)
    assert outputs.shape == (6, 1 + 3 + 3) and torch.equal(scores, outputs[:, 1:4])
    assert_close(logits[:, 0], outputs[:, 0] + torch.where(batch.label == 0, outputs[:, 4], outputs[:, 5]))
    latents = method.latents(range(1))
    assert not torch.equal(method.generate(latents, torch.tensor([0])), method.generate(latents, torch.tensor([1])))
