from __future__ import annotations

import pytest
import torch

from ganvas.data import open_data
from ganvas.data.batch import Batch
from ganvas.errors import DataError, UsageError
from ganvas.losses.gradient import squared_gradient
from ganvas.methods.volume.gan3d import GAN3D
from ganvas.registry import create
from ganvas.training.health import Health
from ganvas.training.trainer import Trainer
from parts import blocks, trainer_for, unexpected


def tiny(**settings: object) -> Trainer:
    return trainer_for(create("gan3d", "tiny", settings), blocks())


def test_volumes_are_in_the_range_of_the_data() -> None:
    """By the paper's sigmoid, or cut; in training the latter is not cut, so that G always has a gradient."""
    z = 9 * torch.randn(4, 8)
    for loss in ("cross_entropy", "relativistic"):
        method = tiny(loss=loss).method.eval()
        assert isinstance(method, GAN3D)
        with torch.no_grad():
            outputs, volumes = method.G(z), method.generate(z)
            trained = method.volumes(z, None)
        assert volumes.shape == (4, 16, 16, 16) and volumes.abs().max() <= 1
        if loss == "cross_entropy":
            assert torch.allclose((volumes + 1) / 2, outputs.sigmoid(), atol=1e-6)
        else:
            assert torch.equal(trained, outputs) and outputs.abs().max() > 1


def test_the_penalty_is_gamma_half_times_both_norms() -> None:
    trainer = tiny(gamma=3.0, penalty_every=5)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, GAN3D)
    report = method.penalty_loss(batch)
    points = torch.cat([batch.real, batch.memo("fake", lambda: torch.empty(0)).detach()]).requires_grad_()
    r1, r2 = squared_gradient(points, method.D(points)).chunk(2)
    assert report["loss"].item() == pytest.approx(5 * 3.0 / 2 * (r1 + r2).mean().item(), rel=1e-4)
    assert report["r1"].item() == pytest.approx(r1.mean().item(), rel=1e-4)


def test_the_paper_has_batch_norm_and_two_updates() -> None:
    paper, modern = tiny(loss="cross_entropy").method, tiny().method
    assert [update.name for update in paper.updates()] == ["generator", "discriminator"]
    assert [update.name for update in modern.updates()] == ["generator", "discriminator", "penalty"]
    norms = [isinstance(module, torch.nn.BatchNorm3d) for module in paper.modules()]
    assert any(norms) and not any(isinstance(module, torch.nn.BatchNorm3d) for module in modern.modules())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gamma": 1.0}, "gamma would have no effect: omit it"),
        ({"gamma": 1.0, "penalty_every": 1}, "gamma and penalty_every"),
    ],
)
def test_a_weight_without_a_penalty_is_refused(settings: dict[str, object], said: str) -> None:
    """Where a training starts; a run that was trained with it before is resumed."""
    method = create("gan3d", "tiny", {"loss": "cross_entropy", **settings})
    with pytest.raises(UsageError, match=f"loss=cross_entropy has no penalty, and {said}"):
        trainer_for(method, blocks())
    method.start_training(resumed=True)
    tiny(loss="cross_entropy", gamma=None, penalty_every=4)
    tiny(**settings)


def test_a_logit_depends_on_the_whole_pack_and_on_no_other() -> None:
    trainer = tiny(pack=3, batch_size=6, loss="cross_entropy")
    method, batch = trainer.method.eval(), trainer.feed.next()  # eval: batch statistics would mix the packs
    assert isinstance(method, GAN3D)
    before = method.discriminate(batch, batch.real)
    assert before.shape == (6, 1)
    for changed, pack in ((0, 0), (2, 0), (3, 1)):
        other = batch.real.clone()
        other[changed] = -other[changed]
        differs = (method.discriminate(batch, other) != before).flatten().tolist()
        assert differs == [place // 3 == pack for place in range(6)]
    with pytest.raises(UsageError, match="batch_size 8 makes no packs of 3: choose a multiple of 3"):
        tiny(pack=3)
    with pytest.raises(UsageError, match="5 volumes make no packs of 3"):
        method.D(batch.real[:5])


def test_the_penalty_of_packs_is_that_of_their_joint_gradient() -> None:
    """Huang 2024, eqs. 3 and 4, where an input is a pack; every volume has its pack's logit, which counts once."""
    trainer = tiny(pack=2, gamma=3.0, penalty_every=1)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, GAN3D)
    report = method.penalty_loss(batch)
    points = torch.cat([batch.real, batch.memo("fake", unexpected).detach()]).requires_grad_()
    (gradient,) = torch.autograd.grad(method.D(points)[::2].sum(), points)
    r1, r2 = gradient.view(8, -1).square().sum(1).chunk(2)
    assert report["loss"].item() == pytest.approx(3.0 / 2 * (r1 + r2).mean().item(), rel=1e-4)


