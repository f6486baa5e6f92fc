"""What VAE-GAN's paper says of its three losses and of what each may move."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import softplus
from torch.testing import assert_close

from ganvas.abilities import Encodes
from ganvas.data.batch import Batch
from ganvas.losses.divergence import normal_kl
from ganvas.losses.perceptual import feature_distance
from ganvas.networks.autoencoder import FeatureDiscriminator
from parts import images, small, trainer_for, unexpected


def batch_of(n: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


def built(**settings: Any) -> Any:
    method = small("vae_gan", **settings)
    method.build(images().spec)
    return method


def test_identical_images_have_no_feature_distance() -> None:
    method, batch = built(), batch_of()
    features = method.D.features(batch.real)
    again, _ = method.D.features_and_logits(batch.real.clone())
    assert feature_distance(again, features).tolist() == [0.0] * 4
    other = method.D.features(batch.real.flip(3))
    assert (feature_distance(other, features) > 0).all()


@pytest.mark.parametrize("level", [1, 2, 3, 9])
def test_features_are_those_on_the_way_to_the_logit(level: int) -> None:
    """28 -> 14 -> 7 -> 4: a halving a level, the last for all that are too many."""
    D = FeatureDiscriminator((1, 28, 28), width=4, norm="none", level=level)
    x = batch_of().real
    features, logits = D.features_and_logits(x)
    side = {1: 14, 2: 7}.get(level, 4)
    assert features.shape == (4, 4 * 2 ** (min(level, 3) - 1), side, side)
    assert torch.equal(features, D.features(x)) and torch.equal(logits, D(x))


def test_each_update_moves_its_own_network() -> None:
    trainer = trainer_for(small("vae_gan"))
    assert [update.trains for update in trainer.updates] == ["E", "G", "D"]
    for update in trainer.updates:
        before = {name: value.clone() for name, value in trainer.method.named_parameters()}
        trainer.update_once(update, trainer.feed.next())
        moved = {
            name.split(".")[0]
            for name, value in trainer.method.named_parameters()
            if not torch.equal(value, before[name])
        }
        assert moved == {update.trains}


def test_the_updates_of_a_step_share_their_work() -> None:
    """z and the real features from E's update to G's, both kinds of fakes from G's to D's: five passes of G and E in all."""
    trainer = trainer_for(small("vae_gan"))
    counts = {"E": 0, "G": 0}
    for name in counts:
        trainer.method.get_submodule(name).register_forward_hook(
            lambda *_, name=name: counts.update({name: counts[name] + 1})
        )
    batch = trainer.feed.next()
    for update in trainer.updates:
        trainer.update_once(update, batch)
    assert counts == {"E": 1, "G": 2}
    assert not batch.memo("real_features", unexpected).requires_grad
    _, _, z = batch.memo("posterior", unexpected)
    again, fake = batch.memo("generated", unexpected)
    assert len(z) == len(again) == len(fake) == len(batch)


def test_loss_of_the_encoder_is_prior_and_likelihood() -> None:
    method, batch = built(), batch_of()
    report = method.encoder_loss(batch)
    mu, logvar = method.E(batch.real)
    assert_close(report["kl"], normal_kl(mu, logvar).mean())
    assert_close(report["loss"], report["kl"] + report["distance"])
    assert report["distance"] > 0


def test_gamma_weighs_the_distance_for_the_generator_only() -> None:
    """loss = gamma * distance + the adversarial loss, which gamma 0 leaves alone."""
    reports = {}
    for gamma in (0.0, 2.0):
        torch.manual_seed(0)
        reports[gamma] = built(gamma=gamma).generator_loss(batch_of())
    adversarial = reports[0.0]["loss"]
    assert_close(reports[2.0]["distance"], reports[0.0]["distance"])
    assert_close(reports[2.0]["loss"], adversarial + 2 * reports[0.0]["distance"])


def test_d_tells_the_real_from_reconstructions_and_from_samples() -> None:
    """softplus(-D(x)) + softplus(D(G(z_p))) + softplus(D(G(E(x))))."""
    method, batch = built(), batch_of()
    again, fake = batch.memo("generated", lambda: (batch.real * -0.5, batch.real * 0.5))
    logits = [method.D(one) for one in (batch.real, fake, again)]
    expected = (softplus(-logits[0]) + softplus(logits[1]) + softplus(logits[2])).mean()
    report = method.discriminator_loss(batch)
    assert_close(report["loss"], expected)
    assert_close(report["reconstructed"], logits[2].mean())


def test_it_encodes_and_g_turns_codes_back() -> None:
    method = built().eval()
    assert issubclass(type(method), Encodes)
    images_ = batch_of().real
    codes = method.encode(images_)
    assert codes.shape == (4, 8) and torch.equal(codes, method.encode(images_)), "the mean, not a draw"
    assert method.generate(codes).shape == images_.shape


def test_augmented_images_are_judged_and_plain_ones_compared() -> None:
    method, batch = built(augment="diffaugment"), batch_of()
    features, _ = method.features_and_logits(batch, batch.real)
    assert torch.equal(features, method.real_features(batch))
