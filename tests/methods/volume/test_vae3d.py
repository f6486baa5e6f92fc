from __future__ import annotations

import pytest
import torch

from ganvas.losses.divergence import normal_kl
from ganvas.methods.volume.vae3d import VAE3D
from ganvas.registry import create
from parts import blocks, trainer_for


def test_the_bound_is_cross_entropy_plus_kl() -> None:
    trainer = trainer_for(create("vae3d", "tiny", {"beta": 0.0, "occupied_weight": 3.0}), blocks())
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, VAE3D)
    assert batch.generator is not None
    method.eval()
    state = batch.generator.get_state()
    report = method.bound_loss(batch)
    batch.generator.set_state(state)
    mu, logvar = method.E(batch.real)
    p = method.G(mu + (logvar / 2).exp() * batch.normal(8)).sigmoid()
    x = (batch.real + 1) / 2
    expected = -(3 * x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1).mean()
    assert report["reconstruction"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert report["loss"].item() == pytest.approx(expected.item(), rel=1e-4)  # beta is 0
    assert report["kl"].item() == pytest.approx(normal_kl(mu, logvar).mean().item(), rel=1e-4)


def test_learns_boxes() -> None:
    """Better than the mean volume, by far, after some steps."""
    trainer = trainer_for(
        create("vae3d", "tiny", {"batch_size": 16, "widths": (16, 8), "lr": 0.01}), blocks(), steps=120
    )
    for _ in range(120):
        trainer.step()
    method, data = trainer.average.method, blocks()
    assert isinstance(method, VAE3D)
    real = trainer.feed.next().real
    with torch.no_grad():
        error = (method.generate(method.E(real)[0]) - real).square().mean()
    mean = torch.from_numpy(data.examples.mean(0)).permute(2, 0, 1).float() / 127.5 - 1
    assert error < 0.4 * (real - mean).square().mean()
