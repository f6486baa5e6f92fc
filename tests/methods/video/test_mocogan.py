from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from ganvas.errors import UsageError
from ganvas.losses.gradient import squared_gradient
from ganvas.methods.video._base import VideoGAN
from ganvas.methods.video.mocogan import MoCoGAN
from ganvas.networks.video import MotionContentGenerator
from ganvas.registry import create
from ganvas.sampling import sample
from ganvas.tasks.latents import between, points_of, space_of, spherical
from ganvas.training.trainer import Trainer
from parts import films, trainer_for


def tiny(**settings: object) -> Trainer:
    return trainer_for(create("mocogan", "tiny", settings), films())


def test_the_motion_of_a_seed_moves_the_content_of_others() -> None:
    """Of seed 4's content with seed 9's motion, the latent's first part is seed 4's and the rest seed 9's."""
    method = tiny().method.eval()
    assert isinstance(method, MoCoGAN)
    with torch.no_grad():
        mixed = sample(method, 1, seed=4, motion=9)
        latents = torch.cat([method.latents([4])[:, : method.z_dim], method.latents([9])[:, method.z_dim :]], 1)
        expected = method.generate(latents.expand(64, -1))[:1]
    torch.testing.assert_close(mixed, expected)
    assert not torch.equal(mixed, sample(method, 1, seed=4))


def test_content_and_motion_are_edited_apart() -> None:
    """Half of the way from seed 4 to seed 9: of contents with the motion of 4, or of motions with its content."""
    method = tiny().method.eval()
    assert isinstance(method, MoCoGAN)
    latents = method.latents([4, 9])
    part = slice(0, method.z_dim), slice(method.z_dim, None)
    for name, edited, kept in (("content", *part), ("motion", *part[::-1])):
        space = space_of(method, name)
        points = points_of(method, space, [4, 9])
        assert points.values.shape == latents.shape and space.free == latents[:, edited].shape[1]
        (way,) = between(space, points.values[0], points.values[1], torch.tensor([0.5]))
        latent = latents[:1].clone()
        latent[:, edited] = spherical(latents[0, edited], latents[1, edited], torch.tensor([0.5]))
        assert torch.equal(latent[:, kept], latents[:1, kept])
        with torch.no_grad():
            torch.testing.assert_close(space.synthesise(way[None], None, []), method.clips(latent, None))
    assert space_of(method).name == "content", "by default"


def test_d_sees_frames_of_the_clips_and_the_clips() -> None:
    """Clips whose frames are all alike: whichever frame was drawn, its logit is that of the frame."""
    trainer = tiny(frames_seen=3, loss="relativistic", noise=0.0)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    still = batch.real[:, :, :1].expand(-1, -1, 6, -1, -1)
    with torch.no_grad():
        of_frames, of_clips = method.scores(batch, torch.cat([still, -still]))
        first = method.D.get_submodule("frames")(torch.cat([still, -still])[:, :, 0])
        torch.testing.assert_close(of_frames.view(16, 3), first.expand(-1, 3), rtol=1e-4, atol=1e-5)
        assert of_clips.shape == (16, 1)


def test_at_the_start_motion_changes_slowly() -> None:
    """A state lasts sigmoid(1) = 0.73 from frame to frame; with PyTorch's own initial bias it would be 0.5."""
    torch.manual_seed(0)
    cell = MotionContentGenerator(2, 64, 1, 4, (1, 8, 8), (4,)).cell
    zero = torch.zeros(1, 64)
    change = torch.autograd.functional.jacobian(lambda state: cell(torch.zeros(1, 1), state), zero)
    assert isinstance(change, torch.Tensor)
    assert change[0, :, 0].diagonal().mean().item() == pytest.approx(0.731, abs=0.03)


@pytest.mark.parametrize("name", ["mocogan", "vgan"])
@pytest.mark.parametrize(("each", "worth"), [(50, True), (49, False)])
def test_classes_are_learned_where_they_are_worth_it(name: str, each: int, worth: bool) -> None:
    """By default, of clips with labels of which there are enough."""
    spec = dataclasses.replace(films().spec, classes=("a", "b"), class_counts=(each, each), count=2 * each)
    method = create(name, None, {"widths": "4-4", "batch_size": 2})
    method.build(spec)
    assert method.settings()["conditional"] is worth and (method.labels(range(2)) is not None) is worth
    asked = create(name, None, {"widths": "4-4", "conditional": False})
    asked.build(spec)
    assert asked.settings()["conditional"] is False


def test_the_penalty_of_one_frame_of_each_clip_by_hand() -> None:
    """gamma / 2 (R1 + R2) of each discriminator: with one frame a clip, that of D_I is at that frame alone."""
    trainer = tiny(gamma=3.0, penalty_every=5, frames_seen=1, loss="relativistic", noise=0.0)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    state = trainer.feed.generator.get_state()
    loss = method.penalty_loss(batch)["loss"]
    trainer.feed.generator.set_state(state)
    points = torch.cat([batch.real, method.generate_for(batch).detach()]).requires_grad_()
    expected = torch.zeros(())
    for logits in method.scores(batch, points):
        expected = expected + squared_gradient(points, logits).sum() / 8
    assert loss.item() == pytest.approx(5 * 3.0 / 2 * expected.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["mocogan", "vgan"])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"loss": "cross_entropy", "gamma": 1.0}, "no penalty, and gamma would"),
        ({"loss": "cross_entropy", "penalty_every": 2}, "no penalty, and penalty_every would"),
        ({"conditional": False, "classify": 0.2}, "without classes .* classify would"),
    ],
)
def test_a_setting_without_effect_is_refused(name: str, given: dict[str, object], named: str) -> None:
    method = create(name, "tiny", given)
    method.build(films().spec)
    with pytest.raises(UsageError, match=named):
        method.start_training(resumed=False)
    method.start_training(resumed=True)