def test_one_pass_of_generated_volumes_serves_both_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = tiny(loss="cross_entropy")
    method, sizes = trainer.method, list[int]()
    assert isinstance(method, GAN3D)
    discriminate = method.discriminate

    def watch(batch: Batch, images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return discriminate(batch, images)

    monkeypatch.setattr(method, "discriminate", watch)
    trainer.step()
    assert sizes == [8, 8]


def test_noise_falls_over_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its standard deviation to nothing; real and generated volumes of a step have the same."""
    trainer = tiny(noise=0.5)
    method, seen = trainer.method, list[torch.Tensor]()
    assert isinstance(method, GAN3D)
    monkeypatch.setattr(method.D, "forward", lambda x: seen.append(x) or torch.zeros(len(x), 1))
    for progress in (0.0, 0.75, 1.0):
        batch = trainer.feed.next()
        batch.progress = progress
        for volumes in (batch.real, -batch.real):
            method.discriminate(batch, volumes)
        real, fake = seen[-2] - batch.real, seen[-1] + batch.real
        assert torch.allclose(real, fake, atol=1e-6)
        assert float(real.std()) == pytest.approx(0.5 * (1 - progress), rel=0.02)
        assert progress == 1 or not torch.allclose(real[0], real[1])


def test_shifts_move_whole_volumes() -> None:
    trainer = tiny(shift=3)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, GAN3D)
    moved = method.moved(batch, batch.real)
    assert not torch.equal(moved, batch.real)
    for one, other in zip(moved, batch.real, strict=True):
        placed = [tuple(int(axis.min()) for axis in (volume > 0).nonzero().T) for volume in (one, other)]
        steps = [a - b for a, b in zip(*placed, strict=True)]
        assert all(abs(step) <= 3 for step in steps)


@pytest.mark.parametrize("loss", ["relativistic", "cross_entropy"])
def test_with_reach_d_sees_distances(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every update, and in the doctor's numbers; a voxel of the surface's inner side is half a voxel from it."""
    trainer = tiny(reach=2.0, loss=loss)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, GAN3D)
    real = method.real_for(batch)
    assert torch.equal(real > 0, batch.real > 0) and real.abs().min() == 0.25 and real.abs().max() == 1
    seen: list[torch.Tensor] = []
    discriminate = method.discriminate

    def watch(batch: Batch, images: torch.Tensor) -> torch.Tensor:
        seen.append(images[: len(batch)])
        return discriminate(batch, images)

    monkeypatch.setattr(method, "discriminate", watch)
    for update in method.updates():
        seen.clear()
        update.loss(batch)
        if loss == "cross_entropy" and update.name == "generator":
            continue  # which compares nothing with real volumes
        assert torch.equal(seen[0], real), update.name

    monkeypatch.setattr(GAN3D, "real_for", lambda self, batch: torch.zeros_like(batch.real))
    numbers = Health(method, blocks()).take(trainer)
    assert numbers["logits/real_std"] == 0


def test_mirroring_takes_each_axis_by_itself() -> None:
    """Of one lopsided volume all eight mirror images, and nothing else; real and fake ones are drawn apart."""
    method = tiny(mirror=True, batch_size=8).method
    assert isinstance(method, GAN3D)
    corner = torch.full((16, 16, 16), -1.0)
    corner[:2, :3, :4] = 1
    batch = Batch(corner.expand(40, -1, -1, -1), generator=torch.Generator().manual_seed(0))
    moved = method.moved(batch, corner.expand(80, -1, -1, -1))
    seen: set[tuple[bool, ...]] = set()
    for volume in moved:
        axes = [int(axis.min()) > 8 for axis in (volume > 0).nonzero().T]
        assert torch.equal(volume.flip([i for i, mirrored in enumerate(axes) if mirrored]), corner)
        seen.add(tuple(axes))
    assert len(seen) == 8
    assert not torch.equal(moved[:40], moved[40:])


def test_samples_are_mirrored_too() -> None:
    """D sees no difference between mirror images, so G alone generates one of them; samples are of all eight."""
    method = tiny(mirror=True).method.eval()
    assert isinstance(method, GAN3D)
    latents = method.latents(range(64))
    with torch.no_grad():
        alone = method.volumes(latents[:, :8], None).clamp(-1, 1)
        samples = method.generate(latents)
    seen: set[tuple[int, ...]] = set()
    for one, sides, sample in zip(alone, latents[:, 8:], samples, strict=True):
        axes = tuple(axis for axis in range(3) if sides[axis] > 0)
        assert torch.equal(sample, one.flip(axes))
        seen.add(axes)
    assert len(seen) == 8
    plain = tiny().method.latents(range(64))
    assert torch.equal(plain, latents[:, :8]), "the latents of a seed stay as they were"


def test_learns_the_side_of_a_class() -> None:
    """A few steps at the size of the tests: boxes of class 0 become longer along z than along x, and those of class 2 the other
    way round; a G that is not told the class cannot do so."""
    trainer = trainer_for(
        create("gan3d", "tiny", {"conditional": True, "batch_size": 16, "lr": 0.004, "widths": (16, 8)}),
        blocks(),
        steps=200,
    )
    for _ in range(200):
        trainer.step()
    method = trainer.average.method
    assert isinstance(method, GAN3D)
    z = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        deep = (method.generate(z, torch.zeros(32, dtype=torch.long)) + 1).mean(0)
        wide = (method.generate(z, torch.full((32,), 2)) + 1).mean(0)
    ends = slice(1, 3)
    longer_along_z = [float(each[ends].mean() / each[..., ends].mean()) for each in (deep, wide)]
    assert longer_along_z[0] > 1.3 * longer_along_z[1], "without the class both are the same"


def test_classes_need_labels() -> None:
    with pytest.raises(DataError, match="has no labels"):
        create("gan3d", "tiny", {"conditional": True}).build(open_data("shapes", voxels=16).spec)


@pytest.mark.parametrize("name", ["gan3d", "vae3d"])
def test_truncation_is_a_factor_of_z_alone(name: str) -> None:
    """Not of the signs by which gan3d mirrors its samples."""
    plain, shortened = (
        trainer_for(create(name, "tiny", {"mirror": True, "truncation": factor}), blocks()).method.eval()
        for factor in (1.0, 0.5)
    )
    shortened.load_state_dict(plain.state_dict())
    latents = torch.randn(4, plain.latents([0]).shape[1])
    shorter = latents.clone()
    shorter[:, :8] *= 0.5
    with torch.no_grad():
        assert torch.equal(shortened.generate(latents), plain.generate(shorter))
        assert not torch.equal(shortened.generate(latents), plain.generate(latents))