def test_pieces_are_of_equal_numbers_of_channels() -> None:
    with pytest.raises(UsageError, match="moved must be a multiple of pieces"):
        create("mocogan", "tiny", {"moved": 6, "pieces": 4})
    method = create("mocogan", "tiny", {"moved": 0, "pieces": 4, "conditional": False})
    method.build(films().spec)
    with pytest.raises(UsageError, match="moved=0 has no pieces, and pieces would"):
        method.start_training(resumed=False)


def test_each_loss_has_its_networks() -> None:
    """Batch norm, tanh and no penalty with the papers' loss; a penalty and neither of both with the relativistic one."""
    for name in ("mocogan", "vgan"):
        for loss in ("cross_entropy", "relativistic"):
            method = trainer_for(create(name, "tiny", {"loss": loss}), films()).method
            assert isinstance(method, VideoGAN)
            kinds = {type(module) for module in method.modules()}
            is_paper = loss == "cross_entropy"
            assert (nn.Tanh in kinds) == is_paper and (nn.BatchNorm3d in kinds) == is_paper
            assert [update.name for update in method.updates()][2:] == ([] if is_paper else ["penalty"])


def test_batch_statistics_of_real_and_generated_clips_do_not_mix() -> None:
    trainer = tiny(loss="cross_entropy", noise=0.0)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    with torch.no_grad():
        (_, (of_real, _)) = method.pairs(batch, batch.real)
        (_, (again, _)) = method.pairs(batch, torch.zeros_like(batch.real))
    assert torch.equal(of_real, again)


@pytest.mark.parametrize("loss", ["cross_entropy", "relativistic"])
def test_one_pass_of_the_discriminators_serves_both_networks(loss: str) -> None:
    """The gradients of D's update through the logits of G's are those of a pass of its own, with the same random numbers."""
    trainer = tiny(loss=loss)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    weights = list(method.D.parameters())
    state = trainer.feed.generator.get_state()
    method.generator_loss(batch)
    shared = torch.autograd.grad(method.discriminator_loss(batch)["loss"], weights)
    trainer.feed.generator.set_state(state)
    alone = dataclasses.replace(batch)
    expected = torch.autograd.grad(method.discriminator_loss(alone)["loss"], weights)
    torch.testing.assert_close(shared, expected)


def test_noise_has_its_standard_deviation_and_is_drawn_for_each_clip() -> None:
    trainer = tiny(noise=0.25)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    added = method.augmented(batch, torch.cat([batch.real, batch.real])) - torch.cat([batch.real, batch.real])
    assert added.std().item() == pytest.approx(0.25, rel=0.05) and abs(added.mean().item()) < 0.02
    assert not torch.equal(added[:8], added[8:])


def test_each_discriminator_has_the_scale_of_what_it_sees() -> None:
    method = tiny().method
    assert isinstance(method, MoCoGAN)
    of_frame, of_clip = method.strengths()
    assert of_clip == pytest.approx(6 * of_frame) and of_clip == pytest.approx(method.spec.total_variance / 200)


@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
def test_augmentation_is_constant_over_time(augment: str) -> None:
    """A clip that stands still stands still afterwards, and two clips change differently."""
    trainer = tiny(augment=augment, noise=0.0)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    if augment == "ada":
        method.augment_p.fill_(1.0)
    still = batch.real[:1, :, :1].expand(8, -1, 6, -1, -1)
    seen = method.augmented(batch, still)
    assert seen.shape == still.shape and not torch.equal(seen[0], seen[1])
    for frame in range(1, 6):
        torch.testing.assert_close(seen[:, :, frame], seen[:, :, 0])


def test_ada_follows_the_sign() -> None:
    trainer = tiny(augment="ada", ada_images=16)
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, MoCoGAN)
    report = {"sign": torch.tensor(1.0)}
    method.adapt(report, batch)
    assert method.augment_p.item() == pytest.approx(0.5) and report["augment_p"].item() == pytest.approx(0.5)


@pytest.mark.parametrize("moved", [0, 8])
def test_learns_how_light_a_class_grows(moved: int) -> None:
    """A few steps at the size of the tests: clips of class 2 grow lighter over time, those of class 0 do not."""
    method = create("mocogan", "tiny", {"conditional": True, "batch_size": 16, "lr": 0.01, "ema": 0.98, "moved": moved})
    trainer = trainer_for(method, films(8, 8), steps=300)
    for _ in range(300):
        trainer.step()
    made = trainer.average.method
    assert isinstance(made, MoCoGAN)
    z = made.latents(range(32))
    rises: list[float] = []
    with torch.no_grad():
        for label in (0, 2):
            clips = made.generate(z, torch.full((32,), label))
            rises.append(float(clips[:, :, -1].mean() - clips[:, :, 0].mean()))
    assert rises[1] > rises[0] + 0.2, rises
